"""What others do with the coins of the account: the weighing that leads to a verdict.

A balance raises the question; trades or orders, and what was locked at the time, answer it. What
the verdict is stands in `whose`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from surefoot.core.account_records import Coins
from surefoot.core.coins import held_of
from surefoot.core.comparison import Comparison
from surefoot.core.ebb import Ebb, ebb
from surefoot.core.evidence import Belief, Evidence, FindingKind
from surefoot.core.moves import Moves, moves_of_others
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position, State
from surefoot.core.protection import stop_rests
from surefoot.core.reconcile import Reconciliation, decisions_of
from surefoot.core.reports import Reduction, Shortage
from surefoot.core.signals import Freeze
from surefoot.core.values import ZERO, Asset, Side, plain
from surefoot.core.whose import Early, Ours, Seen, Theirs, Unchanged, Unclear, judge


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
        if not scale.tells:
            scale.look_again()
            continue
        weighed.add(asset)
        if scale.is_level:
            amount = scale.conclude()
            if amount is not None:
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
    scales = _scales(belief, evidence)
    return scales is not None and all(scale.only_others for scale in scales)


def may_be_told(belief: Belief, evidence: Evidence) -> bool:
    """Tell whether a list of orders may account for what has come or gone of each asset."""
    scales = _scales(belief, evidence)
    return scales is not None and all(scale.is_plain for scale in scales)


def is_told(belief: Belief, evidence: Evidence) -> bool:
    """Tell whether orders of others account for what has come or gone of each asset."""
    scales = _scales(belief, evidence)
    return scales is not None and all(scale.is_told for scale in scales)


def is_unshown(belief: Belief, evidence: Evidence) -> bool:
    """Tell whether no order of others is shown that moved anything: perhaps it soon will be."""
    scales = _scales(belief, evidence)
    return scales is not None and all(scale.is_unshown for scale in scales)


def _scales(belief: Belief, evidence: Evidence) -> list[_Scale] | None:
    """Return the scale of each asset; None: balance and belief are of different moments."""
    sides = [_OfHoldings(each, belief, evidence, evidence.started_at) for each in belief.positions]
    if evidence.balances is None or not all(each.as_read for each in sides):
        return None
    if any(is_unclear(each) or belief.beside.get(each.base, ZERO) for each in belief.positions):
        return None
    return [
        _Scale(asset, [s for s in sides if s.position.base == asset], belief, evidence)
        for asset in sorted({each.base for each in belief.positions})
    ]


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
        self._moves = self._of_others(None if before is None else before.at)
        self._sold = [each for each in self._moves.told if each.side is Side.SELL]
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
                [each.change for each in self._moves.told],
                lot=self._lot,
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
            sold=sum((each.quantity for each in self._sold), ZERO),
            kept=there - held - missing + low.certain if low.certain else ZERO,
            perhaps=low.possible if low.unsure else ZERO,
            fees=fees,
            known=all(each.known for each in self._sold),
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

    @property
    def is_plain(self) -> bool:
        """Tell whether one holder lacks nothing yet, and no trade was booked as others' before."""
        symbols = {each.position.symbol for each in self._sides}
        booked = any(each.position.outside for each in self._sides)
        weighed = self.is_level and self.seen.before is not None and not self.seen.missing
        return weighed and not booked and len(self._holders) <= 1 == len(symbols)

    @property
    def is_told(self) -> bool:
        """Tell whether orders account for the balance, to less than what can be traded.

        What came and went without showing in either, to the last coin, nobody can see.
        """
        seen = self.seen
        if not (self._moves.of_orders and self.is_plain) or seen.before is None:
            return False
        moved = sum((each.change for each in self._moves.told), ZERO)
        differs = abs(seen.there - seen.held - seen.before - moved) >= self._lot
        return not differs and isinstance(judge(seen), Unchanged | Theirs | Ours)

    @property
    def is_unshown(self) -> bool:
        """Tell whether orders were told of, and none that moved anything."""
        return self._moves.of_orders and self.is_plain and not self._moves.told

    @property
    def tells(self) -> bool:
        """Tell whether what was read may be concluded from: of orders, if they say it all."""
        return not self._moves.listed or self.is_told or self.only_others

    def look_again(self) -> None:
        """Say that nothing is concluded yet."""
        outcome = "looking again before anything is concluded"
        for each in self._holders if self.lacking > ZERO else ():
            each.find(FindingKind.HOLDING_MISSING, None, self._lacks(self.lacking), outcome)

    @property
    def _lot(self) -> Decimal:
        return min((each.terms.instrument.lot for each in self._sides), default=ZERO)

    def conclude(self) -> Decimal | None:
        """Let the positions learn what follows; return what is others' from now on.

        None: it is what it was, and since when, or nobody knows. What was booked is weighed anew.
        """
        others = self.seen.there - self.seen.held
        match judge(self.seen):
            case Unchanged():
                return None
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
                left = max(others, self.seen.kept)
                return None if left == self.seen.before else left
            case Early():
                self.look_again()
                return None
            case verdict:
                assert_never(verdict)

    def _note(self, amount: Decimal) -> None:
        if self.seen.before is not None and self._holders:
            change = amount - self.seen.before
            said = f"{plain(abs(change))} {self._asset} {'came' if change > 0 else 'went'}"
            if self._sold or self._moves.sellers:
                said += f", others sold in {self._named}"
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

    @property
    def _named(self) -> str:
        """Return in what others sold: some of their trades, or of their orders."""
        trades = [str(each.trade) for each in self._sold if each.trade is not None]
        names = trades or [str(order) for order in self._moves.sellers]
        return f"{'trades' if trades else 'orders'} {', '.join(names[:8])}"

    def _book(self, quantity: Decimal) -> None:
        (holder,) = self._holders
        worth = sum((each.worth for each in self._sold), ZERO)
        evidence = f"sold outside Surefoot in {self._named}"
        with holder.isolated():
            holder.tell(
                Reduction(
                    quantity=quantity,
                    price=worth / self.seen.sold,
                    evidence=evidence,
                    trades=tuple(e.trade for e in self._sold if e.trade is not None),
                    orders=tuple(e.order for e in self._sold if e.trade is None),
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

    def _of_others(self, since: datetime | None) -> Moves:
        """Return what others traded since the asset was last weighed, or since it is held."""
        opened = (e.position.opened_at for e in self._holders if e.position.opened_at)
        times = (min(opened, default=None), since)
        first = max((each for each in times if each is not None), default=None)
        return moves_of_others(self._belief, self._evidence, self._asset, first)

    def _guarded(self, side: _OfHoldings) -> bool:
        """Tell whether a stop locked all that a position can sell whenever others sold."""
        position = side.position
        stop = position.last(Role.STOP)
        if stop is None or not stop_rests(position):
            return False
        sellable = side.terms.instrument.sellable(position.present)
        meddled = position.meddled_at is not None
        at_work = stop.told_at or stop.signed_at
        later = bool(self._sold) and all(each.began > at_work for each in self._sold)
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
