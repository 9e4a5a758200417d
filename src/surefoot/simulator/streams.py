"""The WebSocket streams: market data, and the account's events over the WebSocket API."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

from aiohttp import WSMsgType, web

from surefoot.simulator import security, wire
from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Exchange, Execution
from surefoot.simulator.faults import STREAM_FAULTS, Armory, Fault
from surefoot.simulator.model import ApiError, Order, Settings, Trade

_HISTORY: Final = 1_000
_MS: Final = 1_000
_Event: TypeAlias = tuple[str, dict[str, Any]]  # the stream's name, and what it says


class Connection:
    """One socket, and what it listens to."""

    def __init__(self, socket: web.WebSocketResponse, *, combined: bool = False) -> None:
        self.socket = socket
        self._combined = combined  # every event comes with the name of its stream
        self.names: set[str] = set()
        self.user = False
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message; they leave in order."""
        self._queue.put_nowait(json.dumps(message))

    def tell(self, name: str, message: dict[str, Any]) -> None:
        """Queue an event of a stream."""
        self.send({"stream": name, "data": message} if self._combined else message)

    async def pump(self) -> None:
        """Send what is queued, for ever."""
        with suppress(ConnectionError):
            while True:
                await self.socket.send_str(await self._queue.get())


class Streams:
    """Every open socket, and the faults between the truth and them."""

    def __init__(
        self,
        exchange: Exchange,
        armory: Armory,
        clock: Clock,
        settings: Settings,
        meter: security.Meter,
    ) -> None:
        self._exchange = exchange
        self._armory = armory
        self._clock = clock
        self._settings = settings
        self._meter = meter
        # In the order in which they came: what is told to one, is told first.
        self._connections: dict[Connection, None] = {}
        self._history: dict[str, deque[_Event]] = {
            kind: deque(maxlen=_HISTORY) for kind in ("user", "market")
        }
        self._held: dict[str, list[_Event]] = {"user": [], "market": []}
        self._silent_until: dict[str, float] = {"user": 0.0, "market": 0.0}
        # Events of hidden orders, until they may be seen.
        self._hidden: dict[tuple[str, int], list[dict[str, Any]]] = {}
        exchange.listen(self._on_execution)

    def routes(self) -> list[web.RouteDef]:
        """Return where the sockets are."""
        return [
            web.get("/stream", self._serve_market),
            web.get("/stream/{rest:.*}", self._serve_market),
            web.get("/ws-api/v3", self._serve_account),
        ]

    def counts(self) -> dict[str, int]:
        """Return how many sockets listen."""
        users = sum(1 for connection in self._connections if connection.user)
        return {"user": users, "market": len(self._connections) - users}

    def wanted(self) -> set[str]:
        """Return the names of the streams that somebody listens to."""
        return {name for connection in self._connections for name in connection.names}

    # What happens ---------------------------------------------------------------------------------

    def publish(self, symbol: str, stream: str, make: Callable[[], dict[str, Any]]) -> None:
        """Send a market event to everyone who listens to it; for nobody it is not even made."""
        name = f"{symbol.lower()}@{stream}"
        if any(name in connection.names for connection in self._connections):
            self._emit("market", name, make())

    def _on_execution(self, execution: Execution, order: Order, trade: Trade | None) -> None:
        now = self._clock.now_ms()
        report = wire.execution_report(execution, order, trade, now)
        messages = [report]
        if execution != "NEW" or order.held:
            messages.append(wire.account_position(self._exchange, order, now))
        hidden_until = max(order.hidden_until_ms, trade.hidden_until_ms if trade else 0)
        for message in messages:
            event = {"subscriptionId": 0, "event": message}
            waiting = self._hidden.setdefault(order.key, [])
            if hidden_until > now or waiting:
                waiting.append(event)
                if len(waiting) == 1:
                    wait = (hidden_until - now) / _MS
                    self._later(wait, partial(self._reveal, order.key))
            else:
                self._emit("user", order.symbol, event)

    def _reveal(self, key: tuple[str, int]) -> None:
        """Tell what was hidden of an order, in the order in which it happened."""
        for event in self._hidden.pop(key, []):
            self._emit("user", key[0], event)

    def _emit(self, kind: str, name: str, message: dict[str, Any]) -> None:
        """Send one event, through whatever is armed against it."""
        symbol = name.split("@", maxsplit=1)[0].upper()
        hits = self._armory.take(kind, {"symbol": symbol}, STREAM_FAULTS)
        if not self._swallowed(kind, name, message, hits):
            self._deliver(kind, name, message, hits)

    def _swallowed(
        self, kind: str, name: str, message: dict[str, Any], hits: dict[str, Fault]
    ) -> bool:
        loop = asyncio.get_running_loop()
        if (silence := hits.get("stream_silence")) is not None:
            self._silent_until[kind] = loop.time() + silence.number("seconds", 60)
        if "stream_disconnect" in hits:
            self.disconnect(kind)
            return True
        if loop.time() < self._silent_until[kind] or "stream_drop" in hits:
            return True
        if (delay := hits.get("stream_delay")) is not None:
            self._later(delay.number("seconds", 1), partial(self._send, kind, name, message))
            return True
        if "stream_reorder" in hits:
            self._held[kind].append((name, message))
            return True
        return False

    def _deliver(
        self, kind: str, name: str, message: dict[str, Any], hits: dict[str, Fault]
    ) -> None:
        if "stream_replay" in hits:
            for where, earlier in list(self._history[kind]):
                self._send(kind, where, earlier, remember=False)
        self._send(kind, name, message)
        if "stream_duplicate" in hits:
            self._send(kind, name, message)
        held, self._held[kind] = self._held[kind], []
        for where, late in held:
            self._send(kind, where, late)

    def _send(
        self, kind: str, name: str, message: dict[str, Any], *, remember: bool = True
    ) -> None:
        if remember:
            self._history[kind].append((name, message))
        for connection in self._connections:
            wanted = connection.user if kind == "user" else name in connection.names
            if wanted:
                connection.tell(name, message)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, act)

    def disconnect(self, kind: str = "*") -> None:
        """Break the sockets, without a goodbye."""
        for connection in list(self._connections):
            mine = "user" if connection.user else "market"
            if kind in {"*", mine}:
                _break(connection.socket)

    # Sockets -------------------------------------------------------------------------------------

    async def _serve_market(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, self._market_request)

    async def _serve_account(self, request: web.Request) -> web.StreamResponse:
        self._meter.add(security.WEIGHTS["wsApi.connect"])
        return await self._serve(request, self._account_request)

    async def _serve(
        self,
        request: web.Request,
        answer: Callable[[Connection, Mapping[str, Any]], dict[str, Any]],
    ) -> web.StreamResponse:
        if self._armory.outage and request.transport is not None:
            request.transport.abort()
            return web.Response(status=500)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(socket, combined=request.path == "/stream")
        self._connections[connection] = None
        pump = asyncio.get_running_loop().create_task(connection.pump())
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                with suppress(ValueError):
                    asked = json.loads(message.data)
                    if isinstance(asked, dict):
                        connection.send(answer(connection, asked))
        finally:
            self._connections.pop(connection, None)
            pump.cancel()
        return socket

    def _market_request(self, connection: Connection, asked: Mapping[str, Any]) -> dict[str, Any]:
        names = {str(name) for name in asked.get("params") or ()}
        match asked.get("method"):
            case "SUBSCRIBE":
                connection.names |= names
            case "UNSUBSCRIBE":
                connection.names -= names
            case _:
                return {"error": {"code": 0, "msg": "Unknown method"}, "id": asked.get("id")}
        return {"result": None, "id": asked.get("id")}

    def _account_request(self, connection: Connection, asked: Mapping[str, Any]) -> dict[str, Any]:
        ident = asked.get("id")
        self._meter.add(security.WEIGHTS["wsApi.subscribe"])
        try:
            self._check(asked.get("method"), dict(asked.get("params") or {}))
        except ApiError as error:
            refusal = {"code": error.code, "msg": error.message}
            return {"id": ident, "status": error.status, "error": refusal}
        connection.user = True
        return {"id": ident, "status": 200, "result": {"subscriptionId": 0}}

    def _check(self, method: object, params: dict[str, Any]) -> None:
        if method != "userDataStream.subscribe.signature":
            raise ApiError(-1102, "Unknown method.")
        signature = params.pop("signature", None)
        payload = "&".join(f"{key}={params[key]}" for key in sorted(params))
        security.check_key(params.get("apiKey"), self._settings.key)
        security.check_signature(payload, signature, self._settings.secret)
        security.check_window({key: str(value) for key, value in params.items()}, self._clock)


def _break(socket: web.WebSocketResponse) -> None:
    request = socket._req  # noqa: SLF001 (aiohttp has no public way to drop a socket)
    if request is not None and request.transport is not None:
        request.transport.abort()
