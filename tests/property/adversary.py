"""An exchange that is as unkind as the rules allow, and the truth to measure belief against.

Nothing here talks: the world keeps what really happened (`Ticket`, its fills), a history of
everything that was ever said (`mail`), and lets a test deliver any of it, any number of times, in
any order, or not at all. Requests are lost, delayed until they expire, answered or not. Reads are
partial and old. An honest world keeps its one promise, the visibility bound; `bound` breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, REPLACING, START, TERMS, D, Life
from tests.property.choices import OVER, PLANS, PRICES, QUANTITIES, WAITS
from tests.property.ticket import Ticket, fee_of
from tests.property.truth import check_able, free, held_by, watch

from surefoot.core.account_records import Coins, kind_of
from surefoot.core.decide import Input, Withdraw, owed
from surefoot.core.errors import InvariantViolated, SignalRefused
from surefoot.core.evidence import Belief, Evidence, Owned, Window
from surefoot.core.order import OrderStatus, ReportedStatus, Role
from surefoot.core.position import Position, State
from surefoot.core.reconcile import Reconciliation, reconcile, wanted
from surefoot.core.records import OrderIntended, PositionRecord
from surefoot.core.reports import (
    Doubt,
    Fill,
    Grounds,
    NothingOpen,
    PriceSeen,
    Refusal,
    TimePassed,
    Unsent,
)
from surefoot.core.signals import AddSignal, Close, EntrySignal, ExitSignal, Freeze
from surefoot.core.values import (
    ZERO,
    Asset,
    ClientOrderId,
    ExchangeOrderId,
    Side,
    TradeId,
    floor_to,
)

LOT: Final = TERMS.instrument.lot


@dataclass
class Read:
    """A round of reading: what was believed when it began, and what it brought."""

    lives: tuple[Life, ...]
    belief: Belief
    evidence: Evidence


class World:
    """One bot's positions, one after the other, and the exchange that they live at."""

    def __init__(
        self,
        *,
        native_stop: bool = False,
        replacing: bool = False,
        bound: timedelta = timedelta(seconds=60),
    ) -> None:
        self.terms = REPLACING if replacing else PROTECTED if native_stop else TERMS
        self.bound = bound
        self.now = START
        self.lives = [Life(self.terms, bot="bot-1")]
        self.tickets: dict[ClientOrderId, Ticket] = {}
        self.mail: list[Input] = []
        self.reads: list[Read] = []
        self.trades = 0
        self.seen: set[str] = set()

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def honest(self) -> bool:
        return self.bound <= self.terms.visibility

    # Telling, and what must hold after every single record --------------------------------------

    def tell(self, event: Input, life: Life | None = None) -> list[PositionRecord]:
        """Let one life, or all of them, learn something; return the records."""
        news: list[PositionRecord] = []
        for each in self.lives if life is None else [life]:
            each.now, before, count = self.now, each.position, len(each.records)
            try:
                each.tell(event)
            except SignalRefused:
                assert each.position is before, "a refusal leaves nothing behind"
                raise
            except InvariantViolated as broken:
                if self.honest:
                    raise
                each.tell(Freeze(reason=str(broken)))  # As the engine does; the input is dropped.
            self._follow(before, each.records[count:], each.position)
            news += each.records[count:]
        return news

    def _follow(self, before: Position, records: Sequence[PositionRecord], after: Position) -> None:
        position = before
        for record in records:
            position = watch(position, record)
            self.seen |= {kind_of(record), f"{before.state}->{position.state}"}
        assert position == after
        self.seen.update(f"{order.role} {order.status}" for order in after.orders)
        stops = [order for order in after.orders if order.role is Role.STOP and order.rests]
        grown = after.entries > 1 and after.entered > before.entered
        self.seen |= {"filled beside a stop"} if stops and grown else set()
        self.seen |= {"dust carried on"} if after.carried.quantity and after.entered else set()
        for order in (record.order for record in records if isinstance(record, OrderIntended)):
            exchange_id = ExchangeOrderId(f"x{len(self.tickets) + 1}")
            self.tickets.setdefault(order.client_order_id, Ticket(order, exchange_id))

    def wish(self, signal: Input) -> bool:
        """Tell a signal to the current life; tell whether it was taken."""
        try:
            self.tell(signal, self.life)
        except SignalRefused:
            return False
        return True

    # What the bot, its operator and the market do -----------------------------------------------

    def enter(self, n: int) -> None:
        state, number = self.life.position.state, len(self.lives) + 1
        if state is State.CLOSED:
            dust, state = self.life.position.left, State.FLAT
            self.lives.append(Life(self.terms, bot=f"bot-{number}", carried=dust))
        signal = EntrySignal(
            quantity=QUANTITIES[n % 3],
            plan=PLANS[n // 3 % len(PLANS)],
            limit=D(50000) if n & 64 else None,
            time_to_live=timedelta(seconds=20) if n & 128 else None,
        )
        assert not self.wish(signal) or state is State.FLAT

    def add(self, n: int) -> None:
        lasts, before = timedelta(seconds=20) if n & 128 else None, self.life.position
        limit = D(50000) if n & 64 else None
        signal = AddSignal(quantity=QUANTITIES[n % 3], limit=limit, time_to_live=lasts)
        if self.wish(signal):
            assert before.state is self.life.position.state is State.OPEN
            stopped = any(order.rests for order in before.orders)
            self.seen.add("added beside a stop" if stopped else "added")

    def leave(self, n: int) -> None:
        state = self.life.position.state
        signal = ExitSignal(
            fraction=D("0.5") if n & 4 else None,
            time_to_live=timedelta(seconds=20) if n & 1 else None,
            limit=D(50600) if n & 2 else None,
        )
        assert not self.wish(signal) or state is State.OPEN

    def close(self, n: int) -> None:
        if n % 4 == 0:
            self.wish(Close(by="ann"))

    def price(self, n: int) -> None:
        self.tell(PriceSeen(price=PRICES[n % len(PRICES)]), self.life)

    def wait(self, n: int) -> None:
        self.now += WAITS[n % len(WAITS)]
        self.tell(TimePassed())

    # What happens to requests -------------------------------------------------------------------

    def post(self, n: int) -> None:
        """Send what is written down; what becomes of the request is up to `n`."""
        for name, ticket in list(self.tickets.items()):
            if ticket.fate == "unsent":
                fate = ("take", "take", "take", "fly", "lose", "refuse", "reject", "stay")[n % 8]
                self.seen.add(fate)
                getattr(self, f"_{fate}")(ticket, n // 8)
                if n & 256:
                    self._say(Doubt(client_order_id=name, reason="no answer"), hear=True)

    def _take(self, ticket: Ticket, n: int, status: ReportedStatus = ReportedStatus.OPEN) -> None:
        if self.now > ticket.order.not_after:
            ticket.fate = "dead"
            return
        if ticket.order.replaces is not None and not self._makes_way(ticket, n):
            return
        if ticket.order.side is Side.SELL and ticket.order.quantity > free(self.tickets.values()):
            self._refuse(ticket, n, Grounds.FUNDS)
            return
        ticket.fate, ticket.status = "accepted", status
        ticket.visible_at = self.now + self.bound * (n % 4) / 3
        self._say(ticket.report(), hear=n % 3 == 0)

    def _makes_way(self, ticket: Ticket, n: int) -> bool:
        """Cancel what a request replaces, if that is whole; then the second half may be refused."""
        old, name = self.tickets[ticket.order.replaces or ticket.order.client_order_id], "not tried"
        if not old.live or old.fills:
            ticket.fate = "dead"
            self.seen.add(name)
            unsent = Unsent(client_order_id=ticket.order.client_order_id, reason=name)
            self._say(unsent, hear=n % 2 == 0)
            return False
        old.status = ReportedStatus.CANCELED
        self._say(old.report(), hear=n & 2 == 0)
        if n % 3 == 1:
            self.seen.add("half refused")
            self._refuse(ticket, n)
            return False
        self.seen.add(f"{old.order.role} replaced by {ticket.order.role}")
        return True

    def _reject(self, ticket: Ticket, n: int) -> None:
        self._take(ticket, n, ReportedStatus.REJECTED)

    def _fly(self, ticket: Ticket, _n: int) -> None:
        ticket.fate = "flying"

    def _lose(self, ticket: Ticket, _n: int) -> None:
        ticket.fate = "dead"

    def _refuse(self, ticket: Ticket, n: int, grounds: Grounds = Grounds.OTHER) -> None:
        ticket.fate = "dead"
        self.seen.add(f"refused for {grounds}")
        name = ticket.order.client_order_id
        refusal = Refusal(client_order_id=name, code="-1013", message="no", grounds=grounds)
        self._say(refusal, hear=n % 2 == 0)

    def _stay(self, ticket: Ticket, n: int) -> None:
        ticket.fate = "dead"
        unsent = Unsent(client_order_id=ticket.order.client_order_id, reason="refused connection")
        self._say(unsent, hear=n % 2 == 0)

    def land(self, n: int) -> None:
        """Let delayed requests arrive; the exchange refuses those that are too old."""
        for ticket in list(self.tickets.values()):
            if ticket.fate == "flying":
                self._take(ticket, n)

    # What happens to orders ---------------------------------------------------------------------

    def trade(self, n: int) -> None:
        for ticket in list(self.tickets.values()):
            if ticket.live:
                rest = ticket.order.quantity - ticket.filled
                part = (rest, floor_to(rest / 2, LOT), LOT, rest)[n % 4] or LOT
                self._fill(ticket, part, n // 4)

    def _fill(self, ticket: Ticket, quantity: Decimal, n: int) -> None:
        self.trades += 1
        fee, asset = fee_of(ticket.order.side, quantity, n)
        fill = Fill(
            symbol=BTC,
            trade_id=TradeId(f"t{self.trades}"),
            exchange_order_id=ticket.exchange_order_id,
            client_order_id=ticket.order.client_order_id if n & 1 or self._left(ticket) else None,
            side=ticket.order.side,
            price=PRICES[n % len(PRICES)] + D("0.01") * (n % 5),
            quantity=quantity,
            fee=fee,
            fee_asset=asset,
            at=self.now,
        )
        ticket.fills.append(fill)
        if ticket.filled == ticket.order.quantity:
            ticket.status = ReportedStatus.FILLED
        self._say(fill, hear=n & 2 == 0)
        self._say(ticket.report(), hear=n & 4 == 0)

    def _left(self, ticket: Ticket) -> bool:
        """Tell whether nobody could say whose a nameless trade is: its order has left."""
        return not any(o.position.find(ticket.order.client_order_id) for o in self.lives)

    def end(self, n: int) -> None:
        """Let the exchange end an order of its own accord."""
        for ticket in list(self.tickets.values()):
            if ticket.live and n % 3 == 0:
                self._finish(ticket, n // 3)

    def withdraw(self, n: int) -> None:
        """Cancel what is owed to be cancelled, unless the request is lost."""
        for life in self.lives:
            for duty in owed(life.position):
                if isinstance(duty, Withdraw) and n % 4:
                    ticket = self.tickets[duty.order.client_order_id]
                    if ticket.live:
                        self._finish(ticket, n // 4)
                    elif duty.exchange_order_id is None:
                        name = duty.order.client_order_id
                        self._say(NothingOpen(client_order_id=name, asked_at=self.now), hear=True)

    def _finish(self, ticket: Ticket, n: int) -> None:
        ticket.status = OVER[n % 2]
        self._say(ticket.report(), hear=n & 2 == 0)

    def fair(self, n: int) -> None:
        """For once everything goes well: sent, accepted, filled, cancelled and heard of."""
        for ticket in list(self.tickets.values()):
            if ticket.fate == "unsent":
                self._take(ticket, 0)
        self.withdraw(1)
        for ticket in self._accepted():
            resting = ticket.order.role is Role.STOP and not ticket.fills
            if ticket.live and (not resting or n % 8 == 0):
                self._fill(ticket, ticket.order.quantity - ticket.filled, n // 8)
        for event in self.mail[-6:]:
            self.tell(event)

    def climb(self, n: int) -> None:
        """All goes well and the price rises; what becomes of the stop's move is up to `n`."""
        if self.life.position.state in {State.FLAT, State.CLOSED}:
            self.enter(3)
            self.fair(1)
        self.fair(1)
        self.tell(PriceSeen(price=PRICES[1 + n % 2]), self.life)
        self.post(n // 2)
        if n & 2048:  # whatever was not heard is looked for, once and again
            for _ in range(3):
                self.apply(self.read())
                self.now += timedelta(seconds=2)
            self.withdraw(1)

    # What is said, and what is read -------------------------------------------------------------

    def _say(self, event: Input, *, hear: bool) -> None:
        self.mail.append(event)
        if hear:
            self.tell(event)

    def hear(self, n: int) -> None:
        """Something that was once said arrives: late, out of order, or again."""
        if self.mail:
            self.tell(self.mail[n % len(self.mail)])

    def hear_last(self, n: int) -> None:
        if self.mail:
            self.tell(self.mail[-1 - n % min(4, len(self.mail))])

    def look(self, n: int) -> None:
        """Read some of it; parts of a read may fail, and then are not in the evidence."""
        self.reads.append(self.read(n >> 1 if n & 1 else -1))

    def compare(self, n: int) -> None:
        """Read and conclude at once."""
        self.look(n)
        self.apply(self.reads[-1])

    def judge(self, n: int) -> None:
        """Compare with a read that may be old, and write down what follows."""
        if self.reads:
            self.apply(self.reads[-1 - n % min(3, len(self.reads))])

    def read(self, n: int = -1) -> Read:
        """Read everything, or only what the bits of `n` let through."""
        visible = [t for t in self._accepted() if t.visible_at <= self.now]
        positions = tuple(life.position for life in self.lives)
        asked = [order for _, order in wanted(positions, self.now)]
        shown = {ticket.order.client_order_id: ticket.report() for ticket in visible}
        fills = tuple(fill for ticket in visible for fill in ticket.fills)
        return Read(
            lives=tuple(self.lives),
            belief=Belief(
                positions=positions,
                terms={life.position.bot: self.terms for life in self.lives},
                is_ours=lambda name: name.startswith("sf"),
                exclusive=False,
                others={Asset("BTC"): Coins(amount=ZERO, at=START)},
            ),
            evidence=Evidence(
                started_at=self.now,
                versions={position.position_id: position.version for position in positions},
                open_orders=tuple(t.report() for t in visible if t.live) if n & 1 else (),
                looked_up={
                    order.client_order_id: shown.get(order.client_order_id)
                    for k, order in enumerate(asked)
                    if n >> (3 + k) & 1
                },
                windows={BTC: Window(fills=fills, complete=bool(n & 4))} if n & 2 else {},
                balances={Asset("BTC"): held_by(fills)},
            ),
        )

    def _accepted(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets.values() if ticket.fate == "accepted"]

    def apply(self, read: Read) -> int:
        """Reconcile, write down what applies, and reconcile again: there must be nothing left."""
        # The read may be old; the belief is that of now.
        outcome = reconcile(self.belief(read), read.evidence, self.now)
        assert outcome.halt is None or not self.honest
        self.seen.update(str(finding.kind) for finding in outcome.findings)
        written = sum(self._write(life, outcome) for life in read.lives)
        again = reconcile(self.belief(read), read.evidence, self.now)
        assert not again.decisions, "reconciling twice changes nothing"
        return written

    def belief(self, read: Read) -> Belief:
        """Return the belief of now, with every order that has left: more than could be asked."""
        return replace(
            read.belief,
            positions=tuple(life.position for life in read.lives),
            departed=tuple(
                Owned(position_id=life.position.position_id, bot=life.position.bot, order=order)
                for life in read.lives
                for order in life.orders.values()
                if life.position.find(order.client_order_id) is None
            ),
        )

    def _write(self, life: Life, outcome: Reconciliation) -> int:
        before = life.position
        decision = outcome.decisions.get(before.position_id)
        if decision is None:
            return 0
        life.follow(decision)
        self._follow(before, decision.records, life.position)
        return len(decision.records)

    # The truth ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold belief and truth together after every move."""
        for life in self.lives:
            tickets = [self.tickets[name] for name in life.orders]
            true = {fill.trade_id for ticket in tickets for fill in ticket.fills}
            booked = [trade for order in life.orders.values() for trade in order.trades]
            assert len(booked) == len(set(booked)), "every fill is booked once"
            assert set(booked) <= true, "only what happened is booked"
        if self.honest:
            self._check_risk()

    def _check_risk(self) -> None:
        able = [t for t in self.tickets.values() if t.may_sell_or_buy(self.now)]
        # A request that replaces does nothing unless it can cancel, and then it is no second order.
        able = [t for t in able if t.live or self._can_come(t)]
        held = held_by([fill for ticket in self.tickets.values() for fill in ticket.fills])
        # Nobody knows yet what a stop that is shut has sold: what follows it the exchange refuses.
        shut = any(order.shut for life in self.lives for order in life.position.orders)
        able = [t for t in able if t.live or not shut or t.order.role is Role.ENTRY]
        check_able(able, held, self.now)
        self._check_frozen()
        for order in (order for life in self.lives for order in life.orders.values()):
            fate = self.tickets[order.client_order_id].fate
            assert order.status is not OrderStatus.NEVER or fate != "accepted", "S4"

    def _check_frozen(self) -> None:
        for frozen in (life.position.frozen for life in self.lives):
            refused = frozen is not None and " in a row: " in frozen  # exits, or stops
            assert frozen is None or refused, "honesty freezes nothing"

    def _can_come(self, ticket: Ticket) -> bool:
        old = ticket.order.replaces
        return old is None or (self.tickets[old].live and not self.tickets[old].fills)

    def settle(self) -> None:
        """Calm weather: whatever is under way ends or expires, and everything can be read."""
        for ticket in list(self.tickets.values()):
            if ticket.fate in {"unsent", "flying"}:
                ticket.fate = "dead"
        self.now += self.bound + timedelta(seconds=70)
        rounds = 0
        while self.apply(self.read()):
            rounds += 1
            assert rounds <= 5, "comparing comes to rest"


MOVES: Final[tuple[Callable[[World, int], None], ...]] = (
    *(3 * [World.enter]),
    *(2 * [World.add]),
    *(2 * [World.fair]),
    *(2 * [World.climb]),
    *(3 * [World.post]),
    World.land,
    *(3 * [World.trade]),
    *(2 * [World.end]),
    *(2 * [World.withdraw]),
    *(3 * [World.hear]),
    *(2 * [World.hear_last]),
    *(2 * [World.look]),
    World.judge,
    *(2 * [World.compare]),
    *(2 * [World.wait]),
    *(2 * [World.price]),
    *(2 * [World.leave]),
    World.close,
)
