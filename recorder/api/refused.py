"""What routes raise, and what FastAPI refuses by itself, as problems."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from recorder.api.known import allowed_methods
from recorder.api.problems import Faults, problem, problem_of
from recorder.errors import RecorderError
from recorder.model.unknown import in_words


def _on_error(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RecorderError)  # noqa: S101 - registered for this class
    return problem_of(exc)


def _on_invalid(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - registered for this class
    return problem_of_words(exc)


def problem_of_words(exc: RequestValidationError) -> JSONResponse:
    """Make an answer of words of an address, or a body, that are not what they should be."""
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
    api.add_middleware(Faults)  # before FastAPI's own words for what it did not expect
