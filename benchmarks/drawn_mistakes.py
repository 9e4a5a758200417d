"""Mistakes that worlds find as they are drawn, for `sabotage`: as in `journal_mistakes`."""

from __future__ import annotations

DRAWN_MISTAKES: list[tuple[str, str, str, str, str]] = [
    (
        "be at break-even at once",
        "core/exits.py",
        "gain >= entry * plan.break_even",
        "gain >= plan.break_even",
        "tests/unit/core/test_exits.py",
    ),
    (
        "count a price for what was paid",
        "core/state.py",
        "            entry_cost=changed.entry_cost + worth,",
        "            entry_cost=changed.entry_cost + fill.price,",
        "tests/unit/core/test_adding.py tests/unit/core/test_position.py",
    ),
    (
        "let who is in review enter",
        "engine/runner.py",
        "        reason = self._gate()\n        if reason is not None:",
        "        reason = self._gate()\n        if False:",
        "tests/unit/engine/test_runner.py -k gate",
    ),
    (
        "call what nobody answered not sent",
        "engine/dispatch.py",
        "            return Doubt(client_order_id=name, reason=str(answer))",
        "            return Unsent(client_order_id=name, reason=str(answer))",
        "tests/unit/engine/test_dispatch.py",
    ),
    (
        "protect half of what is held",
        "core/stop.py",
        "sellable(held if largest is None else min(held, largest))",
        "sellable((held if largest is None else min(held, largest)) / 2)",
        "tests/unit/core/test_adding.py tests/unit/core/test_replacing.py",
    ),
    (
        "buy twice as much as is configured",
        "engine/allowance.py",
        "            return size.notional\n",
        "            return size.notional * 2\n",
        "tests/unit/engine/test_allowance.py tests/unit/engine/test_runner.py",
    ),
    (
        "come back a second after a ban was told",
        "exchange/binance/verdicts.py",
        "timedelta(seconds=min(int(retry_after), _BAN_MAX.total_seconds()))",
        "timedelta(seconds=1)",
        "tests/unit/exchange/test_verdicts.py tests/unit/exchange/test_ban_at_start.py",
    ),
    (
        "let an entry rest for ever",
        "core/rules.py",
        "    if order.expires_at is not None and now >= order.expires_at:\n",
        "    if False:\n",
        "tests/unit/core/test_decide.py tests/unit/core/test_adding.py",
    ),
]
