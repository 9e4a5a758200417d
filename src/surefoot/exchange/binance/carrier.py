"""Carrying one request there and one answer back: within the budget, priced, judged.

Nothing here retries, and nothing raw comes out: a question ends in an answer, `ReadFailed`,
`Banned` or `Misconfigured`; an act in an answer, `NotSent`, `Refused` or `Unknown`. A question
waits its turn; an order never does, because its lifetime would pass: its place is kept before it
is written down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar

from surefoot.core.order import Order
from surefoot.core.values import ClientOrderId
from surefoot.exchange.address import Address
from surefoot.exchange.binance import payloads, verdicts
from surefoot.exchange.binance.client import HEARD
from surefoot.exchange.binance.facts import (
    BINANCE,
    FREE,
    URGENCIES,
    USED_ORDERS,
    USED_WEIGHT,
    WEIGHTS,
)
from surefoot.exchange.budget import ORDER_SHARES, Ledger, Ticket, Urgency, Window
from surefoot.exchange.errors import Banned, NotSent, TooMany
from surefoot.exchange.port import Spending, Time

T = TypeVar("T")
Request: TypeAlias = dict[str, Any]
Call: TypeAlias = Callable[[Request], Awaitable[Any]]
_CLOCK_SAMPLES: Final = 3
# An offset is wrong by half of its round trip at most: after one as short as this nobody asks on.
_TRIP_SHORT_S: Final = 0.2
# So much two good clocks drift apart in a second at most.
_DRIFT: Final = 1e-4
# More digits than any count has.
_DIGITS_MAX: Final = 12


class Carrier:
    """What a login may still ask, what it has asked, and what time it is at the exchange."""

    def __init__(self, time: Time, address: Address) -> None:
        self._time = time
        self._began = (time.now(), time.monotonic())
        self._address = address
        self._orders = Ledger(BINANCE.orders, ORDER_SHARES)
        self._reserved: dict[ClientOrderId, Ticket] = {}
        self._requests = 0
        self._weight = 0
        self.offset = timedelta(0)
        # How wrong it may have been when it was measured, and when that was.
        self._wrong_by: tuple[float, float] | None = None
        self._denied = asyncio.Event()

    def local(self) -> datetime:
        """Return the wall clock of the beginning, and what has passed since: steps do not count."""
        wall, monotonic = self._began
        return wall + timedelta(seconds=self._time.monotonic() - monotonic)

    def now(self) -> datetime:
        """Return exchange time: the local clock corrected by the measured offset."""
        return self.local() - self.offset

    async def measure(self, call: Call) -> None:
        """Measure the exchange's clock: the first short round trip counts, or the shortest.

        A long one that only blurs what was known changes nothing: signed by it, orders would be
        refused for their time.
        """
        self._denied.clear()
        best: tuple[float, timedelta] | None = None
        for _ in range(_CLOCK_SAMPLES):
            before, started = self.local(), self._time.monotonic()
            there = await self.ask("time", call, {}, payloads.server_time)
            trip = self._time.monotonic() - started
            if best is None or trip < best[0]:
                best = (trip, before + timedelta(seconds=trip / 2) - there)
            if trip <= _TRIP_SHORT_S:
                break
        if best is not None and not self._blurs(*best):
            self.offset, self._wrong_by = best[1], (best[0] / 2, self._time.monotonic())

    async def denied(self) -> None:
        """Wait until an answer denies our clock, since it was last measured."""
        await self._denied.wait()

    def _blurs(self, trip: float, offset: timedelta) -> bool:
        """Tell whether what is known is more exact, and nothing that was measured denies it."""
        if self._wrong_by is None or trip <= _TRIP_SHORT_S:
            return False
        error, measured_at = self._wrong_by
        error += (self._time.monotonic() - measured_at) * _DRIFT
        apart = abs((offset - self.offset).total_seconds())
        return error < trip / 2 and apart <= error + trip / 2

    def spending(self) -> Spending:
        """Return what has been asked so far."""
        return Spending(requests=self._requests, weight=self._weight)

    def note_ban(self, until: datetime) -> None:
        """Keep away until then; of two bans the longer one counts."""
        wall, monotonic = self._began
        self._address.note_ban(monotonic + (until + self.offset - wall).total_seconds())

    def adopt(self, weight: tuple[Window, ...], orders: tuple[Window, ...]) -> None:
        """Take over the limits that the exchange tells."""
        self._address.weight.adopt(weight)
        self._orders.adopt(orders)

    # Orders --------------------------------------------------------------------------------------

    def later(self, urgency: Urgency, orders: int) -> datetime | None:
        """Return when so many orders of this urgency may be sent; None: now."""
        now = self.now()
        times = (
            self.banned_until(),
            self._orders.later(urgency, orders, now),
            self._address.weight.later(urgency, 0, now),
        )
        return max((at for at in times if at is not None), default=None)

    def reserve(self, order: Order) -> None:
        """Keep the place of an order that is about to be written down, until it cannot be sent."""
        now = self.now()
        self._reserved = {
            name: ticket
            for name, ticket in self._reserved.items()
            if ticket.until is None or ticket.until >= now
        }
        ticket = self._orders.spend(1, now, until=order.not_after)
        self._reserved[order.client_order_id] = ticket

    def _place(self, name: ClientOrderId) -> Ticket:
        ticket = self._reserved.pop(name, None)
        if ticket is not None:
            return ticket
        at = self._orders.later(Urgency.PROTECTION, 1, self.now())
        if at is not None:
            raise TooMany(f"no place was kept for it, and the exchange takes no more until {at}")
        return self._orders.spend(1, self.now())

    # Carrying ------------------------------------------------------------------------------------

    def banned_until(self) -> datetime | None:
        """Return until when nothing may be asked; None if it may."""
        until = self._address.ban()
        if until is None:
            return None
        wall, monotonic = self._began
        return wall + timedelta(seconds=until - monotonic) - self.offset

    async def ask(self, price: str, call: Call, request: Request, read: Callable[[Any], T]) -> T:
        """Ask one question when it is its turn, and read the answer."""
        self._refuse_banned()
        ticket = await self._address.turn(URGENCIES[price], WEIGHTS[price], self.now)
        try:
            with self._counted(price, ticket):
                return read(await self._called(call, request))
        except Exception as error:
            raise verdicts.of_read(error, now=self.now()) from error

    async def act(
        self,
        price: str,
        call: Call,
        request: Request,
        read: Callable[[Any], T],
        place: Ticket | None = None,
    ) -> T:
        """Do one thing once; whatever comes back that is not a believable answer is Unknown."""
        try:
            with self._counted(price, self._address.weight.spend(0, self.now()), place):
                return read(await self._called(call, request))
        except Banned as error:
            raise NotSent(str(error)) from error
        except Exception as error:
            raise verdicts.of_send(error) from error

    async def send(
        self,
        name: ClientOrderId,
        call: Call,
        request: Request,
        read: Callable[[Any], T],
        price: str = "order.send",
    ) -> T:
        """Send an order once, in the place that is kept for it."""
        return await self.act(price, call, request, read, self._place(name))

    async def _called(self, call: Call, request: Request) -> Any:
        self._refuse_banned()
        self._requests += 1
        return await call(request)

    def _refuse_banned(self) -> None:
        until = self.banned_until()
        if until is not None:
            raise Banned(until, "the exchange asked us to stay away")

    @contextmanager
    def _counted(self, price: str, asked: Ticket, place: Ticket | None = None) -> Iterator[None]:
        """Count a request, whatever becomes of it, and learn from what is said of our use."""
        heard: dict[str, str] = {}
        hearing = HEARD.set(heard)
        weight, orders = WEIGHTS[price], 1
        try:
            yield
            weight = 0 if price in FREE else weight
        except Exception as error:
            self.learn(error)
            if verdicts.never_left(error):
                weight = orders = 0
            raise
        finally:
            HEARD.reset(hearing)
            self._weight += weight
            now = self.now()
            told = _told(heard, USED_WEIGHT)
            self._address.weight.settle(asked, cost=weight, told=told, now=now)
            if place is not None:
                told = _told(heard, USED_ORDERS)
                self._orders.settle(place, cost=orders, told=told, now=now)

    def learn(self, error: Exception) -> None:
        """Take what an answer says of us, whoever heard it: a clock denied, a ban, a full count."""
        if not isinstance(error, verdicts.Answered):
            return
        now = self.now()
        if error.is_untimely:
            self._denied.set()
        if error.is_ban:
            self.note_ban(verdicts.ban_end(now, error.retry_after))
        elif error.too_many_orders:
            after = error.retry_after
            self._orders.fill(None if after is None else verdicts.ban_end(now, after), now)


def _told(headers: Mapping[str, str], prefix: str) -> dict[str, int]:
    """Return the figures of the headers with this prefix, by what follows it."""
    return {
        name.removeprefix(prefix).upper(): int(value)
        for name, value in headers.items()
        if name.startswith(prefix) and value.isdecimal() and len(value) <= _DIGITS_MAX
    }
