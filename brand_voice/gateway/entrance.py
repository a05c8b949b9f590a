"""Who is let in: which names the gateway answers to, whose keys, how many a minute, how many at a time.

Nothing here reads a request's body. Without any key the gateway is open to this machine alone, so pages of other sites
are kept out by `Host` (DNS rebinding) and `Origin`; no answer carries a CORS header.
"""

import ipaddress
import time
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from brand_voice.api_keys import ApiKey, Pace, key_hash
from brand_voice.chat import LOOPBACK
from brand_voice.gateway.live_view import LiveView
from brand_voice.gateway.refusals import RefusedError, unavailable
from brand_voice.settings import GatewaySettings

PORTS = {"http": 80, "https": 443}
NOBODY = ApiKey(name="")
"""Stands for whoever asks while there are no keys."""


class Entrance:
    """ASGI middleware around the whole gateway: every request's `Host` and `Origin`, and room for it."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings) -> None:
        self._app = app
        self._names = LOOPBACK | {settings.host.lower(), *(host.lower() for host in settings.hosts)}
        self._takes_addresses = settings.host not in LOOPBACK
        self._room = settings.max_in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        refused = self._refused(Headers(scope=scope)) if scope["type"] == "http" else None
        is_counted = scope["type"] == "http" and scope["method"] == "POST"
        self._room -= is_counted
        try:
            if refused is None and self._room < 0:
                refused = unavailable("too many requests at a time", 1.0)
            await (refused.response() if refused else self._app)(scope, receive, send)
        finally:
            self._room += is_counted

    def _refused(self, headers: Headers) -> RefusedError | None:
        named, origin = headers.get("host", ""), headers.get("origin")
        host, _ = _place(f"//{named}")
        if not self._is_ours(host):
            return RefusedError(
                HTTPStatus.FORBIDDEN,
                f"this gateway does not answer to the host {host[:80]!r}",
                code="wrong_host",
                remedy="use its own address, or add the name to gateway.hosts",
            )
        if origin is not None and _place(origin) != _place(f"{origin.partition('://')[0]}://{named}"):
            return RefusedError(
                HTTPStatus.FORBIDDEN,
                "this request came from another site's page",
                code="wrong_origin",
                remedy="send it from a server of yours",
            )
        return None

    def _is_ours(self, host: str) -> bool:
        return host in self._names or (self._takes_addresses and _is_address(host))


class Admission:
    """Keys and their limits; for the event loop's thread."""

    def __init__(self, view: LiveView, settings: GatewaySettings) -> None:
        self._view = view
        self._needs_key = is_reached(settings)
        self._pace = Pace(time.monotonic)

    def who(self, headers: Headers) -> ApiKey:
        """Whose key this is.

        Raises:
            RefusedError: no key, or one that is not good.
        """
        keys = self._view.keys()
        if not keys and not self._needs_key:
            return NOBODY
        scheme, _, given = headers.get("authorization", "").partition(" ")
        key = keys.get(key_hash(given.strip())) if scheme.lower() == "bearer" else None
        if key is None or not key.is_active:
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                "no valid API key",
                code="invalid_api_key",
                remedy="send `Authorization: Bearer KEY`; brand-voice keys add NAME makes one",
            )
        return key

    def admit(self, headers: Headers) -> ApiKey:
        """Whose key this is, once it may ask again.

        Raises:
            RefusedError: no good key, or it asked too often.
        """
        key = self.who(headers)
        wait_s = self._pace.wait_s(key)
        if wait_s:
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{key.name} may ask {key.per_minute} times a minute",
                code="rate_limit_exceeded",
                remedy="send it again after Retry-After",
                retry_after_s=wait_s,
            )
        return key


def is_reached(settings: GatewaySettings) -> bool:
    """Whether others than this machine's users can ask: through its address, or through a proxy that names it."""
    return settings.host not in LOOPBACK or bool(settings.hosts)


def _place(url: str) -> tuple[str, int | None]:
    """Host and port; another port is another site."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return "", None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
