"""Bits of a raw byte sequence payload.  Pure.

Source: ITU-T H.264 sections 7.4.1 (emulation prevention) and 9.1 (Exp-Golomb codes); H.265
section 9.2 has the same.
"""

from __future__ import annotations

from recorder.errors import MalformedMedia


def unescaped(body: bytes) -> bytes:
    """Take the emulation prevention bytes out of a NAL unit."""
    return body.replace(b"\0\0\3", b"\0\0")


class Bits:
    """Reads bits from the first on; past the end is ``MalformedMedia``."""

    def __init__(self, body: bytes) -> None:
        self.value, self.left = int.from_bytes(body, "big"), 8 * len(body)

    def u(self, count: int) -> int:
        """Read a number of so many bits."""
        self.left -= count
        if self.left < 0:
            raise MalformedMedia("parameter set is cut off")
        return self.value >> self.left & ((1 << count) - 1)

    def ue(self) -> int:
        """Read an Exp-Golomb number.

        >>> Bits(bytes([0b00101100])).ue()
        4
        """
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 31:
                raise MalformedMedia("parameter set holds no number where one belongs")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Read a signed Exp-Golomb number."""
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)
