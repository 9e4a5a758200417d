"""Who may do what: one secret in a file, tokens for less made from it, and sessions.

Nothing is stored but the file: tokens and sessions are checked by computing them again, so they
survive a restart of this process, and a new secret ends all of them at once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct

from surefoot.core.errors import SurefootError

SESSION_LASTS: Final = timedelta(days=7)
_BYTES: Final = 32
_MINIMUM: Final = 22  # characters of base64 that hold 128 bits
_SESSION: Final = re.compile(r"(read|operate|admin)\.(\d{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})")


class TokenUnusable(SurefootError):
    """The token file cannot be trusted; the message says what to do."""


class Scope(StrEnum):
    """What somebody may do; each includes the ones before it."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def covers(self, wanted: Scope) -> bool:
        """Tell whether this is enough for that."""
        order = tuple(Scope)
        return order.index(self) >= order.index(wanted)


class Session(Struct, frozen=True, kw_only=True):
    """A browser that has shown a token; `proof` must come with whatever it changes."""

    scope: Scope
    expires_at: datetime
    proof: str


class Keys:
    """Reads the file anew each time, so that another secret holds from the next request on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ensure(self) -> None:
        """Draw a secret if there is none yet.

        Raises:
            TokenUnusable: the file cannot be written, or others may read it.
        """
        if not self._path.exists():
            try:
                self._draw()
            except OSError as error:
                raise TokenUnusable(f"{self._path} cannot be written: {error.strerror}") from error
        self._secret()

    def renew(self) -> None:
        """Draw another secret: every token and session so far is void."""
        self._path.unlink(missing_ok=True)
        self.ensure()

    def _draw(self) -> None:
        """Put a whole file in its place, or leave the one that somebody else just put there."""
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(file, "w") as output:
                output.write(f"{secrets.token_urlsafe(_BYTES)}\n")
            with suppress(FileExistsError):
                os.link(new, self._path)
        finally:
            new.unlink()

    def token(self, scope: Scope) -> str:
        """Return the token for a scope."""
        secret = self._secret()
        return secret if scope is Scope.ADMIN else f"{scope}-{_mac(secret, 'token', scope)}"

    def scope_of(self, token: str) -> Scope | None:
        """Return what a token allows, or None if it is none of ours."""
        given = token.encode()
        found = None
        for scope in Scope:
            if hmac.compare_digest(given, self.token(scope).encode()):
                found = scope
        return found

    def open_session(self, scope: Scope, now: datetime) -> str:
        """Return the value of a session's cookie."""
        until = int((now + SESSION_LASTS).timestamp())
        content = f"{scope}.{until}.{secrets.token_hex(16)}"
        return f"{content}.{_mac(self._secret(), 'session', content)}"

    def session(self, cookie: str, now: datetime) -> Session | None:
        """Return the session of a cookie, or None if it is forged or over."""
        parts = _SESSION.fullmatch(cookie)
        if parts is None:
            return None
        content = cookie.rpartition(".")[0]
        secret = self._secret()
        if not hmac.compare_digest(parts[4], _mac(secret, "session", content)):
            return None
        expires_at = datetime.fromtimestamp(int(parts[2]), UTC)
        if now >= expires_at:
            return None
        proof = _mac(secret, "proof", cookie)
        return Session(scope=Scope(parts[1]), expires_at=expires_at, proof=proof)

    def _secret(self) -> str:
        try:
            with self._path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(1000)
        except OSError as error:
            raise TokenUnusable(
                f"{self._path} cannot be read ({error.strerror}); `surefoot token` makes one"
            ) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise TokenUnusable(f"others may read {self._path}; run: chmod 600 {self._path}")
        secret = content.decode("ascii", errors="replace").strip()
        if len(secret) < _MINIMUM:
            raise TokenUnusable(f"{self._path} holds no token; `surefoot token --new` makes one")
        return secret


def _mac(secret: str, purpose: str, content: str) -> str:
    return hmac.new(secret.encode(), f"{purpose}|{content}".encode(), hashlib.sha256).hexdigest()
