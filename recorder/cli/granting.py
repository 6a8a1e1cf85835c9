"""Where the commands about users, tokens and access get their answers: this node, or a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from recorder.accounts import invitations
from recorder.audit.entry import Subject
from recorder.cli.whom import Here, There, ask
from recorder.model.keys import CameraId, read_camera_id
from recorder.model.timebase import format_instant, parse_duration
from recorder.reading.named import choose

if TYPE_CHECKING:
    from recorder.api.shown_people import ShownAccount, ShownCredential, ShownDecision, ShownWord
    from recorder.cli.context import Context
    from recorder.ports import Credential

Grants = list[dict[str, object]]


class AccessAnswers(Protocol):
    """What the commands about access are answered with."""

    def cameras(self, names: Sequence[str]) -> list[str]:
        """Return the cameras that a grant names, as ``site/camera``: a bare name is this site's."""

    def users(self) -> list[ShownAccount]:
        """Return users and services."""

    def user(self, name: str) -> ShownAccount:
        """Return one that is open.  Raises: ``NotFound``."""

    def add(self, name: str, grants: Grants, kind: str) -> ShownAccount:
        """Add a user or a service.  Raises: ``StaleVersion`` when there is, or was, one."""

    def grant(
        self, name: str, grants: Grants, kind: str, version: str | None = None
    ) -> ShownAccount:
        """Say anew what one may; only where that is of a version.  Raises: ``StaleVersion``."""

    def invite(self, name: str) -> ShownWord:
        """Make the word by which a user sets a password."""

    def redeem(self, word: str, password: str, name: str | None) -> ShownAccount:
        """Set a password with such a word."""

    def close(self, name: str) -> None:
        """Close an account."""

    def tokens(self, *, sessions: bool) -> list[ShownCredential]:
        """Return all tokens, or sessions, that count."""

    def add_token(self, user: str, label: str, only: Sequence[str], lasts: str | None) -> ShownWord:
        """Make a token."""

    def rotate(self, token_id: str, overlap: str) -> ShownWord:
        """Make a token that takes another's place."""

    def end(self, token_id: str) -> None:
        """End a token or a session."""

    def explain(self, user: str, action: str, camera: str | None, purpose: str) -> ShownDecision:
        """Return whether somebody may do something, and why."""

    def roles(self) -> dict[str, list[str]]:
        """Return the roles, and the permissions of each."""


def answers(context: Context) -> AccessAnswers:
    """Return whom the commands ask."""
    return ask(context, AccessHere, AccessThere)


class AccessHere(Here):
    """The node on this machine: its catalog."""

    def cameras(self, names: Sequence[str]) -> list[str]:
        """See :class:`AccessAnswers`."""
        return list(self._app.finder.cameras_of(names, ahead=True))

    def users(self) -> list[ShownAccount]:
        """See :class:`AccessAnswers`."""
        from recorder.accounts.shown import show_account

        return [cast("ShownAccount", show_account(one)) for one in self._app.catalog.accounts.all()]

    def user(self, name: str) -> ShownAccount:
        """See :class:`AccessAnswers`."""
        from recorder.accounts.shown import show_account

        return cast("ShownAccount", show_account(self._app.people.get(name)))

    def add(self, name: str, grants: Grants, kind: str) -> ShownAccount:
        """See :class:`AccessAnswers`."""
        return self._put(name, grants, kind, only_new=True)

    def grant(
        self, name: str, grants: Grants, kind: str, version: str | None = None
    ) -> ShownAccount:
        """See :class:`AccessAnswers`."""
        return self._put(name, grants, kind, expected=version)

    def _put(self, name: str, grants: Grants, kind: str, **how: Any) -> ShownAccount:
        from recorder.accounts.shown import show_account

        with self._doing("user.set", Subject(name=name), grants=grants):
            account, _ = self._app.people.put(name, grants, kind, **how)
        return cast("ShownAccount", show_account(account))

    def invite(self, name: str) -> ShownWord:
        """See :class:`AccessAnswers`."""
        with self._doing("user.invite", Subject(name=name)):
            return _word(*invitations.invite(self._app.people, name))

    def redeem(self, word: str, password: str, name: str | None) -> ShownAccount:
        """See :class:`AccessAnswers`."""
        from recorder.accounts.shown import show_account

        people = self._app.people
        with self._doing(
            "user.redeem", Subject(name=invitations.invited(people, word) or name or "")
        ):
            return cast(
                "ShownAccount", show_account(invitations.redeem(people, word, password, name))
            )

    def close(self, name: str) -> None:
        """See :class:`AccessAnswers`."""
        with self._doing("user.close", Subject(name=name)):
            self._app.people.close(name)

    def tokens(self, *, sessions: bool) -> list[ShownCredential]:
        """See :class:`AccessAnswers`."""
        from recorder.accounts.shown import show_credential

        found = self._app.people.live(None, "session" if sessions else "token")
        return [cast("ShownCredential", show_credential(one)) for one in found]

    def add_token(self, user: str, label: str, only: Sequence[str], lasts: str | None) -> ShownWord:
        """See :class:`AccessAnswers`."""
        lasts_ns, only = parse_duration(lasts, "lasts") if lasts else None, list(only)
        with self._doing("token.add", Subject(name=user), only=only):
            return _word(*self._app.people.add_token(user, label, only or None, lasts_ns))

    def rotate(self, token_id: str, overlap: str) -> ShownWord:
        """See :class:`AccessAnswers`."""
        overlap_ns = parse_duration(overlap, "overlap")
        with self._doing("token.rotate", Subject(name=token_id)):
            return _word(*self._app.people.rotate(token_id, overlap_ns))

    def end(self, token_id: str) -> None:
        """See :class:`AccessAnswers`."""
        with self._doing("session.end", Subject(name=token_id)):
            self._app.people.end(token_id)

    def explain(self, user: str, action: str, camera: str | None, purpose: str) -> ShownDecision:
        """See :class:`AccessAnswers`."""
        from recorder.access.decide import Circumstances
        from recorder.accounts.explained import explain
        from recorder.accounts.known import subject_of

        app = self._app
        meant = app.finder.cameras_of([camera])[0] if camera is not None else None
        subject, when = subject_of(app.people.get(user)), Circumstances(app.clock.now(), purpose)
        (found,) = explain(subject, app.catalog.cameras, action, meant, when)
        return cast("ShownDecision", found)

    def roles(self) -> dict[str, list[str]]:
        """See :class:`AccessAnswers`."""
        from recorder.access.permissions import show_roles

        return show_roles()


def _word(word: str, made: Credential) -> ShownWord:
    return {"id": made.credential_id, "word": word, "expires": format_instant(made.expires, 0)}


def _meant(asked: CameraId, own: str, sites: set[str]) -> CameraId:
    """Say which camera a grant means, which may be named before there is one."""
    if asked.site or not sites:
        return CameraId(asked.site or own, asked.camera)
    return choose(asked.camera, own, sites)


class AccessThere(There):
    """A server, by its API."""

    def cameras(self, names: Sequence[str]) -> list[str]:
        """See :class:`AccessAnswers`."""
        asked = [read_camera_id(one) for one in names]
        if all(one.site for one in asked):
            return [str(one) for one in asked]
        own = self._client.answering()["site"]  # the API takes a bare name as every site's
        sites: dict[str, set[str]] = {}
        for one in self._client.cameras():
            sites.setdefault(one["name"], set()).add(one["site"])
        return [str(_meant(one, own, sites.get(one.camera, set()))) for one in asked]

    def users(self) -> list[ShownAccount]:
        """See :class:`AccessAnswers`."""
        return self._client.users()

    def user(self, name: str) -> ShownAccount:
        """See :class:`AccessAnswers`."""
        return self._client.user(name)

    def add(self, name: str, grants: Grants, kind: str) -> ShownAccount:
        """See :class:`AccessAnswers`."""
        return self._client.put_user(name, grants, kind, new=True)

    def grant(
        self, name: str, grants: Grants, kind: str, version: str | None = None
    ) -> ShownAccount:
        """See :class:`AccessAnswers`."""
        return self._client.put_user(name, grants, kind, version=version)

    def invite(self, name: str) -> ShownWord:
        """See :class:`AccessAnswers`."""
        return self._client.invite_user(name)

    def redeem(self, word: str, password: str, name: str | None) -> ShownAccount:
        """See :class:`AccessAnswers`."""
        return self._client.redeem(word, password, name)

    def close(self, name: str) -> None:
        """See :class:`AccessAnswers`."""
        self._client.close_user(name)

    def tokens(self, *, sessions: bool) -> list[ShownCredential]:
        """See :class:`AccessAnswers`."""
        return self._client.tokens(every=True, sessions=sessions)

    def add_token(self, user: str, label: str, only: Sequence[str], lasts: str | None) -> ShownWord:
        """See :class:`AccessAnswers`."""
        return self._client.add_token(user, label=label, only=only, lasts=lasts)

    def rotate(self, token_id: str, overlap: str) -> ShownWord:
        """See :class:`AccessAnswers`."""
        return self._client.rotate_token(token_id, overlap)

    def end(self, token_id: str) -> None:
        """See :class:`AccessAnswers`."""
        self._client.end_token(token_id)

    def explain(self, user: str, action: str, camera: str | None, purpose: str) -> ShownDecision:
        """See :class:`AccessAnswers`."""
        return self._client.explain_access(user, action, camera, purpose=purpose)

    def roles(self) -> dict[str, list[str]]:
        """See :class:`AccessAnswers`."""
        return {one["role"]: one["permissions"] for one in self._client.roles()}
