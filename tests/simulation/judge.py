"""The judge: what may never happen, seen from the exchange's own books.

It shares no code with the program. What an order is for it reads from the rows of the journal at
the moment when the order arrives, where it has to stand already; what became of it, the exchange
tells. An owner who sells more than is his takes the rest from the bots: from then on that is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import apsw
from tests.simulation import said

ZERO: Final = Decimal(0)
# What is worth less than this can be neither sold nor protected.
DUST_WORTH: Final = Decimal(7)
# Without a stop for so long, since it was held or the program started, somebody has to have heard
# of it: the deadline, the patience before it, and what a start may take.
BARE_S: Final = 300.0
# So often it is asked what is in doubt; that may last as long as something may be without a stop.
DOUBTS_EVERY_S: Final = 60.0
OVER: Final = frozenset({"FILLED", "CANCELED", "EXPIRED", "REJECTED", "NEVER"})


@dataclass(frozen=True)
class Harm:
    """What happened that may never happen."""

    kind: str
    text: str
    at: float

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:.3f} s: {self.text}"


@dataclass
class Holding:
    """One position, as the exchange's trades make it."""

    name: str
    bot: str
    symbol: str
    held: Decimal = ZERO
    bought: Decimal = ZERO
    entries: set[str] = field(default_factory=set)
    # An operator declared something of it: what is held may be nobody's now.
    declared: bool = False
    # The journal does not have it any more.
    lost: bool = False


@dataclass(frozen=True)
class Known:
    """An order of ours, and what it is for."""

    position: str
    bot: str
    role: str
    quantity: Decimal


class Judge:
    """Listens to the exchange, and looks into the journal's rows."""

    def __init__(self, journal: Path, exchange: Any, now: Callable[[], float]) -> None:
        self._journal = journal
        self.exchange = exchange
        self._now = now
        self.harms: list[Harm] = []
        self.holdings: dict[str, Holding] = {}
        self.orders: dict[str, Known] = {}
        self.owned: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self.taken: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self.taken_at: dict[str, float] = {}
        # Tells whether the program can know how the account stands since some moment.
        self.knows: Callable[[float, str], bool] = lambda _since, _symbol: True
        # So much of the owner's was sold before the program could know better.
        self.excused: dict[str, Decimal] = defaultdict(lambda: ZERO)
        # Files that were put back may lack what is on its way.
        self.files_are_whole = True
        # Bots on a journal that lacks records, of which an operator has not spoken since.
        self.unspoken: set[str] = set()
        # What is not ours is nobody's business here (`ownership = "shared"`).
        self.hands_off = True
        # Bots that buy more of what they hold; of the others a second entry is one too many.
        self.adders: frozenset[str] = frozenset()
        # Bots whose stops rest nowhere: how their levels are watched is `conduct`'s to judge.
        self.watched_here: frozenset[str] = frozenset()
        self.trades = 0
        # Since when a holding has not been covered by anything that would sell it.
        self._bare_since: dict[str, float] = {}
        # What the exchange or its owner left bare while it was said that nobody is heard.
        self._unheard_of: set[str] = set()
        # Since when an order has been in doubt, and when that was last asked.
        self._doubted_since: dict[str, float] = {}
        self._asked_at = 0.0
        exchange.listen(self.on_execution)

    def blame(self, kind: str, text: str) -> None:
        self.harms.append(Harm(kind, text, self._now()))

    def put_back(self) -> None:
        """Learn that older files took the journal's place: what they lack is lost to the program.

        Its numbers begin again where the files end; somebody has to hear of what was after that.
        """
        self.files_are_whole = False
        there = {name for (name,) in self.rows("SELECT position_id FROM positions")}
        orders = {name for (name,) in self.rows("SELECT client_order_id FROM orders")}
        for name, lost in list(self.holdings.items()):
            if name in there and not (lost.entries and lost.entries.isdisjoint(orders)):
                continue
            if lost.lost:
                continue
            del self.holdings[name]
            lost.lost = True
            lost.name = f"{name}, lost at {self._now():.0f} s"
            self.holdings[lost.name] = lost
            for order, known in self.orders.items():
                if known.position == name:
                    self.orders[order] = replace(known, position=lost.name)

    def follow(self, journal: Path) -> None:
        """Read the journal where it lies from now on."""
        self._journal = journal

    def records(self) -> int:
        """Return how many records the journal has."""
        ((count,),) = self.rows("SELECT count(*) FROM records") or [(0,)]
        return int(count)

    def declare(self, target: str) -> None:
        """Note that an operator resolved a position or resumed a bot, rightly or not."""
        bot = target.rpartition("-")[0] or target
        self.unspoken.discard(bot)
        for holding in self.holdings.values():
            # Who lets a bot run again that was in review for what was lost has answered for that.
            answered = holding.lost or (bot != target and not self.files_are_whole)
            if holding.name == target or (holding.bot == bot and answered):
                holding.declared = True

    # At every event of the exchange --------------------------------------------------------------

    def on_execution(self, execution: str, order: Any, trade: Any) -> None:
        if execution == "NEW" and order.origin == "api":
            self._on_order(order)
        elif execution == "TRADE":
            self._on_trade(order, trade)
        elif execution == "EXPIRED" and order.origin == "api":
            self._on_end_there(order)
        elif execution == "CANCELED" and order.origin != "api":
            by_hand = order.cancel_client_id == "outside_cancel"
            if self.hands_off and not by_hand:
                self.blame("the owner's order was cancelled", order.client_order_id)
        elif execution == "CANCELED" and order.cancel_client_id != "outside_cancel":
            self._on_cancel(order)
        elif execution == "CANCELED":
            self._on_end_there(order)

    def _on_end_there(self, order: Any) -> None:
        known = self.orders.get(order.client_order_id)
        if known is not None and said.is_unheard(self.rows):
            self._unheard_of.add(known.position)

    # Again and again -----------------------------------------------------------------------------

    def look(self, up_since: float | None) -> None:
        """Judge that what is held is protected, or said not to be, soon after a start (L5)."""
        if up_since is None:
            for seen in (self._bare_since, self._doubted_since, self._unheard_of):
                seen.clear()
            return
        if self._now() >= self._asked_at + DOUBTS_EVERY_S:
            self._asked_at = self._now()
            self._look_at_doubts(up_since)
        for holding in self.holdings.values():
            self._look_at_stop(holding, up_since)

    def _look_at_stop(self, holding: Holding, up_since: float) -> None:
        exempt = holding.declared or self.was_taken(holding)
        if exempt or self.bare(holding) * self.price(holding.symbol) <= DUST_WORTH:
            self._bare_since.pop(holding.name, None)
            return
        if self._unheard_of and self._cannot_be_known(holding):
            return
        since = max(self._bare_since.setdefault(holding.name, self._now()), up_since)
        if self._now() - since <= BARE_S or holding.name in self.alarmed():
            return
        if self._was_bought_unheard(holding):
            self._bare_since[holding.name] = self._now()  # from when it can be known
        else:
            self.blame("unprotected, and nobody said so", f"{holding.name} since {since:.0f} s")

    def _was_bought_unheard(self, holding: Holding) -> bool:
        """Tell whether what bought it is not booked, and it is said that nobody is heard."""
        if not said.is_unheard(self.rows):
            return False
        booked = self.rows(
            "SELECT client_order_id, fills.quantity FROM fills JOIN orders USING (client_order_id) "
            "WHERE position_id = ? AND role = 'entry'",
            holding.name,
        )
        return sum((Decimal(each) for _, each in booked), ZERO) < holding.bought

    def _cannot_be_known(self, holding: Holding) -> bool:
        """Tell whether it was left bare, and still nobody is heard, which is said."""
        if not said.is_unheard(self.rows):
            self._unheard_of.clear()
        return holding.name in self._unheard_of

    def _look_at_doubts(self, up_since: float) -> None:
        """Judge that what is in doubt for longer than it can take has been said to be."""
        query = "SELECT client_order_id, position_id FROM orders WHERE status = 'INTENDED'"
        doubts = dict(self.rows(query))
        self._doubted_since = {name: self._doubted_since.get(name, self._now()) for name in doubts}
        for name, seen in self._doubted_since.items():
            since = max(seen, up_since)
            if self._now() - since > BARE_S and doubts[name] not in self.alarmed():
                self.blame("in doubt, and nobody said so", f"{name} since {since:.0f} s")

    def _on_order(self, order: Any) -> None:
        name = order.client_order_id
        if name in self.orders:
            self.blame("an id was used twice", f"{name} ({self.orders[name].position})")
            return
        rows = self.rows(
            "SELECT o.position_id, p.bot, o.role, o.quantity, o.side FROM orders o "
            "JOIN positions p USING (position_id) WHERE client_order_id = ?",
            name,
        )
        if not rows:
            if self.files_are_whole:
                self.blame("sent before it was written", f"{order.side} {order.type} {name}")
            return
        position, bot, role, quantity, _ = rows[0]
        self.orders[name] = Known(position, bot, role, Decimal(quantity))
        self.holdings.setdefault(position, Holding(position, bot, order.symbol))
        if role == "entry":
            self._on_entry(position, name)

    def _on_entry(self, position: str, name: str) -> None:
        if self.orders[name].bot in self.unspoken:
            self.blame("entered on a journal that went back in time", f"{position}: {name}")
        for other in self.live():
            known = self.orders.get(other.client_order_id)
            if known and other.client_order_id != name and known.role == "entry":
                same = known.bot == self.orders[name].bot
                if same and not self.holdings[known.position].declared:
                    self.blame("two entries of one bot are live", f"{known.position}, {position}")
        others = self.rows(
            "SELECT client_order_id, status FROM orders "
            "WHERE position_id = ? AND role = 'entry' AND client_order_id != ?",
            position,
            name,
        )
        unresolved = [other for other, status in others if status not in OVER]
        if unresolved and self.files_are_whole:
            self.blame("entered while an entry is unresolved", f"{position}: {unresolved}, {name}")

    def _on_cancel(self, order: Any) -> None:
        """Judge a cancel of the program's: what protects a lost holding is not its to cancel."""
        known = self.orders.get(order.client_order_id)
        if known is None or known.role == "entry":
            return
        holding = self.holdings[known.position]
        if holding.lost and not holding.declared and self.worth(holding) > DUST_WORTH:
            self.blame("what protected was cancelled", f"{order.client_order_id}: {holding.name}")

    def _on_trade(self, order: Any, trade: Any) -> None:
        self.trades += 1
        rules = self.exchange.rules[order.symbol]
        fee = trade.fee if trade.fee_asset == rules.base else ZERO
        # The fee of a sale is no part of it: in BNB it is the account's to pay, on any symbol.
        moved = trade.quantity - fee if order.side == "BUY" else -trade.quantity
        if order.origin != "api":
            self.give(rules.base, moved)
            return
        known = self.orders.get(order.client_order_id)
        if known is None:
            return
        holding = self.holdings[known.position]
        holding.held += moved
        if order.side == "BUY":
            holding.bought += trade.quantity
            holding.entries.add(order.client_order_id)
        self._judge_exposure(holding, known, order)

    def _judge_exposure(self, holding: Holding, known: Known, order: Any) -> None:
        # Dust of the positions before is sold with what this one bought.
        own = sum(
            each.held
            for each in self.holdings.values()
            if (each.bot, each.symbol) == (holding.bot, holding.symbol)
            and (each is holding or self.worth(each) <= DUST_WORTH)
        )
        base = self.exchange.rules[holding.symbol].base
        # What the owner took is off no holding here: of one that he left only dust of, the dust is
        # not seen, and it is sold with what this one bought.
        dust = self.taken[base] > ZERO and -own * self.price(holding.symbol) <= DUST_WORTH
        excused = dust or self._as_believed(holding, order) or self._as_adopted(holding)
        if own < ZERO and not excused:
            self.blame("sold more than was bought", f"{holding.name}: {own}")
        adds = holding.bot in self.adders
        if len(holding.entries) > 1 and not holding.declared and not adds:
            self.blame("entered twice", f"{holding.name}: {sorted(holding.entries)}")
        if known.role == "entry" and not self.taken[base]:
            others = [
                each
                for each in self.holdings.values()
                if each.bot == holding.bot and each is not holding
                and not each.declared and self.worth(each) > max(
                    DUST_WORTH, Decimal("0.2") * each.bought * self.price(each.symbol)
                )
            ]  # fmt: skip
            if others and not (all(e.lost for e in others) and self._as_believed(holding, order)):
                names = ", ".join(each.name for each in others)
                self.blame("a bot holds two positions", f"{holding.name} and {names}")
        if known.role != "entry" and self.taken[base]:
            ours = sum(
                (each.held for each in self.holdings.values() if each.symbol == holding.symbol),
                ZERO,
            )
            late = self.knows(self.taken_at[base], holding.symbol)
            lacking = self.taken[base] - ours
            if not late:  # what was sold while it could not know stays sold
                self.excused[base] = max(self.excused[base], lacking)
            more = (lacking - self.excused[base]) * self.price(holding.symbol)
            if more > DUST_WORTH and self.owned[base] > ZERO:
                self.blame("the owner's coins were sold", f"by {holding.name}, worth {more}")

    def _as_adopted(self, holding: Holding) -> bool:
        """Tell whether somebody called his what a lost life had sold, and others' lie there.

        He was asked, because files were put back; more than all bots have there he cannot give.
        """
        there = [each for each in self.holdings.values() if each.symbol == holding.symbol]
        total = sum((each.held for each in there), ZERO) * self.price(holding.symbol)
        return holding.declared and not self.files_are_whole and total >= -DUST_WORTH

    def _as_believed(self, holding: Holding, order: Any) -> bool:
        """Tell whether a bot that lost a holding believes in as much as it truly has left.

        What an older journal cannot know it may take for its own then (SAFETY.md says so). What
        is nobody's it may not, and where nothing was lost, each holding stands for itself.
        """
        mine = [each for each in self.holdings.values() if each.bot == holding.bot]
        true = sum((each.held for each in mine), ZERO)
        price = self.price(holding.symbol)
        if not any(each.lost for each in mine) or true * price < -DUST_WORTH:
            return False
        name = order.client_order_id
        filled = self.rows("SELECT filled FROM orders WHERE client_order_id = ?", name)
        booked = Decimal(filled[0][0]) if filled else ZERO
        rows = self.rows("SELECT quantity FROM positions WHERE bot = ?", holding.bot)
        believed = sum((Decimal(quantity) for (quantity,) in rows), ZERO)
        fresh = order.executed - booked
        apart = true - believed - (fresh if order.side == "BUY" else -fresh)
        return abs(apart) * price <= DUST_WORTH

    def give(self, asset: str, amount: Decimal) -> None:
        """Note that the owner's own share changed; what he never had he took from the bots."""
        self.owned[asset] += amount
        if self.owned[asset] < ZERO:
            self.taken[asset] -= self.owned[asset]
            self.taken_at[asset] = self._now()
            self.owned[asset] = ZERO

    # Reading -------------------------------------------------------------------------------------

    def states(self) -> dict[str, tuple[str, str, Any, Decimal]]:
        return {
            name: (bot, state, frozen, Decimal(quantity))
            for name, bot, state, frozen, quantity in self.rows(
                "SELECT position_id, bot, state, frozen, quantity FROM positions"
            )
        }

    def alarmed(self) -> set[str]:
        """Return the positions of which it has been said that somebody has to look."""
        states, reviewed, overdue = (
            self.states(),
            said.reviewed(self.rows),
            said.overdue(self.rows),
        )
        alarmed = {
            name
            for name, (bot, _, frozen, _) in states.items()
            if frozen or bot in reviewed or name in overdue
        }
        if not self.files_are_whole:  # what is lost, only its bot can say
            bots = {states[name][0] for name in alarmed} | reviewed.keys()
            alarmed |= {each.name for each in self.holdings.values() if each.bot in bots}
        return alarmed

    def bare(self, holding: Holding) -> Decimal:
        """Return how much is held that no order would sell."""
        covered = ZERO
        if holding.bot in self.watched_here:
            return ZERO
        for order in self.live():
            known = self.orders.get(order.client_order_id)
            if known is None or known.position != holding.name:
                continue
            # An entry that still works has no stop at the exchange beside it (SAFETY.md says so):
            # it is watched by the server, which runs. What adds to it has one.
            if order.side == "SELL":
                covered += order.left
            elif holding.entries <= {order.client_order_id}:
                return ZERO
        return holding.held - covered

    def is_over(self, holding: Holding) -> bool:
        return holding.lost and abs(self.worth(holding)) <= DUST_WORTH

    def was_taken(self, holding: Holding) -> bool:
        return self.taken[self.exchange.rules[holding.symbol].base] > ZERO

    def live(self) -> Iterator[Any]:
        return (order for order in self.exchange.standing if order.origin == "api")

    def price(self, symbol: str) -> Decimal:
        return Decimal(self.exchange.quotes[symbol].last)

    def worth(self, holding: Holding) -> Decimal:
        """Return what is truly held, at the market."""
        return holding.held * self.price(holding.symbol)

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return what the journal answers."""
        if not self._journal.exists():
            return []
        path = str(self._journal)
        with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            connection.set_busy_timeout(1000)
            return list(connection.execute(query, values))
