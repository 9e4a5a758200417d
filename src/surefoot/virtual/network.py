"""Connections in memory: bytes arrive in order, after a delay that is drawn for each piece.

A connection has two ends. What was written before an end died still arrives, as from a kernel that
outlives its process; then the other end finds the connection reset. Each end's protocol is called
in the name of the life that owns it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from itertools import count
from typing import Any, Final, TypeAlias

from typing_extensions import override

Delay: TypeAlias = Callable[[], float]
Address: TypeAlias = tuple[str, int]
_FIRST_PORT: Final = 40_000
# Two pieces never arrive at the same moment: timers of one moment ring in any order.
_PIECE_S: Final = 1e-7


class Network:
    """Every listener and every connection; `delay` draws how long a piece travels."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: Delay) -> None:
        self.loop = loop
        self.delay = delay
        self._listeners: dict[Address, VirtualServer] = {}
        self._ports = count(_FIRST_PORT)
        self._ends: dict[End, None] = {}

    def listen(
        self, make: Callable[[], Any], host: str, port: int, owner: object = None
    ) -> VirtualServer:
        """Accept connections at an address; port 0 takes a free one."""
        address = (host, port or next(self._ports))
        if address in self._listeners:
            raise OSError(f"{address} is taken")
        server = self._listeners[address] = VirtualServer(address, make, owner, self._listeners)
        return server

    async def reach(self, address: Address) -> None:
        """Travel to an address.

        Raises:
            ConnectionRefusedError: nobody listens there.
        """
        travelled = self.loop.create_future()
        self.loop.call_later(self.delay(), _arrive, travelled)
        await travelled
        if tuple(address) not in self._listeners:
            raise ConnectionRefusedError(f"nobody listens at {address}")

    def connect(self, address: Address, protocol: Any, owner: object) -> End:
        """Connect a protocol to whoever listens at an address."""
        listener = self._listeners.get((address[0], address[1]))
        if listener is None:
            raise ConnectionRefusedError(f"nobody listens at {address}")
        here: Address = ("127.0.0.1", next(self._ports))
        near = End(self, protocol, copy_context(), owner, (here, listener.address))
        answering = listener.context.run(listener.make)
        far = End(
            self, answering, listener.context.copy(), listener.owner, (listener.address, here)
        )
        near.peer, far.peer = far, near
        for end in (near, far):
            self._ends[end] = None
        protocol.connection_made(near)
        far.call(answering.connection_made, far)
        return near

    def forget(self, end: End) -> None:
        """Let go of an end that is lost."""
        self._ends.pop(end, None)

    def cut(self, owner: object) -> None:
        """Break every connection of an owner: what has left arrives, nothing else does.

        Nobody listens any more where it listened.
        """
        for listener in [each for each in self._listeners.values() if each.owner is owner]:
            listener.close()
        for end in [each for each in self._ends if each.owner is owner]:
            end.die()

    def cut_all(self) -> None:
        """Break every connection there is, in the middle of whatever travels."""
        for end in list(self._ends):
            end.abort()


def _arrive(travelled: asyncio.Future[None]) -> None:
    if not travelled.done():
        travelled.set_result(None)


class VirtualServer(asyncio.AbstractServer):
    """What listens at an address; also the token that stands for its socket."""

    def __init__(
        self,
        address: Address,
        make: Callable[[], Any],
        owner: object,
        listeners: dict[Address, VirtualServer],
    ) -> None:
        self.address = address
        self.make = make
        self.owner = owner
        self.context = copy_context()
        self._listeners = listeners

    @property
    def sockets(self) -> list[VirtualServer]:
        """Return what can be asked for the address."""
        return [self]

    def getsockname(self) -> Address:
        """Return the address."""
        return self.address

    @override
    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        return asyncio.get_running_loop()

    @override
    async def serve_forever(self) -> None:
        """Serve until cancelled."""
        await asyncio.get_running_loop().create_future()

    @override
    def is_serving(self) -> bool:
        """Tell whether somebody listens."""
        return self.address in self._listeners

    @override
    async def start_serving(self) -> None:
        """Listen; it does so from the beginning."""

    @override
    def close(self) -> None:
        """Accept nothing more."""
        self._listeners.pop(self.address, None)

    @override
    async def wait_closed(self) -> None:
        """Wait; there is nothing to wait for."""


class End(asyncio.Transport):
    """One end of a connection."""

    def __init__(
        self,
        network: Network,
        protocol: Any,
        context: Context,
        owner: object,
        addresses: tuple[Address, Address],
    ) -> None:
        names = {"sockname": addresses[0], "peername": addresses[1]}
        super().__init__(extra=dict(names))
        self.protocol = protocol
        self.owner = owner
        self.peer: End | None = None
        self._network = network
        self._context = context
        self._dead = False
        self._closing = False
        self.lost = False
        self._paused = False
        self._arrived: list[bytes | None] = []
        # When the last piece that was sent from here arrives: none overtakes another.
        self._last_arrival = 0.0

    def call(self, method: Callable[..., Any], *args: Any) -> None:
        """Call the protocol soon, in the name of whoever owns this end."""
        self._network.loop.call_soon(method, *args, context=self._context)

    # Writing -------------------------------------------------------------------------------------

    @override
    def write(self, data: Any) -> None:
        """Send bytes on their way; a dead or closing end sends nothing."""
        if data and not (self._closing or self._dead):
            self._send(bytes(data))

    @override
    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send bytes on their way."""
        self.write(b"".join(bytes(each) for each in list_of_data))

    @override
    def write_eof(self) -> None:
        """Say that nothing more comes."""
        self._send(None)

    def _send(self, data: bytes | None) -> None:
        peer, loop = self.peer, self._network.loop
        if peer is None or peer.lost:
            return
        soonest = self._last_arrival + _PIECE_S
        self._last_arrival = max(soonest, loop.time() + self._network.delay())
        loop.call_at(self._last_arrival, peer.receive, data, context=Context())

    @override
    def can_write_eof(self) -> bool:
        """Tell that it can."""
        return True

    @override
    def get_write_buffer_size(self) -> int:
        """Return zero: what is written has left."""
        return 0

    @override
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Change nothing: nothing waits."""

    # Reading -------------------------------------------------------------------------------------

    def receive(self, data: bytes | None) -> None:
        """Take what has arrived; None is the end of it."""
        if self.lost or self._dead:
            return
        if self._paused:
            self._arrived.append(data)
        elif data is None:
            self._context.run(self._ended)
        else:
            self.call(self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        if self.lost:
            return
        if self._paused:
            self._arrived.append(data)
        else:
            self.protocol.data_received(data)

    def _ended(self) -> None:
        self.call(self._end_of_it)

    def _end_of_it(self) -> None:
        if not self.lost and not self.protocol.eof_received():
            self.close()

    @override
    def pause_reading(self) -> None:
        """Keep what arrives."""
        self._paused = True

    @override
    def resume_reading(self) -> None:
        """Hand over what was kept."""
        self._paused = False
        kept, self._arrived = self._arrived, []
        for data in kept:
            self.receive(data)

    @override
    def is_reading(self) -> bool:
        """Tell whether what arrives is handed over."""
        return not (self._paused or self._closing)

    # Ending --------------------------------------------------------------------------------------

    @override
    def close(self) -> None:
        """Say goodbye after what was written."""
        if not self._closing:
            self._closing = True
            if not self._dead:
                self._send(None)
            self._lose(None)

    @override
    def abort(self) -> None:
        """Break it, for both."""
        self._closing = True
        self._lose(None)
        if self.peer is not None and not self._dead:
            self._break(self.peer)

    def die(self) -> None:
        """Have no more effect; the other end finds it broken after what has left."""
        self._dead = True
        if self.peer is not None:
            self._break(self.peer)
        self._network.forget(self)

    def _break(self, peer: End) -> None:
        loop = self._network.loop
        soonest = self._last_arrival + _PIECE_S
        self._last_arrival = max(soonest, loop.time() + self._network.delay())
        loop.call_at(self._last_arrival, peer.reset, context=Context())

    def reset(self) -> None:
        """Learn that the other end broke it."""
        self._closing = True
        self._lose(ConnectionResetError("the connection was reset"))

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self._network.forget(self)
            self.call(self.protocol.connection_lost, error)

    @override
    def is_closing(self) -> bool:
        """Tell whether it is closing or closed."""
        return self._closing

    @override
    def set_protocol(self, protocol: Any) -> None:
        """Hand it to another protocol."""
        self.protocol = protocol

    @override
    def get_protocol(self) -> Any:
        """Return the protocol."""
        return self.protocol
