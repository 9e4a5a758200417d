"""What every request must pass before a route sees it. What is not named as public is refused.

The name in `Host` defends against DNS rebinding, `Origin` and the session's proof against other
pages in the same browser: a cookie is shared by all ports of a host, so another program's page on
this machine would send ours along. A bearer token is never sent by a browser on its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from typing import Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from surefoot.journal.clock import Clock
from surefoot.web.keys import Keys, Scope, TokenUnusable
from surefoot.web.throttle import Throttle

COOKIE: Final = "surefoot_session"
PROOF_HEADER: Final = "x-surefoot-proof"
SESSION_PATH: Final = "/api/v1/session"
BODY_MAX: Final = 16_384
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Everything here needs a token; the rest are the dashboard's files and two words of health.
GUARDED: Final = ("/api", "/metrics")

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS: Final = {
    "content-security-policy": CONTENT_POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_FROM_HERE: Final = frozenset({"same-origin", "none"})


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """What a request has shown: its scope, and whether that came from a browser's session."""

    scope: Scope
    session: bool


class Refused(Exception):
    """A request stops here, with a status and a sentence."""

    def __init__(self, status: int, why: str, *, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.wait_s = wait_s


class Guard:
    """Stands before the application."""

    def __init__(
        self, app: ASGIApp, *, keys: Keys, names: Collection[str], throttle: Throttle, clock: Clock
    ) -> None:
        self._app = app
        self._keys = keys
        self._names = frozenset(names)
        self._origins = frozenset(f"{kind}://{n}" for n in names for kind in ("http", "https"))
        self._throttle = throttle
        self._clock = clock

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it with a refusal."""
        if connection["type"] == "lifespan":
            await self._app(connection, receive, send)
            return
        try:
            shown = self._examined(connection)
        except Refused as refusal:
            await _refuse(connection, send, refusal)
            return
        connection.setdefault("state", {})["shown"] = shown
        await self._app(connection, receive, _with_headers(connection, send))

    def _examined(self, connection: Connection) -> Pass | None:
        headers = {key.decode("latin-1"): value.decode("latin-1")
                   for key, value in connection["headers"]}  # fmt: skip
        if headers.get("host", "").lower() not in self._names:
            raise Refused(421, "this server does not answer to that host name")
        path, method = connection["path"], connection.get("method", "WEBSOCKET")
        unsafe = method not in SAFE
        origin = headers.get("origin")
        if unsafe and origin is not None and origin.lower() not in self._origins:
            raise Refused(403, "this request comes from another page")
        if method not in SAFE | {"WEBSOCKET"}:
            _check_size(headers)
        if not path.startswith(GUARDED):
            return None
        if headers.get("sec-fetch-site", "none") not in _FROM_HERE:
            raise Refused(403, "this request comes from another page")
        if path == SESSION_PATH and method == "POST":
            return None
        return self._authorised(connection, headers, unsafe=unsafe)

    def _authorised(
        self, connection: Connection, headers: Mapping[str, str], *, unsafe: bool
    ) -> Pass:
        try:
            bearer = headers.get("authorization", "").partition(" ")
            if bearer[0].lower() == "bearer":
                return Pass(scope=self.check(bearer[2].strip(), connection), session=False)
            return self._of_session(connection, headers, unsafe=unsafe)
        except TokenUnusable as error:
            raise Refused(503, str(error)) from error

    def check(self, token: str, connection: Connection) -> Scope:
        """Return what a token allows, and count one that is wrong.

        Raises:
            Refused: it is wrong, or too many were.
        """
        address = (connection.get("client") or ("unknown",))[0]
        wait_s = self._throttle.wait_s(address, self._clock.monotonic())
        if wait_s:
            raise Refused(429, "too many wrong tokens; wait a while", wait_s=wait_s)
        found = self._keys.scope_of(token)
        if found is None:
            self._throttle.failed(address, self._clock.monotonic())
            raise Refused(401, "this token is not known here; `surefoot token` prints it")
        return found

    def _of_session(
        self, connection: Connection, headers: Mapping[str, str], *, unsafe: bool
    ) -> Pass:
        cookie = cookie_of(headers.get("cookie", ""))
        session = None if cookie is None else self._keys.session(cookie, self._clock.now())
        if session is None:
            raise Refused(401, "a token is needed; `surefoot token` prints it")
        if unsafe and "origin" not in headers:
            raise Refused(403, "a browser says from which page a request comes")
        if unsafe and connection["type"] == "http":
            given = headers.get(PROOF_HEADER, "")
            if not compare_digest(given.encode(), session.proof.encode()):
                raise Refused(403, f"the header {PROOF_HEADER} of this session is missing")
        return Pass(scope=session.scope, session=True)


def cookie_of(header: str) -> str | None:
    """Return the session's cookie, or None."""
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _check_size(headers: Mapping[str, str]) -> None:
    length = headers.get("content-length", "0" if "transfer-encoding" not in headers else "")
    if not length.isascii() or not length.isdigit():
        raise Refused(411, "say how long the body is")
    if int(length) > BODY_MAX:
        raise Refused(413, f"a body has at most {BODY_MAX} bytes")


def _with_headers(connection: Connection, send: Send) -> Send:
    guarded = connection["path"].startswith(GUARDED)

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_security(no_store=guarded)]
        await send(message)

    return sent


def _security(*, no_store: bool) -> list[tuple[bytes, bytes]]:
    found = HEADERS | ({"cache-control": "no-store"} if no_store else {})
    return [(key.encode(), value.encode()) for key, value in found.items()]


async def _refuse(connection: Connection, send: Send, refusal: Refused) -> None:
    if connection["type"] == "websocket":
        # Closing what was never accepted is an HTTP 403 on the wire.
        await send({"type": "websocket.close", "code": 4000 + refusal.status % 1000})
        return
    headers = [(b"content-type", b"application/json"), *_security(no_store=True)]
    if refusal.status == 401:  # noqa: PLR2004 (what HTTP calls it)
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.wait_s is not None:
        headers.append((b"retry-after", str(math.ceil(refusal.wait_s)).encode()))
    body = msgspec.json.encode({"error": str(refusal)})
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
