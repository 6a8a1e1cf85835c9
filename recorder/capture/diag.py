"""Whose a connection is, asked of the kernel itself: where ``/proc`` is not, or of others.

Source: sock_diag(7), one socket by its ends; netlink(7).
"""

from __future__ import annotations

import errno
import os
import socket
import struct

_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_HEAD = struct.Struct("=IHHII")
"""Length, kind, flags, number, process."""
_ASKED = struct.Struct("=BBBxI2H16s16sIII")
"""Family, protocol, extensions, states; network order: ports; addresses; interface, cookie."""
_UID_AT = 4 + (4 + 32 + 12) + 12
"""Behind state, the ends and three numbers."""
_LOOPBACK = socket.inet_aton("127.0.0.1") + bytes(12)
_ANY = 0xFFFFFFFF
PATIENCE_S = 2.0


def owner_of(port: int, to: int) -> int | None:
    """Return whose end of a connection on loopback is at ``port``; ``None`` where there is none.

    Raises: ``OSError`` where the kernel does not say.
    """
    ends = (socket.htons(port), socket.htons(to), _LOOPBACK, _LOOPBACK)
    asked = _ASKED.pack(
        socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY, *ends, 0, _ANY, _ANY
    )  # fmt: skip
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(PATIENCE_S)
        kernel.connect((0, 0))
        kernel.send(_HEAD.pack(_HEAD.size + len(asked), _BY_FAMILY, _REQUEST, 1, 0) + asked)
        said = kernel.recv(4096)
    _, kind, *_ = _HEAD.unpack_from(said)
    if kind != _BY_FAMILY:  # an error's number, negative
        number = -int(struct.unpack_from("=i", said, _HEAD.size)[0])
        if number == errno.ENOENT:
            return None
        raise OSError(number, os.strerror(number))
    (uid,) = struct.unpack_from("=I", said, _HEAD.size + _UID_AT)
    return int(uid)
