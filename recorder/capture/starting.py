"""Why this node cannot record a stream: what its system said, named.  Pure."""

from __future__ import annotations

import errno

from recorder.errors import KeyMissing, NoThread, SpoolFull

FULL = (errno.ENOSPC, errno.EDQUOT)
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FAILING = (
    *(errno.EIO, errno.ESTALE, errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV),
    *(errno.ENOTCONN, errno.EUCLEAN, errno.EBADMSG, errno.ETIMEDOUT),
)
_NO_PROGRAM = (errno.EACCES, errno.EPERM, errno.ENOEXEC)


def condition_of(exc: Exception, *, program: bool = False) -> str:
    """Name the condition; ``program``: it is ffmpeg that could not be started, not the spool.

    Only a disk without room is ``spool-full``.
    """
    if isinstance(exc, SpoolFull):
        return "spool-full"
    if isinstance(exc, KeyMissing):
        return "no-key"
    if isinstance(exc, (NoThread, MemoryError)):
        return "no-resources"
    number = exc.errno if isinstance(exc, OSError) else None
    if number in FULL:
        return "spool-full"
    if number in _SCARCE:
        return "no-resources"
    if program and number == errno.ENOENT:
        return "no-program"
    if program and number in _NO_PROGRAM:
        return "program-refused"
    if not program and number in _REFUSED:
        return "spool-refused"
    if not program and number in _FAILING:
        return "spool-failing"
    return "cannot-start"
