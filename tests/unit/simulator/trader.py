"""A client written by hand: it signs, sends, and shows whatever comes back."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import aiohttp
from typing_extensions import override
from yarl import URL

from surefoot.simulator import Control, Settings, Simulator
from surefoot.simulator.clock import Clock

NOON_MS: Final = 1_754_740_800_000  # some noon, in UTC
PATIENCE_S: Final = 20
_CLOSED: Final = frozenset(
    {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
)


class StillClock(Clock):
    """A clock that only moves when it is moved."""

    @override
    def now_ms(self) -> int:
        return NOON_MS + self.offset_ms


class Answer(NamedTuple):
    """One HTTP answer; the body is JSON if it can be."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> int | None:
        """Return Binance's code of a refusal."""
        return self.body.get("code") if isinstance(self.body, dict) else None


class Trader:
    """Whoever has the keys, and whoever runs the exchange."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self._session = session
        self._control = Control(simulator.url)
        self._settings = Settings()

    # The REST API --------------------------------------------------------------------------------

    async def ask(self, method: str, path: str, *, signed: bool = True, **given: Any) -> Answer:
        """Ask for something; signed requests are stamped with the exchange's own time."""
        given = {key: str(value) for key, value in given.items()}
        if signed:
            given.setdefault("timestamp", str(self.simulator.clock.now_ms()))
            given["signature"] = self.sign(urlencode(given))
        return await self.raw(method, path, urlencode(given))

    async def raw(self, method: str, path: str, query: str, key: str | None = None) -> Answer:
        """Send exactly this query."""
        url = URL(f"{self.simulator.url}/api/v3/{path}?{query}", encoded=True)
        headers = {"X-MBX-APIKEY": self._settings.key if key is None else key}
        async with self._session.request(
            method, url, headers=headers, allow_redirects=False
        ) as response:
            text: Any = await response.text()
            with suppress(ValueError):
                text = json.loads(text)
            return Answer(response.status, text, dict(response.headers))

    def sign(self, payload: str, secret: str | None = None) -> str:
        """Return the signature of a payload."""
        secret = self._settings.secret if secret is None else secret
        return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    async def order(self, side: str, kind: str, quantity: str, **more: Any) -> Answer:
        """Send an order on BTCUSDT, unless another symbol is given."""
        if kind == "LIMIT":
            more.setdefault("timeInForce", "GTC")
        name = more.pop("name", None)
        if name is not None:
            more["newClientOrderId"] = name
        more.setdefault("symbol", "BTCUSDT")
        return await self.ask("POST", "order", side=side, type=kind, quantity=quantity, **more)

    async def rest_buy(self, price: str = "60000", quantity: str = "0.01", **more: Any) -> Answer:
        """Send an order that rests under the market."""
        return await self.order("BUY", "LIMIT", quantity, price=price, **more)

    async def query(self, name: str) -> Answer:
        """Ask for an order by its client order id."""
        return await self.ask("GET", "order", symbol="BTCUSDT", origClientOrderId=name)

    async def listed(self, path: str, **more: Any) -> Any:
        """Read a list about BTCUSDT."""
        return (await self.ask("GET", path, symbol="BTCUSDT", **more)).body

    # The control API -----------------------------------------------------------------------------

    async def do(self, command: str, **given: Any) -> dict[str, Any]:
        """Run a control command, as another process would."""
        return await asyncio.to_thread(self._control.do, command, **given)

    async def arm(self, fault: str, **given: Any) -> int:
        """Arm a fault."""
        return int((await self.do("arm", name=fault, **given))["fault_id"])

    async def price(self, price: object, symbol: str = "BTCUSDT") -> None:
        """Move a market."""
        await self.do("price", symbol=symbol, price=str(price))

    async def ledger(self) -> dict[str, Any]:
        """Read the truth."""
        return await asyncio.to_thread(self._control.ledger)

    # The streams ---------------------------------------------------------------------------------

    async def user_stream(self) -> Stream:
        """Open a socket and listen to the account."""
        stream = Stream(await self._session.ws_connect(f"{self._sockets}/ws-api/v3"))
        answer = await stream.ask(self.subscription())
        assert answer["status"] == 200, answer
        return stream

    def subscription(self, key: str | None = None) -> dict[str, Any]:
        """Return the signed request that starts the account's events."""
        given = {
            "apiKey": self._settings.key if key is None else key,
            "timestamp": self.simulator.clock.now_ms(),
        }
        payload = "&".join(f"{name}={given[name]}" for name in sorted(given))
        return {
            "id": 1,
            "method": "userDataStream.subscribe.signature",
            "params": {**given, "signature": self.sign(payload)},
        }

    async def market_stream(self, *names: str) -> Stream:
        """Open a socket and listen to markets."""
        stream = Stream(await self._session.ws_connect(f"{self._sockets}/stream/ws/0"))
        answer = await stream.ask({"id": 1, "method": "SUBSCRIBE", "params": names})
        assert answer == {"id": 1, "result": None}
        return stream

    async def socket(self, path: str) -> Stream:
        """Open a socket and say nothing yet."""
        return Stream(await self._session.ws_connect(f"{self._sockets}/{path}"))

    @property
    def _sockets(self) -> str:
        return self.simulator.url.replace("http://", "ws://", 1)


class Stream:
    """One socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def ask(self, message: dict[str, Any]) -> Any:
        """Send a request and return whatever comes next."""
        await self._socket.send_json(message)
        return await self.next()

    async def next(self) -> Any:
        """Return the next message."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._socket.receive_json()

    async def account(self, number: int) -> list[str]:
        """Return the next events of the account: "NEW", "TRADE" …, or "balances"."""
        events = [(await self.next())["event"] for _ in range(number)]
        return [event["x"] if event["e"] == "executionReport" else "balances" for event in events]

    async def closed(self) -> bool:
        """Wait for the end of the socket."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self._socket.receive()).type not in _CLOSED:
                pass
        return True
