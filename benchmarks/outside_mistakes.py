"""Mistakes behind harms that were found from outside, for `sabotage`: as in `journal_mistakes`."""

from __future__ import annotations

OUTSIDE_MISTAKES: list[tuple[str, str, str, str, str]] = [
    (
        "take a stop for less than is held for the one that is wanted",
        "core/rules.py",
        "        and stop.quantity == stop_quantity(position, terms)\n",
        "",
        "tests/unit/core/test_adding.py tests/unit/core/test_replacing.py",
    ),
    (
        "believe an older journal although the exchange has an order that it lost",
        "core/reconcile.py",
        "        if stranger.lost and self.position.set_back_at is None",
        "        if False",
        "tests/unit/core/test_setback.py -k named_and_lost",
    ),
    (
        "ask on through a ban",
        "exchange/binance/carrier.py",
        "        if until is not None:\n            raise Banned(until",
        "        if False:\n            raise Banned(until",
        "tests/process/test_outage.py -k ban",
    ),
    (
        "forget a ban when a life ends",
        "engine/login.py",
        "        if noted is None or until > noted:\n",
        "        if False:\n",
        "tests/process/test_outage.py -k ban",
    ),
]
