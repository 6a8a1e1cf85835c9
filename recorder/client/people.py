"""Signing in; users, tokens, and why somebody may do something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from recorder.client.asked import Moment, moment
from recorder.client.asking import Asking
from recorder.model.keys import check_name

if TYPE_CHECKING:
    from recorder.api import shown as seen
    from recorder.api import shown_people as people


class PeopleAsking(Asking):
    """Asks about who may do what."""

    def sign_in(self, name: str, password: str) -> tuple[seen.ShownMe, str]:
        """Sign in, and ask as this user from now on; return who that is, and the session's word.

        Raises: ``NotKnown``.
        """
        return self._signed_in("/access/login", {"name": name, "password": password})

    def sign_in_by(self, code: str, verifier: str) -> tuple[seen.ShownMe, str]:
        """Sign in with the code that a browser brought from ``/access/oidc/login``; likewise.

        Raises: ``NotKnown``.
        """
        return self._signed_in("/access/oidc/redeem", {"code": code, "verifier": verifier})

    def begin_on_device(self) -> seen.ShownDevice:
        """Begin to sign in by a browser on another machine.  Raises: ``NotFound``."""
        return cast("seen.ShownDevice", self.ask("POST", "/access/oidc/device", None, {}))

    def sign_in_on_device(self, device: str) -> tuple[seen.ShownMe, str] | int:
        """Sign in, if the person has done so in the browser; else the seconds to wait longer.

        Raises: ``NotKnown``.
        """
        me, word = self._signed_in("/access/oidc/device/redeem", {"device": device})
        return (me, word) if word else int(cast("seen.ShownWait", me)["wait_seconds"])

    def _signed_in(self, path: str, body: dict[str, str]) -> tuple[seen.ShownMe, str]:
        answer = self._connection.open("POST", self._connection.address(path), body=body)
        word = answer.headers.get("Set-Cookie", "").partition(";")[0].partition("=")[2]
        self._connection.show(word)
        return cast("seen.ShownMe", self._connection.read(answer)), word

    def sign_out(self) -> None:
        """End the session, or the token, that is shown."""
        self.ask("POST", "/access/logout", None, {})
        self._connection.show("")

    def users(self) -> list[people.ShownAccount]:
        """Return users and services, closed ones too."""
        return cast("list[people.ShownAccount]", self.listed("/access/users"))

    def user(self, name: str) -> people.ShownAccount:
        """Return a user or a service that is open.  Raises: ``NotFound``."""
        return cast("people.ShownAccount", self.ask("GET", _user(name)))

    def put_user(
        self,
        name: str,
        grants: Sequence[Mapping[str, object]],
        kind: str = "user",
        *,
        new: bool = False,
        version: str | None = None,
    ) -> people.ShownAccount:
        """Add a user or a service, or say anew what it may; ``new``: only add.

        ``version``: only where what it may is as it was read (``StaleVersion``).
        """
        headers = {"If-None-Match": "*"} if new else None
        if version is not None:
            headers = {"If-Match": f'"{version}"'}
        body = {"kind": kind, "grants": [dict(one) for one in grants]}
        path = _user(check_name(name, "user"))
        return cast("people.ShownAccount", self.ask("PUT", path, None, body, headers))

    def close_user(self, name: str) -> None:
        """Close an account: what it shows counts no more, its name is never given again."""
        self.ask("DELETE", _user(name))

    def invite_user(self, name: str) -> people.ShownWord:
        """Make the word by which a user sets a password: within a day, once."""
        done = self.ask("POST", f"{_user(name)}/invitation", None, {})
        return cast("people.ShownWord", done)

    def redeem(self, word: str, password: str, name: str | None = None) -> people.ShownAccount:
        """Set a password with the word of an invitation; the first admin says which ``name``."""
        body = {"word": word, "password": password, **({"name": name} if name else {})}
        return cast("people.ShownAccount", self.ask("POST", "/access/redeem", None, body))

    def tokens(
        self, *, user: str | None = None, every: bool = False, sessions: bool = False
    ) -> list[people.ShownCredential]:
        """Return tokens, or ``sessions``, that count: one's own, a user's, or ``every`` one."""
        path = "/access/sessions" if sessions else "/access/tokens"
        found = self.listed(path, {"user": user, "every": every or None})
        return cast("list[people.ShownCredential]", found)

    def add_token(
        self,
        user: str,
        *,
        label: str = "",
        only: Sequence[str] = (),
        lasts: str | None = None,
    ) -> people.ShownWord:
        """Make a token of a user or service; its word is in this answer and nowhere else."""
        body: dict[str, object] = {"user": user, "label": label}
        if lasts is not None:
            body["lasts"] = lasts
        if only:
            body["only"] = list(only)
        return cast("people.ShownWord", self.ask("POST", "/access/tokens", None, body))

    def rotate_token(self, token_id: str, overlap: str = "1h") -> people.ShownWord:
        """Make a token that takes another's place; that one goes on to count for a while."""
        path = f"/access/tokens/{quote(token_id, '')}/rotate"
        return cast("people.ShownWord", self.ask("POST", path, None, {"overlap": overlap}))

    def end_token(self, token_id: str) -> None:
        """End a token or a session."""
        self.ask("DELETE", f"/access/sessions/{quote(token_id, '')}")

    def explain_access(
        self, user: str, action: str, camera: str | None = None, *, purpose: str = ""
    ) -> people.ShownDecision:
        """Return whether somebody may do something now, and why."""
        query = {"user": user, "action": action, "camera": camera, "purpose": purpose or None}
        (found,) = self.ask("GET", "/access/explain", query)
        return cast("people.ShownDecision", found)

    def roles(self) -> list[people.ShownRole]:
        """Return the roles, and the permissions of each."""
        return cast("list[people.ShownRole]", self.ask("GET", "/access/roles"))

    # -- approvals ---------------------------------------------------------------------------

    def ask_approval(
        self, camera: str, action: str, start: Moment, end: Moment, purpose: str
    ) -> seen.ShownApproval:
        """Ask for another person's approval of what one's grants want one for."""
        body = {
            "camera": camera,
            "action": action,
            "start": moment(start),
            "end": moment(end),
            "purpose": purpose,
        }
        return cast("seen.ShownApproval", self.ask("POST", "/approvals", body=body))

    def approvals(self) -> list[seen.ShownApproval]:
        """Return one's own requests and those that one may decide, the newest first."""
        return cast("list[seen.ShownApproval]", self.listed("/approvals"))

    def approve(self, request_id: str, lasts: str = "1h") -> seen.ShownApproval:
        """Approve what somebody else asks for."""
        path = f"/approvals/{quote(request_id, '')}/approve"
        return cast("seen.ShownApproval", self.ask("POST", path, body={"lasts": lasts}))

    def refuse(self, request_id: str, reason: str) -> seen.ShownApproval:
        """Refuse it; or end what was approved."""
        path = f"/approvals/{quote(request_id, '')}/refuse"
        return cast("seen.ShownApproval", self.ask("POST", path, body={"reason": reason}))

    def withdraw(self, request_id: str) -> seen.ShownApproval:
        """Take one's own request back; what was approved ends."""
        path = f"/approvals/{quote(request_id, '')}/withdraw"
        return cast("seen.ShownApproval", self.ask("POST", path, body={}))


def _user(name: str) -> str:
    return f"/access/users/{quote(name, '')}"
