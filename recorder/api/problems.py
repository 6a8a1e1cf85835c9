"""Errors as answers: RFC 9457 problems, whatever broke."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recorder.api.clean_json import CleanJson
from recorder.errors import RecorderError
from recorder.model.secrets import mask

log = logging.getLogger("recorder.api")


def problem(
    status: int, name: str, detail: str, hint: str, retryable: bool, retry_after_s: int = 5
) -> JSONResponse:
    """Make an RFC 9457 answer."""
    body = {
        "type": f"urn:spanstore:{name}",
        "title": name,
        "status": status,
        "detail": mask(detail),
        "hint": mask(hint) or None,
        "retryable": retryable,
    }
    headers = {"Retry-After": str(retry_after_s)} if retryable else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return CleanJson(body, status, headers, media_type="application/problem+json")


def problem_of(exc: RecorderError) -> JSONResponse:
    """Make an answer of an error of ours."""
    name, said = type(exc).__name__, (str(exc), exc.hint)
    return problem(exc.http_status, name, *said, exc.retryable, exc.retry_after_s)


class Faults:
    """Answers what nobody thought of: a middleware.  The connection goes on.

    An error that comes when the answer has begun breaks it off: the client must see that.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.inner(scope, receive, noting)
        except ClientDisconnect:
            log.debug("client went away", extra={"path": str(scope.get("path", ""))[:200]})
        except Exception as exc:
            if begun or scope["type"] != "http":
                raise
            if isinstance(exc, RecorderError):  # of a guard, further out than the routes
                await problem_of(exc)(scope, receive, send)
                return
            where = {"method": scope["method"], "path": scope["path"][:200]}
            if isinstance(exc, OSError):  # of a disk, or no descriptor is left
                log.error("request broke", extra={**where, "reason": str(exc)})
                said = f"{scope['method']} {scope['path'][:200]}: {exc.strerror or exc}"
                hint = "this node's disk, or what it may have open, refuses: `recorder doctor`"
                await problem(503, "UnavailableError", said, hint, True)(scope, receive, send)
                return
            log.exception("request broke", extra=where)
            said = f"{scope['method']} {scope['path'][:200]}: {type(exc).__name__}"
            hint = "this is a mistake of the recorder's own: its log says more"
            await problem(500, "RecorderError", said, hint, False)(scope, receive, send)
