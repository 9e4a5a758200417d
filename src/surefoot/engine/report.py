"""What recovery came to, position by position: what was believed, what is true, what was done.

The evidence is what the comparison found; nothing is concluded here. A report stays small: what
differed comes first, and what is neither different nor held is only counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from surefoot.core.account_records import Recovered
from surefoot.core.evidence import Finding
from surefoot.core.lanes import Lane
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position, State
from surefoot.core.values import PositionId, plain

# Positions that one report tells of; the others are in the journal all the same.
TOLD_MAX: Final = 100
# Pieces of evidence that are told of one position.
EVIDENCE_MAX: Final = 12

_VERBS: Final = {Role.ENTRY: "entry", Role.EXIT: "exit", Role.STOP: "stop"}

Pairs: TypeAlias = Mapping[tuple[str, str], None]


def counted(before: Mapping[PositionId, Position], after: Iterable[Position]) -> dict[str, int]:
    """Count what recovery came to, position by position."""
    counts = {"opened": 0, "flat": 0, "closed": 0, "working": 0, "unchanged": 0}
    for position in after:
        was = before.get(position.position_id)
        if was is not None:
            counts[_outcome(was, position)] += 1
    return counts


def told(
    before: Mapping[PositionId, Position], after: Iterable[Position], findings: Iterable[Finding]
) -> tuple[Recovered, ...]:
    """Tell of every position that differed or holds something, what differed first."""
    # The same difference, found again in a later round, is told once.
    found: defaultdict[PositionId | None, dict[tuple[str, str], None]] = defaultdict(dict)
    for finding in findings:
        found[finding.position_id][finding.evidence, finding.outcome] = None
    told = [
        _position(was, each, found.get(each.position_id, {}))
        for each in after
        if (was := before.get(each.position_id)) is not None
        and (_is_out(each) or was.state is not each.state or each.position_id in found)
    ]
    told += [_stranger(*pair) for pair in found.get(None, {})]
    told.sort(key=lambda each: not each.evidence and each.outcome == "unchanged")
    return tuple(told[:TOLD_MAX])


def _is_out(position: Position) -> bool:
    """Tell whether anything is held, wanted or asked about."""
    asked = any(not order.finished for order in position.orders)
    return bool(position.quantity or position.frozen or asked)


def _position(was: Position, now: Position, found: Pairs) -> Recovered:
    pairs = tuple(found)[:EVIDENCE_MAX]
    return Recovered(
        position_id=was.position_id,
        outcome=_outcome(was, now),
        believed=believed(was),
        evidence=tuple(evidence for evidence, _ in pairs),
        followed=tuple(dict.fromkeys(outcome for _, outcome in pairs)),
        now=believed(now),
    )


def _stranger(evidence: str, outcome: str) -> Recovered:
    """Tell of what no position of ours explains."""
    return Recovered(
        position_id=None,
        outcome="stranger",
        believed="no bot has anything like it",
        evidence=(evidence,),
        followed=(outcome,),
        now="",
    )


def _outcome(was: Position, position: Position) -> str:
    state = position.state.value
    if was.state is not position.state:
        return {"OPEN": "opened", "FLAT": "flat", "CLOSED": "closed"}.get(state, "working")
    if position.state is State.OPEN and position.entered > was.entered:
        return "opened"  # more of it than before
    adding = position.lane(Lane.ENTRY) is not None
    return "working" if adding or state in {"OPENING", "CLOSING"} else "unchanged"


def believed(position: Position) -> str:
    """Say what the journal says of a position: its state, what it holds, and what is out."""
    verb = "leaving" if position.state is State.CLOSED else "holding"
    held = f", {verb} {plain(position.quantity)} {position.base}" if position.quantity else ""
    out = "; ".join(_believed(order) for order in position.orders if not order.finished)
    frozen = "; FROZEN" if position.frozen else ""
    return f"{position.state}{held}; {out or 'no order is out'}{frozen}"


def _believed(order: Order) -> str:
    name = f"{_VERBS[order.role]} {order.side} {plain(order.quantity)}"
    if order.status is OrderStatus.INTENDED:
        return f"{name} is written down, its fate unknown"
    cancel = ", to be cancelled" if order.cancel_at else ""
    return f"{name} is live, {plain(order.filled)} filled{cancel}"
