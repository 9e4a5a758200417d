"""Mistakes to plant where something is in doubt, for `sabotage`: as in `journal_mistakes`."""

from __future__ import annotations

DOUBT_MISTAKES: list[tuple[str, str, str, str, str]] = [
    (
        "set a stop again while the lost one can still come",
        "core/facts.py",
        "        and absence.read_started_at > decided + MISSED_AFTER\n",
        "",
        "tests/unit/core/test_missed_stop.py",
    ),
    (
        "take an older answer for the proof that a stop is not there",
        "core/facts.py",
        " or decided is None or answer.asked_at <= decided:",
        " or decided is None:",
        "tests/unit/core/test_missed_stop.py",
    ),
    (
        "protect coins of others in the place of our own",
        "core/facts.py",
        "        and absence.alone\n",
        "",
        "tests/unit/core/test_missed_stop.py",
    ),
    (
        "take any refused cancel for the proof that nothing is open",
        "exchange/binance/adapter.py",
        "            if not answer.none_open:\n",
        "            if False:\n",
        "tests/conformance/exchange/test_adapter_verdicts.py -k engines_own_words",
    ),
    (
        "take a gain at whatever the market pays",
        "core/leaving.py",
        "    limit = _gain_limit(position, draft.terms)\n",
        "    limit = None\n",
        "tests/unit/core/test_taking_gains.py",
    ),
    (
        "let a wish to take a gain outlive the price",
        "core/leaving.py",
        "    if level is not Level.TAKE_PROFIT:\n        _let_gain_go(draft)\n",
        "",
        "tests/unit/core/test_taking_gains.py",
    ),
    (
        "let a stop wait because nobody met a limit",
        "core/state.py",
        " and not ended.filled and not unmet:",
        " and not ended.filled:",
        "tests/unit/core/test_taking_gains.py",
    ),
    (
        "take the stop away for a limit again and again",
        "core/rules.py",
        "    if tried_in_vain(position, now):\n",
        "    if False:\n",
        "tests/unit/core/test_taking_gains.py",
    ),
    (
        "sell again what a missed exit has sold",
        "core/facts.py",
        "    if order.shut:\n        _withdraw_others(order, draft)\n",
        "",
        "tests/unit/core/test_taking_gains.py tests/unit/core/test_missed_stop.py",
    ),
    (
        "trust a stream of which one socket stands still",
        "engine/prices.py",
        "        unpriced = sorted({*self._login.senses.unpriced(held), *quiet})\n",
        "        unpriced = sorted(self._login.senses.unpriced(held))\n",
        "tests/unit/engine/test_protection_first.py -k stands_still",
    ),
    (
        "ask once in a while for what moves unseen",
        "engine/prices.py",
        "            self._login.senses.mute(tick.symbol)\n",
        "",
        "tests/unit/engine/test_protection_first.py -k stands_still",
    ),
    (
        "let coins that nobody explains prove a holding",
        "core/setback.py",
        '        return "the account holds more than what is explained"\n',
        "        return None\n",
        "tests/unit/core/test_setback.py",
    ),
    (
        "let all that is there prove a holding that was never weighed",
        "core/setback.py",
        '        return "what the account held beside it was never weighed"\n',
        "        return None\n",
        "tests/unit/core/test_setback.py",
    ),
]
