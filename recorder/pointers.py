"""Secrets that settings point to: ``env:NAME`` or ``file:/path``, alone or within a URL.

A secret never stands in a settings file, an argument or a log; what stands there says where it is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from recorder.errors import ConfigError
from recorder.regular import read_whole

_WITHIN = re.compile(r"\{((?:env|file):[^{}]*)\}")
HINT = "write env:NAME or file:/path"


def secret(pointer: str, what: str) -> str:
    """Fetch a secret that a setting points to; an empty setting points to none.

    Raises: ``ConfigError`` when it is not where the setting says, or is empty there.
    """
    if not pointer:
        return ""
    kind, _, place = pointer.partition(":")
    try:
        if kind == "env":
            found = os.environ[place]
        elif kind == "file":
            found = read_whole(Path(place)).decode().strip()
        else:
            raise ConfigError(f"{what}: not a pointer to a secret", hint=HINT)
    except KeyError as exc:
        raise ConfigError(f"{what}: {pointer} cannot be read: it is not set") from exc
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is no text"
        raise ConfigError(f"{what}: {pointer} cannot be read: {why}") from exc
    if not found:
        raise ConfigError(f"{what}: {pointer} is empty")
    return found


def filled(text: str, what: str) -> str:
    """Return a URL with the secrets that it points to in braces.

    ``postgresql://recorder:{file:/run/secrets/password}@db/recorder``: what is put within a URL
    is percent-encoded; a pointer that is all of it stands for a whole URL.
    Raises: ``ConfigError``.
    """
    whole = _WITHIN.fullmatch(text)
    if whole is not None:
        return secret(whole[1], what)
    return _WITHIN.sub(lambda found: quote(secret(found[1], what), safe=""), text)
