"""The door of an app with people: nothing but the sign-in page is given to anybody who is not signed in.

Gradio checks passwords through `Door.admit` and keeps who is signed in. `Gate` stands before all of its routes, of
which many would answer strangers (6.31: its own sign-in page describes every event to them, with brands and products),
and other sites' pages, which Gradio trusts as soon as the app is not on this machine alone.
"""

import asyncio
import math
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from brand_voice.people import Throttle, is_right
from brand_voice.store.staff import Staff
from brand_voice.ui.sign_in import SIGN_IN_PAGE

OPEN_PATHS = ("/login", "/login/", "/logout", "/favicon.ico", "/robots.txt", "/gradio_api/startup-events")
"""Open to strangers; the last one is how Gradio's `launch` starts its own queue, and does nothing afterwards."""


class Door:
    """Who is let in: Gradio calls `admit` for every sign-in."""

    def __init__(self, staff: Staff, throttle: Throttle | None = None) -> None:
        self._staff = staff
        self._throttle = throttle or Throttle()
        self._turn = asyncio.Lock()  # one hash at a time: each takes 32 MiB, and failures are counted in order

    async def admit(self, name: str, password: str) -> bool:
        """Whether this is the password of an active person.

        Raises:
            HTTPException: too many wrong ones came before; the password was not looked at.
        """
        async with self._turn:
            wait_s = math.ceil(self._throttle.wait_s(name))
            if wait_s:
                told = f"Too many wrong passwords. Wait {wait_s} seconds, then try again."
                raise HTTPException(429, told, headers={"Retry-After": str(wait_s)})
            kept = self._staff.password_hash(name)
            if not await asyncio.to_thread(is_right, password, kept):
                self._throttle.failed(name)
                return False
            self._throttle.succeeded(name)
            return True


class SignIns(dict[str, str]):
    """Names by session token, as Gradio keeps them; a token is worth nothing once its person is removed or has another
    password. Names are told as they are stored, however they were typed.
    """

    def __init__(self, staff: Staff) -> None:
        super().__init__()
        self._staff = staff
        self._hashes: dict[str, str | None] = {}

    def __setitem__(self, token: str, name: str) -> None:
        person = self._staff.person(name)
        self._hashes[token] = self._staff.password_hash(name)
        super().__setitem__(token, person.name if person else name)

    def get(self, token: str | None, default: Any = None) -> Any:
        """Who is signed in under a token."""
        name = super().get(token) if token else None
        if name is None:
            return default
        kept = self._staff.password_hash(name)
        return name if kept is not None and kept == self._hashes[token or ""] else default


class Gate:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, staff: Staff) -> None:
        self._app = app
        self._staff = staff

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        refused = self._refused(scope) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        request, gradio = Request(scope), scope["app"]
        if not isinstance(gradio.tokens, SignIns):
            gradio.tokens = SignIns(self._staff)
        if _is_from_elsewhere(request):
            return JSONResponse({"detail": "This request came from another site's page."}, 403)
        cookies = (f"access-token-{gradio.cookie_id}", f"access-token-unsecure-{gradio.cookie_id}")
        if any(gradio.tokens.get(request.cookies.get(cookie)) for cookie in cookies):
            return None
        if scope["path"] in OPEN_PATHS:
            return None
        if scope["path"] == "/":
            return HTMLResponse(SIGN_IN_PAGE, headers={"Cache-Control": "no-store"})
        return JSONResponse({"detail": "You are not signed in. Reload the page."}, 401)


def _is_from_elsewhere(request: Request) -> bool:
    """Whether another site's page sent this. A proxy in front has to pass the `Host` header on."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).hostname != request.url.hostname
