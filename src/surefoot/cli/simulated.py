"""How an account at a simulated exchange is written in `surefoot.toml`."""

from __future__ import annotations

import json
import re
from typing import Final

from surefoot.core.errors import InvalidValue
from surefoot.simulator import Settings

_ADDRESS: Final = re.compile(r"http://[^\s/]+")


def account_at(url: str, settings: Settings | None = None) -> str:
    """Return the tables of an account at a simulated exchange; its keys are worth nothing.

    Raises:
        InvalidValue: it is no address such as `surefoot sim` prints.
    """
    if not _ADDRESS.fullmatch(url):
        raise InvalidValue("expected the address that `surefoot sim` prints: http://127.0.0.1:PORT")
    settings = settings or Settings()
    sockets = url.replace("http", "ws", 1)
    urls = {
        "public": f"{url}/api/v3",
        "private": f"{url}/api/v3",
        "sapi": f"{url}/sapi/v1",
        "ws.spot": f"{sockets}/stream/ws",
        "ws.ws-api.spot": f"{sockets}/ws-api/v3",
    }
    lines = [
        "[accounts.main]",
        'exchange = "binance"',
        f"api_key = {json.dumps(settings.key)}",
        f"secret = {json.dumps(settings.secret)}",
        "[accounts.main.ccxt]",
        *(f"urls.api.{key} = {json.dumps(value)}" for key, value in urls.items()),
    ]
    return "\n".join(lines)
