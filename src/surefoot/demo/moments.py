"""When to kill: the moments at which bots die badly, as crash points and as faults."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random  # noqa: TID251 (seeded by the user)
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment to die in; `crash_at` is a crash point, or None for a kill from outside.

    `while_held` kills while the exchange, having accepted an order, keeps its answer back.
    """

    title: str
    crash_at: str | None = None
    while_held: bool = False
    in_recovery: bool = False


INTENT: Final = Moment(
    title="after the intent was written, before anything was sent",
    crash_at="intent.after-commit",
)
SENT: Final = Moment(
    title="after the order was accepted, before the answer came",
    while_held=True,
)
ACKNOWLEDGED: Final = Moment(
    title="after the acknowledgement, before it was written",
    crash_at="order.after-response",
)
FILL: Final = Moment(
    title="between a fill's arrival and its being written",
    crash_at="fill.before-commit",
)
BOOKED: Final = Moment(title="right after a fill was written", crash_at="fill.after-commit")
RESULT: Final = Moment(
    title="after the order's result was written", crash_at="order.after-result-commit"
)
CANCEL: Final = Moment(
    title="before a cancel that was written was sent", crash_at="cancel.before-send"
)
CANCELLED: Final = Moment(
    title="after a cancel was sent, before its effect was known", crash_at="cancel.after-send"
)
UNWRITTEN: Final = Moment(
    title="while an intent was being written", crash_at="intent.before-commit"
)
ANYTIME: Final = Moment(title="at a random moment")

IN_RECOVERY: Final = (
    Moment(
        title="inside recovery, after reading orders",
        crash_at="recovery.after-orders",
        in_recovery=True,
    ),
    Moment(
        title="inside recovery, after reading fills",
        crash_at="recovery.after-fills",
        in_recovery=True,
    ),
    Moment(
        title="inside recovery, before its findings were written",
        crash_at="recovery.before-commit",
        in_recovery=True,
    ),
    Moment(
        title="inside recovery, after its findings were written",
        crash_at="recovery.after-commit",
        in_recovery=True,
    ),
    Moment(
        title="inside recovery, before its report",
        crash_at="recovery.before-report",
        in_recovery=True,
    ),
)

# The first scene shows the worst ones in an order that can be followed.
OPENING: Final = (INTENT, SENT, IN_RECOVERY[0], ACKNOWLEDGED, FILL, IN_RECOVERY[2], CANCEL, SENT)
_OTHERS: Final = (
    INTENT, SENT, ACKNOWLEDGED, FILL, BOOKED, RESULT, CANCEL, CANCELLED, UNWRITTEN, ANYTIME,
)  # fmt: skip
_RECOVERY_SHARE: Final = 0.3


def moments(kills: int, luck: Random) -> list[Moment]:
    """Choose the moments of a run: the opening, then whatever the seed brings."""
    chosen = list(OPENING[:kills])
    while len(chosen) < kills:
        # Two deaths in recovery in a row are fine: that is what happens in crash loops.
        pool = IN_RECOVERY if luck.random() < _RECOVERY_SHARE else _OTHERS
        chosen.append(luck.choice(pool))
    return chosen
