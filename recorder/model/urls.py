"""URLs that anybody may have written.  Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_url(text: str) -> SplitResult:
    """Take a URL apart; what cannot be taken apart has no scheme and no host.

    >>> split_url("http://a:8600/x").hostname
    'a'
    >>> [split_url(text).hostname for text in ("http://[::1", "http://a:99999", "http://a:x")]
    [None, None, None]
    """
    try:
        parts = urlsplit(text)
        _ = (parts.hostname, parts.port)  # are looked at when they are asked for
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts
