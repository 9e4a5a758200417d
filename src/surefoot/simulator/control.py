"""A client of the control API, for tests, demos and shells: the standard library is enough."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from surefoot.simulator.model import ccxt_settings

# On a machine that has much else to do it may answer late; nobody but a test or a demo waits.
_TIMEOUT_S: Final = 300


class ControlRefused(Exception):
    """The simulator does not do this; the message says why."""


class Control:
    """Commands to a running simulator."""

    def __init__(self, url: str) -> None:
        if not url.startswith("http://"):
            raise ValueError(f"expected the http:// address of a simulator, got {url}")
        self.url = url.rstrip("/")

    def ledger(self) -> dict[str, Any]:
        """Return the truth: orders, trades, balances and every request, as they were."""
        return self._get("ledger")

    def state(self) -> dict[str, Any]:
        """Return the clock, the quotes and the open sockets."""
        return self._get("state")

    def faults(self) -> dict[str, Any]:
        """Return what is known, armed, and has hit."""
        return self._get("faults")

    def ccxt(self) -> dict[str, Any]:
        """Return settings for ccxt's Binance constructor."""
        return ccxt_settings(self.url)

    def arm(self, name: str, **parameters: Any) -> int:
        """Arm a fault and return its id."""
        return int(self.do("arm", name=name, **parameters)["fault_id"])

    def disarm(self, fault_id: int | None = None) -> None:
        """Disarm one fault, or all."""
        self.do("disarm", fault_id=fault_id)

    def price(self, symbol: str, price: object, *, spread: object = "0") -> None:
        """Move a market; orders that it reaches are filled."""
        self.do("price", symbol=symbol, price=str(price), spread=str(spread))

    def advance(self, seconds: float) -> None:
        """Move the exchange's clock."""
        self.do("clock", advance=seconds)

    def do(self, command: str, **given: Any) -> dict[str, Any]:
        """Run any command of the control API.

        Raises:
            ControlRefused: the simulator says why.
        """
        body = json.dumps(given).encode()
        request = Request(f"{self.url}/sim/{command}", data=body, method="POST")  # noqa: S310 (http only, checked)
        return _answer(request)

    def _get(self, document: str) -> dict[str, Any]:
        return _answer(Request(f"{self.url}/sim/{document}"))  # noqa: S310 (http only, checked)


def _answer(request: Request) -> dict[str, Any]:
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310 (http only, checked)
            answer: dict[str, Any] = json.load(response)
            return answer
    except HTTPError as error:
        with error:
            raise ControlRefused(json.load(error)["error"]) from None
