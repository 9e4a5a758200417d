"""One position held against what the exchange shows: what it is told, and what is found.

Every record comes out of `decide`, so telling the same twice changes nothing the second time.
Anything that goes wrong freezes this one position and no other (L6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from surefoot.core.decide import Input, decide, freeze_only
from surefoot.core.draft import Decision
from surefoot.core.errors import InvariantViolated, SurefootError
from surefoot.core.evidence import Belief, Evidence, Finding, FindingKind
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.records import PositionRecord
from surefoot.core.reports import Fill, LateFact, OrderReport


class Comparison:
    """One position, from what it was before to what it is after all that it is told."""

    def __init__(
        self, position: Position, belief: Belief, evidence: Evidence, now: datetime
    ) -> None:
        self.before = position
        self.position = position
        self.belief = belief
        self.terms = belief.terms[position.bot]
        self.evidence = evidence
        self.now = now
        self.records: list[PositionRecord] = []
        self.findings: list[Finding] = []
        self.failed = False
        self.as_read = as_read(position, evidence)
        self.left: list[Order] = []
        # What has left it, as it was then: a fact may still be about one of these.
        self.departed = {
            owned.order.client_order_id: owned.order
            for owned in belief.departed
            if owned.position_id == position.position_id
        }

    def decided(self) -> Decision:
        """Return all that followed, as one decision."""
        return Decision(records=tuple(self.records), position=self.position, left=tuple(self.left))

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """Be total per position (L6): what was gathered is dropped, the reason is kept."""
        try:
            yield
        except SurefootError as error:
            self.failed = True
            self.position = self.before
            self.findings = []
            self.records = []
            self.left = []
            if self.before.frozen is None:
                self._follow(freeze_only(self.before, _reason(error), self.now))
            self.find(FindingKind.FAILED, None, _reason(error), "frozen until somebody looks")

    def tell(self, event: Input) -> Sequence[PositionRecord]:
        """Let the position learn something; return what followed from it."""
        if isinstance(event, OrderReport | Fill):
            event = self.named(event)
        return self._follow(decide(self.position, event, self.now, self.terms))

    def named(self, fact: OrderReport | Fill) -> OrderReport | Fill | LateFact:
        """Say with a fact which order it is about, if that one has left."""
        names = (fact.client_order_id, fact.exchange_order_id)
        if self.departed and self.position.find(*names) is None:
            for order in self.departed.values():
                if order.is_named(*names):
                    return LateFact(order=order, fact=fact)
        return fact

    def _follow(self, decision: Decision) -> Sequence[PositionRecord]:
        self.position = decision.position
        self.records += decision.records
        self.left += decision.left
        self.departed |= {order.client_order_id: order for order in decision.left}
        return decision.records

    def find(self, kind: FindingKind, order: Order | None, evidence: str, outcome: str) -> None:
        """Note a difference, and what followed from it."""
        self.findings.append(
            Finding(
                kind=kind,
                symbol=self.position.symbol,
                bot=self.position.bot,
                position_id=self.position.position_id,
                order=None if order is None else order.client_order_id,
                evidence=evidence,
                outcome=outcome,
            ),
        )


def as_read(position: Position, evidence: Evidence) -> bool:
    """Tell whether a position is still what it was when the reads began."""
    return evidence.versions.get(position.position_id) == position.version


def _reason(error: SurefootError) -> str:
    prefix = "invariant " if isinstance(error, InvariantViolated) else ""
    return f"{prefix}{error}"
