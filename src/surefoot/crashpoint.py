"""Named places where a test may kill this process, or make it stand still.

Always compiled in and free when unused: without `SUREFOOT_CRASH_AT` in the environment every call
returns at once. `SUREFOOT_CRASH_AT=NAME` or `NAME:K` kills the process with SIGKILL when NAME is
reached for the first (or K-th) time, which is exactly what a power switch would do there.
`SUREFOOT_STOP_AT` stops it there with SIGSTOP instead, with whatever it holds.
"""

from __future__ import annotations

import os
import signal
from typing import Final

POINTS: Final = frozenset(
    {
        "intent.before-commit",
        "intent.after-commit",
        "order.before-send",
        "order.after-response",
        "order.after-result-commit",
        "fill.before-commit",
        "fill.after-commit",
        "cancel.before-send",
        "cancel.after-send",
        "amend.before-send",
        "amend.after-send",
        "recovery.after-bind",
        "recovery.after-load",
        "recovery.after-orders",
        "recovery.after-fills",
        "recovery.before-commit",
        "recovery.after-commit",
        "recovery.before-orphans",
        "recovery.before-report",
        "recovery.after-report",
        "creation.before-rename",
        "migration.before-commit",
        "migration.after-commit",
        "journal.before-commit",
        "journal.after-commit",
        "inbox.before-commit",
        "inbox.after-commit",
        "cursor.before-replace",
        "state.before-replace",
        "notify.before-delivery",
        "notify.after-delivery",
        "notify.after-cursor",
        "telegram.before-command",
        "telegram.after-command",
        "telegram.after-answer",
    },
)

_seen = 0


def crashpoint(name: str) -> None:
    """Die or stop here if the environment asks for it."""
    global _seen  # noqa: PLW0603 (one counter per process is the point)
    stops = os.environ.get("SUREFOOT_STOP_AT")
    wanted = stops or os.environ.get("SUREFOOT_CRASH_AT")
    if wanted is None:
        return
    if name not in POINTS:
        raise KeyError(f"crash point {name} is not listed in POINTS")
    target, _, count = wanted.partition(":")
    if name != target:
        return
    _seen += 1
    if _seen == int(count or 1):
        os.kill(os.getpid(), signal.SIGSTOP if stops else signal.SIGKILL)
