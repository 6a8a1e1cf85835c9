"""Errors as answers: RFC 9457 problems, whatever broke."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recorder.api.known import allowed_methods
from recorder.api.schemas import CleanJson
from recorder.errors import RecorderError
from recorder.model.secrets import mask
from recorder.model.unknown import in_words

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


def _on_error(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RecorderError)  # noqa: S101 - registered for this class
    return problem_of(exc)


def _on_invalid(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - registered for this class
    said = "; ".join(
        f"{'.'.join(str(part) for part in error['loc'][1:])}: {in_words(error)}"
        for error in exc.errors()
    )
    return problem(400, "RequestError", said, "see /docs for what this address takes", False)


def _on_http(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)  # noqa: S101 - registered for this class
    names = {404: "NotFound", 405: "MethodNotAllowed"}
    answer = problem(
        exc.status_code,
        names.get(exc.status_code, "RequestError"),
        str(exc.detail),
        "see /docs for the addresses there are",
        False,
    )
    answer.headers.update(exc.headers or {})
    if exc.status_code == 405:
        answer.headers["Allow"] = allowed_methods(request)
    return answer


def answer_errors(api: FastAPI) -> None:
    """Have an application answer errors as problems."""
    api.add_exception_handler(RecorderError, _on_error)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.add_exception_handler(HTTPException, _on_http)
    api.add_middleware(Faults)


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
            log.exception("request broke", extra=where)
            said = f"{scope['method']} {scope['path'][:200]}: {type(exc).__name__}"
            hint = "this is a mistake of the recorder's own: its log says more"
            await problem(500, "RecorderError", said, hint, False)(scope, receive, send)
