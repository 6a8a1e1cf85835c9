"""Settings from a YAML file, ``RECORDER_*`` and flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recorder.config.checked import check_settings
from recorder.config.settings import Settings
from recorder.errors import BadDocument, ConfigError, RequestError
from recorder.model.unknown import told
from recorder.model.yaml_text import read_yaml
from recorder.pointers import filled
from recorder.regular import read_whole

POINTING = ("catalog", "parent")
"""Settings that are URLs and may point to secrets within them."""


def load_settings(path: Path | None = None, **flags: Any) -> Settings:
    """Read settings from a file, the environment and flags (flags win).

    Raises: ``ConfigError`` naming the path of every mistake.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = read_yaml(read_whole(path).decode(), f"settings {path}") or {}
        except OSError as exc:
            raise ConfigError(f"settings {path}: {exc.strerror}") from exc
        except UnicodeDecodeError as exc:
            raise ConfigError(f"settings {path}: is not UTF-8", hint="save it as UTF-8") from exc
        except BadDocument as exc:
            raise ConfigError(str(exc), hint=exc.hint) from exc
        if not isinstance(values, dict):
            raise ConfigError(f"settings {path}: must be a mapping")
    try:
        settings = Settings(**values)
        given = {key: value for key, value in flags.items() if value is not None}
        for name in POINTING:
            given[name] = filled(given.get(name) or getattr(settings, name), f"settings: {name}")
        settings = settings.model_copy(update=given)
        check_settings(settings)
    except ValidationError as exc:
        mistakes = told(exc.errors(), Settings.model_json_schema())
        said = "; ".join(one for one, _ in mistakes)
        hints = [one.rstrip(".") for _, one in mistakes if one] if len(mistakes) == 1 else []
        every = "`recorder settings sample` shows every setting"
        raise ConfigError(f"settings: {said}", hint="; ".join([*hints, every])) from exc
    except RequestError as exc:
        raise ConfigError(f"settings: {exc}", hint=exc.hint) from exc
    return settings
