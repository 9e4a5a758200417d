"""What others do with the coins of the account: the policy, and the weighing that leads to it.

A balance raises the question; trades, and what was locked at the time, answer it.

    the bots hold h, the account t; t - h are the coins of others, which were b when last weighed

    t - h = b                        nothing happened
    t - h > b                        others brought coins: noted, theirs for ever
    0 <= t - h < b                   others took coins, which were
        every stop of ours rested      theirs, nothing else was free: noted
        nothing of ours is held        theirs: noted
      our fees took as much          theirs: noted; fees may be paid in what a bot trades
        otherwise                      perhaps ours: frozen, and somebody is asked
    t - h < 0                        something that was ours is not there
        one bot, trades explain it     booked as sold, at once if nothing of ours may have sold it,
                                       else after V; what was frozen for lack of this goes on
        no trades, and V has passed    frozen, and somebody is asked; what is there can be sold
    whatever it is, where coins came or went by no trade, and others may have sold what was ours:
                                       for longer than V: frozen, and somebody is asked

Dust that waits for its bot's next entry counts among what the bots hold. What lacks and is no more
than that is written off, so that no later exit asks for it: coins that nobody trades freeze nobody.

What others brought or took of their own is a finding in the record and in the log, not in `review`:
that is what wants somebody, and a list of what nobody has to act on would hide it.

What others buy after they had sold more than was theirs is theirs: coins that were bought by hand
make no holding whole that was sold by hand before. What the exchange refused to sell was not there
then: whatever may have gone before, went; and nothing of it is sold before this page has spoken.

Others use their own free coins first. What no software can know: whether a sale of as many coins as
both have was meant for the one or the other; whether coins that come back after a withdrawal are
the same; whether coins came by no trade before others sold as many, or after. Then the holding
stays short of what was missing until an operator speaks. Trades that account for a balance are
believed: what came and went in between by no trade, to the last coin, nobody can see.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias, assert_never

from msgspec import Struct

from surefoot.core.account_records import Coins
from surefoot.core.coins import held_of, moves_of, trades_of_others
from surefoot.core.comparison import Comparison
from surefoot.core.ebb import Ebb, ebb
from surefoot.core.evidence import Belief, Evidence, FindingKind
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position, State
from surefoot.core.protection import stop_rests
from surefoot.core.reconcile import Reconciliation, decisions_of
from surefoot.core.reports import Fill, Reduction, Shortage
from surefoot.core.signals import Freeze
from surefoot.core.values import ZERO, Asset, ExchangeOrderId, Side, plain


class Seen(Struct, frozen=True, kw_only=True):
    """What is seen of one asset while nothing of ours is under way.

    `there` is the balance, `held` what `holders` positions add up to less what is known to be
    missing, `before` what others had when it was last weighed. `guarded` tells that stops of ours
    locked all of it while others traded, `out` that one of them may have sold. `sold` is what
    others sold since, `kept` what they bought after all of theirs was sold, `perhaps` what of the
    bots' they may have sold beside, `known` that all those trades are known not to be ours, `fees`
    what our own trades took since, `waited` that it has been unexplained for longer than V.
    """

    there: Decimal
    held: Decimal
    before: Decimal | None
    missing: Decimal = ZERO
    holders: int = 1
    guarded: bool = False
    out: bool = False
    sold: Decimal = ZERO
    kept: Decimal = ZERO
    perhaps: Decimal = ZERO
    fees: Decimal = ZERO
    known: bool = True
    waited: bool = False


class Unchanged(Struct, frozen=True):
    """Nothing happened."""


class Theirs(Struct, frozen=True):
    """Others moved coins of their own; they have so much now."""

    amount: Decimal


class Ours(Struct, frozen=True):
    """So much of what a bot held was sold by others, and their trades prove it."""

    quantity: Decimal


class Unclear(Struct, frozen=True):
    """It cannot be proven whose the coins were: somebody must say it. So much is not there."""

    why: str
    missing: Decimal = ZERO


class Early(Struct, frozen=True):
    """Something is not explained, and a fill that is not visible yet may explain it."""


Verdict: TypeAlias = Unchanged | Theirs | Ours | Unclear | Early


_MIXED: Final = "and coins came or went by no trade: were they theirs?"


def judge(seen: Seen) -> Verdict:
    """Say what a balance means: the table of this page."""
    others = seen.there - seen.held
    lacks = seen.missing - min(others - seen.kept, ZERO)
    proven = seen.waited or (seen.known and not seen.out)
    if seen.perhaps:
        return Unclear(_MIXED, lacks) if seen.waited else Early()
    if lacks and proven and seen.holders == 1 and seen.sold >= lacks:
        return Ours(lacks)
    if others < seen.kept:
        why = "and no trades explain it" if others < ZERO else "and what is there came after it"
        return Unclear(why, lacks) if seen.waited else Early()
    if seen.before is None or others > seen.before:
        return Theirs(others)
    if others == seen.before:
        return Unchanged()
    if seen.guarded or not seen.held or seen.before - others <= seen.fees:
        return Theirs(others)
    return Unclear("while nothing locked what the bots hold: were they theirs?")


# Weighing ----------------------------------------------------------------------------------------


def weigh(belief: Belief, evidence: Evidence, now: datetime) -> Reconciliation:
    """Hold what the positions of some assets add up to against the balances.

    An asset whose positions have moved on since the reads began, or have something under way, is
    left for the next time: balance, fills and belief would be of different moments.
    """
    comparisons = [_OfHoldings(position, belief, evidence, now) for position in belief.positions]
    short: set[Asset] = set()
    weighed: set[Asset] = set()
    others: dict[Asset, Coins] = {}
    for asset in sorted({each.position.base for each in comparisons}):
        of_asset = [each for each in comparisons if each.position.base == asset]
        if evidence.balances is None or not all(each.as_read for each in of_asset):
            continue
        scale = _Scale(asset, of_asset, belief, evidence)
        if scale.lacking > ZERO or scale.seen.perhaps:
            short.add(asset)
        if any(is_unclear(each.position) for each in of_asset):
            continue
        weighed.add(asset)
        if scale.is_level:
            amount = scale.conclude()
            if amount is not None and amount != scale.seen.before:
                others[asset] = Coins(amount=amount, at=evidence.started_at)
        scale.release()
    return Reconciliation(
        findings=tuple(finding for each in comparisons for finding in each.findings),
        decisions=decisions_of(comparisons),
        short=frozenset(short),
        weighed=frozenset(weighed),
        others=others,
    )


def only_others(belief: Belief, evidence: Evidence) -> bool:
    """Tell whether what is there says by itself that coins of others came or went, at most.

    No trade that anybody could still be asked for would say otherwise.
    """
    sides = [_OfHoldings(each, belief, evidence, evidence.started_at) for each in belief.positions]
    if evidence.balances is None or not all(each.as_read for each in sides):
        return False
    if any(is_unclear(each) or belief.beside.get(each.base, ZERO) for each in belief.positions):
        return False
    return all(
        _Scale(asset, [s for s in sides if s.position.base == asset], belief, evidence).only_others
        for asset in {each.base for each in belief.positions}
    )


def is_unclear(position: Position) -> bool:
    """Tell whether what it holds is not certain: something else has the word first.

    After a setback the operator has it, or what explains it wholly; and else whatever order is out,
    other than a stop or an entry that rests.
    """
    return position.set_back_at is not None or any(
        not (order.role is Role.STOP or _buys(order)) or order.verdict is not None
        or not order.counted
        for order in position.orders
        if not order.finished
    )  # fmt: skip


def _buys(order: Order) -> bool:
    """Tell whether an order is an entry that rests: at most more may be there by now."""
    known = order.status is OrderStatus.WORKING and order.cancel_at is None
    return order.role is Role.ENTRY and known and not order.finished


class _OfHoldings(Comparison):
    """What one position holds."""


class _Scale:
    """One asset: its positions on one side, its balance on the other."""

    def __init__(
        self, asset: Asset, sides: Sequence[_OfHoldings], belief: Belief, evidence: Evidence
    ) -> None:
        self._asset = asset
        self._sides = sides
        self._holders = [each for each in sides if each.position.quantity > ZERO]
        self._holders = [e for e in self._holders if e.position.state is not State.CLOSED]
        self._waiting = [e for e in sides if not e.position.entered and e.position.claim > ZERO]
        self._belief = belief
        self._evidence = evidence
        before = belief.others.get(asset)
        trades = self._trades(None if before is None else before.at)
        self._sold = [fill for fill in trades if fill.side is Side.SELL]
        guarded = all(self._guarded(each) for each in self._holders)
        there = (evidence.balances or {}).get(asset, ZERO)
        held = sum((held_of(each.position) for each in sides), ZERO)
        if held - there > ZERO and self._is_rounding(held - there):
            there = held
        missing = sum((each.position.missing for each in self._holders), ZERO)
        fees = belief.fees.get(asset, ZERO)
        low = Ebb()
        if before is not None and not guarded:
            low = ebb(
                before.amount,
                there - held - missing,
                held + missing,
                moves_of(trades, asset),
                lot=min((each.terms.instrument.lot for each in sides), default=ZERO),
                fees=fees,
            )
        if any(each.position.denied_at is not None for each in self._holders):
            # It was not there when it was to be sold: what trades leave open is settled.
            low = Ebb(certain=low.possible, possible=low.possible)
        self.seen = Seen(
            there=there,
            held=held,
            before=None if before is None else before.amount,
            missing=missing,
            holders=len(self._holders),
            guarded=guarded,
            out=any(stop_rests(each.position) for each in self._holders),
            sold=sum((fill.quantity for fill in self._sold), ZERO),
            kept=there - held - missing + low.certain if low.certain else ZERO,
            perhaps=low.possible if low.unsure else ZERO,
            fees=fees,
            known=all(fill.client_order_id is not None for fill in self._sold),
            waited=asset in evidence.missing,
        )

    @property
    def lacking(self) -> Decimal:
        """Return how much less is there for the bots than they hold."""
        return self.seen.held + self.seen.kept - self.seen.there

    @property
    def is_level(self) -> bool:
        """Tell whether nothing that still buys tips it: beside that only a lack says anything."""
        buying = any(_buys(order) for each in self._sides for order in each.position.orders)
        return not buying or self.lacking > ZERO

    @property
    def only_others(self) -> bool:
        """Tell whether nothing of ours lacks, and what others traded does not matter.

        It does where nothing of ours was locked: they may have sold it, and bought since.
        """
        seen = self.seen
        if not self.is_level or seen.missing or seen.before is None:
            return False
        if seen.held and not seen.guarded:
            return False
        return isinstance(judge(seen), Unchanged | Theirs)

    def conclude(self) -> Decimal | None:
        """Let the positions learn what follows; return what is others' now, or None: unknown."""
        others = self.seen.there - self.seen.held
        match judge(self.seen):
            case Unchanged():
                return others
            case Theirs(amount=amount):
                self._note(amount)
                return amount
            case Ours(quantity=quantity):
                self._book(quantity)
                return max(others, self.seen.kept)
            case Unclear() if ZERO < -others <= self._dust:
                self._write_off(-others)
                return ZERO
            case Unclear(why=why, missing=missing):
                self._ask(why, missing, others)
                return max(others, self.seen.kept)
            case Early():
                outcome = "looking again before anything is concluded"
                for each in self._holders:
                    each.find(FindingKind.HOLDING_MISSING, None, self._lacks(self.lacking), outcome)
                return None
            case verdict:
                assert_never(verdict)

    def _note(self, amount: Decimal) -> None:
        if self.seen.before is not None and self._holders:
            change = amount - self.seen.before
            said = f"{plain(abs(change))} {self._asset} {'came' if change > 0 else 'went'}"
            if self._sold:
                said += f", others sold in trades {', '.join(f.trade_id for f in self._sold[:8])}"
            elif orders := self._foreign_sales():
                said += f", others sold in orders {', '.join(orders)}"
            self._holders[0].find(
                FindingKind.OTHERS_COINS, None, said, "they are not the bots'; nothing follows"
            )

    def release(self) -> None:
        """Let what was denied be sold again, once a later balance shows that it is there.

        What lacks is known by then, or it is not released: what somebody bought since is not it.
        """
        if self.lacking > ZERO:
            return
        told = self._evidence.balances_at or self._evidence.started_at
        evidence = f"the account holds {plain(self.seen.there)} {self._asset}"
        for each in self._holders:
            denied = each.position.denied_at
            if denied is not None and denied <= told:
                with each.isolated():
                    each.tell(Shortage(missing=each.position.missing, evidence=evidence))

    def _foreign_sales(self) -> list[ExchangeOrderId]:
        """Return the orders with which others sold since then, where their trades were not read."""
        since = self._belief.others[self._asset].at
        return [
            order.exchange_order_id
            for symbol in sorted({each.position.symbol for each in self._sides})
            for order in self._evidence.foreign.get(symbol, ())
            if order.side is Side.SELL and order.at is not None and order.at >= since
        ][-8:]

    def _book(self, quantity: Decimal) -> None:
        (holder,) = self._holders
        worth = sum((fill.price * fill.quantity for fill in self._sold), ZERO)
        names = ", ".join(fill.trade_id for fill in self._sold[:8])
        evidence = f"sold outside Surefoot in trades {names}"
        with holder.isolated():
            holder.tell(
                Reduction(
                    quantity=quantity,
                    price=worth / self.seen.sold,
                    evidence=evidence,
                    trades=tuple(fill.trade_id for fill in self._sold),
                ),
            )
            booked = f"{plain(quantity)} {self._asset} booked"
            outcome = f"{booked}; the position is {holder.position.state}"
            holder.find(FindingKind.REDUCED_OUTSIDE, None, evidence, outcome)

    @property
    def _dust(self) -> Decimal:
        return sum((each.position.claim for each in self._waiting), ZERO)

    def _write_off(self, missing: Decimal) -> None:
        """Let whose dust waits go without what is not there: it is too little to ask about."""
        for each in self._waiting:
            lost = min(missing, each.position.claim)
            missing -= lost
            if lost:
                evidence = (
                    f"the account has {plain(lost)} {self._asset} less, and no fill explains it"
                )
                with each.isolated():
                    each.tell(Shortage(missing=lost, evidence=evidence))
                    each.find(FindingKind.HOLDING_MISSING, None, evidence, "dust, written off")

    def _ask(self, why: str, missing: Decimal, others: Decimal) -> None:
        """Freeze and ask; whoever has a stop at work has its coins, the others share the rest."""
        gone = (self.seen.before or ZERO) - max(others, ZERO)
        left = self.seen.there - self.seen.kept
        asks = missing or self.seen.perhaps
        what = self._lacks(missing) if asks else f"{plain(gone)} {self._asset} went"
        reason = f"{what}, {why}"
        for each in sorted(self._holders, key=lambda e: not stop_rests(e.position)):
            there = min(each.position.present, left)
            left -= there
            with each.isolated():
                each.tell(Freeze(reason=reason, lacking=True))
                if missing:
                    lost = each.position.quantity - there
                    each.tell(Shortage(missing=lost, evidence=reason))
                outcome = "frozen until somebody resolves it"
                each.find(FindingKind.HOLDING_MISSING, None, reason, outcome)

    def _lacks(self, short: Decimal) -> str:
        held = f"the {plain(self.seen.held + self.seen.missing)} that its fills add up to"
        if self.seen.perhaps:
            return f"others may have sold {plain(self.seen.perhaps)} {self._asset} of {held}"
        return f"the account holds {plain(short)} {self._asset} less than {held}"

    def _trades(self, since: datetime | None) -> list[Fill]:
        """Return what others traded since the asset was last weighed, or since it is held.

        What was booked as sold from outside is not of others any more.
        """
        opened = [e.position.opened_at for e in self._holders if e.position.opened_at]
        first = max([*opened[:1], *([] if since is None else [since])], default=None)
        symbols = {each.position.symbol for each in self._sides}
        used = {trade for each in self._sides for trade in each.position.outside}
        found = trades_of_others(self._belief, self._evidence, symbols, first)
        return [fill for fill in found if fill.trade_id not in used]

    def _guarded(self, side: _OfHoldings) -> bool:
        """Tell whether a stop locked all that a position can sell whenever others sold."""
        position = side.position
        stop = position.last(Role.STOP)
        if stop is None or not stop_rests(position):
            return False
        sellable = side.terms.instrument.sellable(position.present)
        meddled = position.meddled_at is not None
        at_work = stop.told_at or stop.signed_at
        later = bool(self._sold) and all(fill.at > at_work for fill in self._sold)
        return stop.quantity - stop.filled >= sellable and (later or not meddled)

    def _is_rounding(self, short: Decimal) -> bool:
        """Tell whether what lacks is less than could ever be sold: fees are rounded by the venue.

        It must be less than one lot, and leave enough for every exit that the positions may send.
        """
        spare = sum(
            (
                each.position.present - each.terms.instrument.sellable(each.position.present)
                for each in self._holders
            ),
            ZERO,
        )
        return short <= spare and all(short < e.terms.instrument.lot for e in self._holders)
