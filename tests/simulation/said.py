"""What stands in the journal of how bots and accounts are: whoever asks the program is told it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

Rows: TypeAlias = Callable[..., list[tuple[Any, ...]]]


def reviewed(rows: Rows) -> dict[str, str]:
    """Return the bots that are in review, and why."""
    newest = {
        stream.partition("/")[2]: json.loads(data)
        for stream, data in rows(
            "SELECT stream, data FROM records WHERE kind = 'bot-status-changed' ORDER BY sequence"
        )
    }
    return {bot: str(said["reason"]) for bot, said in newest.items() if said["status"] == "REVIEW"}


def overdue(rows: Rows) -> set[str]:
    """Return the positions of which something is past its deadline, and was said."""
    newest = _newest(rows, "stuck-changed")
    return {each.get("position_id") for each in newest["standing"]} if newest else set()


def is_unheard(rows: Rows) -> bool:
    """Tell whether it is said that the exchange does not answer."""
    return health(rows) in {"unreachable", "banned"}


def health(rows: Rows) -> str | None:
    """Return how the account is said to stand with its exchange; None: nothing was said yet."""
    newest = _newest(rows, "health-changed")
    return None if newest is None else str(newest["health"]["state"])


def _newest(rows: Rows, kind: str) -> Any:
    found = rows("SELECT data FROM records WHERE kind = ? ORDER BY sequence DESC LIMIT 1", kind)
    return json.loads(found[0][0]) if found else None
