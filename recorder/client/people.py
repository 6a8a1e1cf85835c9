"""Signing in; users, tokens, and why somebody may do something."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from recorder.client.asking import Asking

if TYPE_CHECKING:
    from recorder.api import shown as seen


class PeopleAsking(Asking):
    """Asks about who may do what."""

    def sign_in(self, name: str, password: str) -> tuple[seen.ShownMe, str]:
        """Sign in, and ask as this user from now on; return who that is, and the session's word.

        Raises: ``NotKnown``.
        """
        address = self._connection.address("/access/login")
        body = {"name": name, "password": password}
        answer = self._connection.open("POST", address, body=body)
        word = answer.headers.get("Set-Cookie", "").partition(";")[0].partition("=")[2]
        self._connection.show(word)
        return cast("seen.ShownMe", self._connection.read(answer)), word

    def sign_out(self) -> None:
        """End the session, or the token, that is shown."""
        self.ask("POST", "/access/logout", None, {})
        self._connection.show("")
