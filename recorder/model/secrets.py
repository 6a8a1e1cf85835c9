"""Secrets in URLs: taken out of whatever is shown.  Pure.

What cannot be taken apart for sure is not shown: at most ``scheme://…`` is left of it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

MASK = "********"
ENCODE = (
    "in a user name or password write '@' as %40, '/' as %2F, ':' as %3A, '?' as %3F, '#' as %23, "
    "'%' as %25; or give credentials apart"
)
"""What to do about a URL that cannot be taken apart."""

# each takes a run of letters whole, also where it is nothing of ours: text that others write may be
# long, and must not be looked through anew from each of its letters
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+)(?:://(\S*))?")
_HOST = re.compile(r"(?:\[[0-9A-Za-z:.%_-]*\]|[\w.*-]*)(?::\d{0,5})?[:;,.)\]}'\">|]*")
_WORDS = (
    "pass|pwd|psw|token|secret|auth|key|sig|cred|sess|login|user|usr|uname|account|hash|streamid"
    "|jwt|bearer|ticket|verif"
)
_SECRET_NAME = re.compile(
    rf"(?i){_WORDS}|\b(?:sid|pw|v?code|p|pin|otp|pas|tok|mdp|senha|kennwort)\W*$"
)
_PAIR = re.compile(
    r"([\w%.\[\]-]++)(?:=([^&;\s]*?)"
    r"(?=_(?:channel|stream|real_stream|user|username|password|passwd|pwd|onvif)=|[&;\s]|$))?"
)
_LOOSE = re.compile(rf"(?i)([?&_](?:{_WORDS})\w*+)(?:=[^&;\s]+)?")


def mask(text: str) -> str:
    """Take credentials out of any text that may hold URLs.

    >>> mask("open rtsp://u:p@10.0.0.9/x?token=abc&a=1 failed")
    'open rtsp://10.0.0.9/x?token=********&a=1 failed'
    >>> mask("rtsp://10.0.0.9/user=admin_password=tlJw_channel=1_stream=0.sdp")
    'rtsp://10.0.0.9/user=********_password=********_channel=1_stream=0.sdp'
    >>> mask("rtsp://admin:1234/SECRET@10.0.0.9/x")
    'rtsp://…'
    """
    shown, at = [], 0
    for found in _URL.finditer(text):
        if found[2] is not None:
            shown += [_LOOSE.sub(_loose, text[at : found.start()]), _shown(found[1], found[2])]
            at = found.end()
    return "".join([*shown, _LOOSE.sub(_loose, text[at:])])


def _loose(pair: re.Match[str]) -> str:
    return pair[0] if pair[0] == pair[1] else f"{pair[1]}={MASK}"


def _shown(scheme: str, rest: str) -> str:
    cut = re.search(r"[/?#]", rest)
    authority, tail = (rest[: cut.start()], rest[cut.start() :]) if cut else (rest, "")
    userinfo, at, host = authority.rpartition("@")
    if "@" in tail or _HOST.fullmatch(host) is None:
        return f"{scheme}://…"  # what stands before may be half a password
    return f"{scheme}://{'' if userinfo else at}{host}{_PAIR.sub(_hide, tail)}"


def _hide(pair: re.Match[str]) -> str:
    if pair[2] is None:
        return pair[0]
    value = unquote(pair[2])
    another = "://" in value and "@" in value  # where a relay gets it from
    secret = bool(value) and (another or _SECRET_NAME.search(unquote(pair[1])) is not None)
    return f"{pair[1]}={MASK if secret else pair[2]}"
