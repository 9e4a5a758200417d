"""What others do with the coins of the account: a balance raises the question, trades answer it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from surefoot.core.comparison import Comparison
from surefoot.core.evidence import Belief, Evidence, FindingKind
from surefoot.core.order import Role
from surefoot.core.position import Position, State
from surefoot.core.reconcile import Reconciliation, decisions_of
from surefoot.core.reports import Fill, Reduction
from surefoot.core.signals import Freeze
from surefoot.core.values import ZERO, Asset, Side, plain


def weigh(belief: Belief, evidence: Evidence, now: datetime) -> Reconciliation:
    """Hold what the positions of some assets add up to against the balances.

    An asset whose positions have moved on since the reads began is left for the next time: balance,
    fills and belief would be of different moments.
    """
    comparisons = [_OfHoldings(position, belief, evidence, now) for position in belief.positions]
    busy = {each.position.base for each in comparisons if not each.as_read}
    short = lacking(evidence.balances, belief.positions)
    settled = {
        asset: amount
        for asset, amount in short.items()
        if asset not in busy and not _is_rounding(belief, asset, amount)
    }
    for each in comparisons:
        holders = _holders(belief.positions, each.position.base)
        each.weigh(settled.get(each.position.base, ZERO), holders)
    return Reconciliation(
        findings=tuple(finding for each in comparisons for finding in each.findings),
        decisions=decisions_of(comparisons),
        short=frozenset(settled),
    )


def lacking(
    balances: Mapping[Asset, Decimal] | None, positions: Iterable[Position]
) -> dict[Asset, Decimal]:
    """Return how much of each base asset the account lacks; sold dust does not count."""
    if balances is None:
        return {}
    expected: dict[Asset, Decimal] = {}
    for position in positions:
        if position.state is not State.CLOSED and position.quantity > ZERO:
            expected[position.base] = expected.get(position.base, ZERO) + position.quantity
    return {
        asset: quantity - balances.get(asset, ZERO)
        for asset, quantity in expected.items()
        if balances.get(asset, ZERO) < quantity
    }


def _is_rounding(belief: Belief, asset: Asset, short: Decimal) -> bool:
    """Tell whether what lacks is less than could ever be sold: fees are rounded by the venue.

    It must be less than one lot, and leave enough for every exit that the positions may send.
    """
    of_asset = [each for each in belief.positions if each.base == asset and each.quantity > ZERO]
    instruments = [belief.terms[each.bot].instrument for each in of_asset]
    spare = sum(
        (p.quantity - i.sellable(p.quantity) for p, i in zip(of_asset, instruments, strict=True)),
        ZERO,
    )
    return short <= spare and all(short < each.lot for each in instruments)


class _OfHoldings(Comparison):
    """What one position holds."""

    def weigh(self, short: Decimal, holders: int) -> None:
        """Hold what fills add up to against what the account has."""
        with self.isolated():
            self._weigh(short, holders)

    def _weigh(self, short: Decimal, holders: int) -> None:
        position = self.position
        if not short or position.state is not State.OPEN or position.frozen is not None:
            return
        # Whatever may still explain it has the word first: an order that is out or uncounted.
        if any(
            order.role is not Role.STOP or order.verdict is not None or not order.counted
            for order in position.orders
            if not order.finished
        ):
            return
        if position.base not in self.evidence.missing:
            outcome = "looking again before anything is concluded"
            self.find(FindingKind.HOLDING_MISSING, None, _lacks(position, short), outcome)
            return
        sold = self._sold_by_others()
        quantity = sum((fill.quantity for fill in sold), ZERO)
        if holders != 1 or quantity < short:
            reason = f"{_lacks(position, short)}, and no trades explain it"
            self.tell(Freeze(reason=reason))
            outcome = "frozen until somebody resolves it"
            self.find(FindingKind.HOLDING_MISSING, None, reason, outcome)
            return
        worth = sum((fill.price * fill.quantity for fill in sold), ZERO)
        trades = ", ".join(fill.trade_id for fill in sold[:8])
        evidence = f"sold outside Surefoot in trades {trades}"
        self.tell(
            Reduction(
                quantity=short,
                price=worth / quantity,
                evidence=evidence,
                trades=tuple(fill.trade_id for fill in sold),
            ),
        )
        self.find(
            FindingKind.REDUCED_OUTSIDE,
            None,
            evidence,
            f"{plain(short)} {position.base} booked; the position is {self.position.state}",
        )

    def _sold_by_others(self) -> list[Fill]:
        window = self.evidence.windows.get(self.position.symbol)
        opened = self.position.opened_at
        return [
            fill
            for fill in (window.fills if window else ())
            if fill.side is Side.SELL
            and (opened is None or fill.at >= opened)
            and self.position.find(fill.client_order_id, fill.exchange_order_id) is None
            and self.named(fill) is fill
            and fill.trade_id not in self.position.outside
        ]


def _lacks(position: Position, short: Decimal) -> str:
    return (
        f"the account holds {plain(short)} {position.base} less than the "
        f"{plain(position.quantity)} that its fills add up to"
    )


def _holders(positions: Iterable[Position], base: Asset) -> int:
    return sum(1 for each in positions if each.base == base and each.quantity)
