"""What the gateway answers instead of a completion: every refusal in the shape of OpenAI's errors."""

import math
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.responses import JSONResponse

from brand_voice.errors import ServeError

INVALID = "invalid_request_error"
CLIENT_GONE = 499
"""What the log says of a request whose client did not wait; nginx's number."""


class RefusedError(ServeError):
    """A request that is not answered with a text; `code` is for programs."""

    def __init__(
        self, status: int, message: str, *, code: str, remedy: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s

    def response(self) -> JSONResponse:
        """The answer a client gets."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status, headers=headers)

    def body(self) -> dict[str, Any]:
        """The error object, which a stream that broke off ends with, too."""
        return error_body(self.status, f"{self.message} (try: {self.remedy})", self.code)


def error_body(status: int, message: str, code: str) -> dict[str, Any]:
    """OpenAI's error object."""
    kind = INVALID if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class Unserved(NamedTuple):
    """A path or method that is not there."""

    status: int
    method: str
    path: str

    def response(self) -> JSONResponse:
        """The answer a client gets; its own words come back short."""
        message = f"there is no {self.method[:10]} {self.path[:80]!r} here"
        return JSONResponse(error_body(self.status, message, "not_found"), self.status)


def bad_request(message: str, remedy: str, *, code: str = "invalid_value") -> RefusedError:
    """400: the request itself is wrong."""
    return RefusedError(HTTPStatus.BAD_REQUEST, message, code=code, remedy=remedy)


def unavailable(message: str, retry_after_s: float) -> RefusedError:
    """503: no engine answers now."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        message,
        code="engine_unavailable",
        remedy="send it again after Retry-After",
        retry_after_s=retry_after_s,
    )


def too_late(seconds: float) -> RefusedError:
    """504: the deadline is over."""
    return RefusedError(
        HTTPStatus.GATEWAY_TIMEOUT,
        f"no answer within {seconds:g} s",
        code="timeout",
        remedy="ask for fewer tokens, or raise gateway.deadline_s",
    )


def engine_failed(what: str) -> RefusedError:
    """502: the engine answered with something that is no answer."""
    return RefusedError(
        HTTPStatus.BAD_GATEWAY, f"the engine failed: {what}", code="engine_error", remedy="send it again"
    )
