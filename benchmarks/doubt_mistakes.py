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
]
