"""Where the dashboard listens, and to which names it answers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from surefoot.core.errors import InvalidValue

DEFAULT_LISTEN: Final = "127.0.0.1:8770"
_PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """What `[web]` says; `names` are further host names, for a proxy in front."""

    enabled: bool
    host: str
    port: int
    names: tuple[str, ...] = ()

    @property
    def loopback(self) -> bool:
        """Tell whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """Return the address for a browser on this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = "127.0.0.1" if host in {"0.0.0.0", "[::]"} else host  # noqa: S104 (only compared)
        return f"http://{shown}:{self.port}"

    @property
    def exposure(self) -> str | None:
        """Say what another address than loopback exposes; None on loopback."""
        if self.loopback:
            return None
        return (
            f"the dashboard listens on {self.host}:{self.port}: whoever reaches this address and "
            f"has the token sees every position and can close it, and the token travels "
            f"unencrypted unless a TLS proxy stands in front"
        )


def read_listen(text: str) -> tuple[str, int]:
    """Return the host and the port of an address such as `127.0.0.1:8770` or `[::1]:8770`.

    Raises:
        InvalidValue: it is none.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        raise InvalidValue(f'expected "HOST:PORT" such as "{DEFAULT_LISTEN}"')
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if host != "localhost":
            raise InvalidValue("expected an IP address or localhost before the port") from None
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own."""
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def token_file(journal: Path) -> Path:
    """Return where the API's token lies: beside the journal."""
    return journal.with_name("surefoot.token")
