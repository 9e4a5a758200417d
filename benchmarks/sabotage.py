"""Prove that the checks can fail: break the product on purpose, one way at a time, and see red.

    python -m benchmarks.sabotage [NAME...]

Each sabotage is a mistake that real bots make. It is made in a copy of `src/`; the tests named with
it are run against that copy, and at least one has to fail. A sabotage that stays green means that
nobody would notice. `docs/results.md` has the last run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.door_mistakes import DOOR_MISTAKES
from benchmarks.doubt_mistakes import DOUBT_MISTAKES
from benchmarks.drawn_mistakes import DRAWN_MISTAKES
from benchmarks.journal_mistakes import JOURNAL_MISTAKES
from benchmarks.outside_mistakes import OUTSIDE_MISTAKES

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Sabotage:
    """One mistake: what is replaced where, and the tests that must see it."""

    name: str
    file: str
    old: str
    new: str
    tests: str


SABOTAGES = [
    Sabotage(
        "send again when no answer came",
        "engine/dispatch.py",
        "        except (NotSent, Refused, Unknown) as error:\n            return (outcome",
        "        except (NotSent, Refused, Unknown) as error:\n"
        "            await self._orders.send(symbol, order)\n            return (outcome",
        "tests/process/test_lost_answers.py -k after_acceptance",
    ),
    Sabotage(
        "take one empty answer for absence",
        "core/facts.py",
        "    deadline = order.not_after + terms.visibility\n",
        "    return None\n    deadline = order.not_after + terms.visibility\n",
        "tests/process/test_lost_answers.py -k invisible",
    ),
    Sabotage(
        "send before it is written",
        "engine/keeper.py",
        "            receipt = await commit(self._journal, staged.change(memory, verdict))\n"
        "            self.believe(staged, receipt)",
        "            from surefoot.journal.port import Receipt, intents_in\n"
        "            early = Receipt(sequence=0, intents=intents_in(staged.appends()))\n"
        "            self.believe(staged, early)\n"
        "            import asyncio\n            await asyncio.sleep(0.05)\n"
        "            receipt = await commit(self._journal, staged.change(memory, verdict))",
        "tests/process/test_kill_points.py -k intent.before-commit",
    ),
    Sabotage(
        "keep no place for an order before it is written",
        "engine/capacity.py",
        "                self._orders.reserve(order)\n",
        "                pass\n",
        "tests/unit/engine/test_capacity.py -k before_it_is_written",
    ),
    Sabotage(
        "enter without a place for the stop",
        "engine/capacity.py",
        "return most is None or bot in taken or len(taken) < most",
        "return True",
        "tests/simulation/test_crowd.py -k thirty",
    ),
    Sabotage(
        "let entries use up the count of orders",
        "exchange/budget.py",
        "    Urgency.ENTRY: Fraction(1, 2),\n",
        "    Urgency.ENTRY: Fraction(1),\n",
        "tests/unit/exchange/test_budget.py -k leave_half",
    ),
    Sabotage(
        "take any answer for the newest word on the count",
        "exchange/budget.py",
        "told if asked_at >= self._told_at else max(used, told)",
        "told",
        "tests/unit/exchange/test_budget.py -k higher_figure",
    ),
    Sabotage(
        "let a request live for ever",
        "exchange/binance/client.py",
        'params["recvWindow"] = min(left, self.lifetime_max_ms)',
        'params["recvWindow"] = 60_000',
        "tests/process/test_lost_answers.py -k arrives_late",
    ),
    Sabotage(
        "book a fill as often as it is told",
        "core/facts.py",
        "    if order is None or fill.trade_id in order.trades:",
        "    if order is None:",
        "tests/process/test_streams.py -k duplicate",
    ),
    Sabotage(
        "forget an order that has left",
        "engine/keeper.py",
        "                return LateFact(order=owned.order, fact=fact)",
        "                return fact",
        "tests/unit/engine/test_departed.py",
    ),
    Sabotage(
        "let an order leave that is still looked for",
        "core/state.py",
        "        or order.is_lately_never(now)\n",
        "",
        "tests/unit/core/test_cost.py",
    ),
    Sabotage(
        "use a name twice",
        "core/rules.py",
        "    attempt = position.attempts + 1",
        "    attempt = len(position.orders) + 1",
        "tests/unit/core/test_cost.py",
    ),
    Sabotage(
        "believe an ending before its fills are counted",
        "core/rules.py",
        "order.verdict is not None and order.counted:",
        "order.verdict is not None:",
        "tests/unit/core/test_decide.py tests/process/test_streams.py",
    ),
    Sabotage(
        "leave the row of what is replaced as it was",
        "journal/projection.py",
        "order.replaces if both else None",
        "None",
        "tests/unit/journal/test_replaced_orders.py",
    ),
    Sabotage(
        "take an entry while one is out",
        "core/wishes.py",
        "    if position.state is not State.FLAT or position.unfinished is not None:",
        "    if False:",
        "tests/exhaustive tests/process/test_guards.py",
    ),
    Sabotage(
        "leave while more is being bought",
        "core/rules.py",
        "    if role is Role.EXIT and position.lane(Lane.ENTRY) is not None:",
        "    if False:",
        "tests/unit/core/test_adding.py tests/property/test_core_machine.py",
    ),
    Sabotage(
        "cancel a stop before its successor is accepted",
        "core/rules.py",
        "    if replaceable and order.quantity <= position.quantity:\n",
        "    if False:\n",
        "tests/unit/core/test_replacing.py tests/unit/engine/test_replacing.py",
    ),
    Sabotage(
        "ignore the fee that is kept back",
        "core/state.py",
        "kept_back = order.role is Role.ENTRY and fill.fee_asset == position.base",
        "kept_back = False",
        "tests/process/test_offline.py -k entry_filled_offline",
    ),
    Sabotage(
        "cancel whatever is not known",
        "core/orphans.py",
        "if belief.exclusive else None\n            findings",
        "if True else None\n            findings",
        "tests/process/test_orphans.py -k manual",
    ),
    Sabotage(
        "forget to look at the account",
        "engine/binding.py",
        "if who != identity:",
        "if False:",
        "tests/process/test_bad_input.py -k another_account",
    ),
    Sabotage(
        "let a stop give way",
        "core/exits.py",
        "return max(stop, other) if direction is Direction.LONG else min(stop, other)",
        "return other",
        "tests/unit/core/test_exits.py",
    ),
    Sabotage(
        "forget the protective stop",
        "core/rules.py",
        "    if not terms.native_stop or stop is None or leaving:",
        "    if True:",
        "tests/process/test_protection.py -k nobody_runs",
    ),
    Sabotage(
        "call a read of trades whole after its first page",
        "exchange/binance/trades.py",
        "            if len(rows) < PAGE_SIZE:\n",
        "            if True:\n",
        "tests/conformance/exchange/test_adapter_reads.py",
    ),
    Sabotage(
        "let a strategy take as long as it likes",
        "strategy/workers.py",
        "                if now - job.since >= job.limit_s:",
        "                if job.limit_s < 0:",
        "tests/process/test_bad_input.py -k Blocks",
    ),
    Sabotage(
        "put a secret into the log",
        "engine/supervisor.py",
        "        async with asyncio.TaskGroup() as tasks:",
        "        import os\n"
        "        open('leak.txt', 'w').write(os.environ.get('THE_SECRET', ''))\n"
        "        async with asyncio.TaskGroup() as tasks:",
        "tests/process/test_secrets.py",
    ),
    Sabotage(
        "leave a stop as it is when more is held",
        "core/rules.py",
        "    if not fits(position, order, terms):",
        "    if False:",
        "tests/unit/core/test_first_word_stays.py",
    ),
    Sabotage(
        "look for a lost order only half a day",
        "core/order.py",
        "LATE_SWEEP: Final = timedelta(hours=24)",
        "LATE_SWEEP: Final = timedelta(hours=12)",
        "tests/unit/core/test_first_word_stays.py",
    ),
    Sabotage(
        "write off anew instead of more",
        "core/state.py",
        "written_off=position.written_off + record.written_off",
        "written_off=record.written_off",
        "tests/unit/core/test_first_word_stays.py",
    ),
    Sabotage(
        "let a position grow younger",
        "core/state.py",
        "opened_at=changed.opened_at or fill.at",
        "opened_at=fill.at",
        "tests/unit/core/test_first_word_stays.py",
    ),
    Sabotage(
        "give the dashboard the exchange's keys",
        "cli/companion.py",
        "if not any(secret in value for secret in secrets)",
        "if True",
        "tests/process/test_web.py -k keys",
    ),
    Sabotage(
        "wait for ever in silence",
        "core/deadlines.py",
        "    return tuple(\n        stuck\n        for position in positions\n",
        "    return ()\n    return tuple(\n        stuck\n        for position in positions\n",
        "tests/unit/core/test_deadlines.py tests/unit/engine/test_vitals.py",
    ),
    Sabotage(
        "be green while nothing answers",
        "core/health.py",
        "    if silent is not None and (not seen.recovered or now - silent.since > SILENCE):",
        "    if silent is not None and False:",
        "tests/unit/core/test_health.py tests/unit/engine/test_vitals.py",
    ),
    Sabotage(
        "believe what is said of a live order",
        "core/answers.py",
        "    if not word.denied and not is_in_doubt(draft.position, order):",
        "    if False:",
        "tests/unit/core/test_resolving.py tests/unit/engine/test_supervisor.py",
    ),
    Sabotage(
        "answer 0 for what was only stored",
        "cli/post.py",
        "    return _Effect(text=text, code=FAILED)",
        "    return _Effect(text=text, code=FINE)",
        "tests/unit/cli/test_post.py",
    ),
    Sabotage(
        "leave the entry of a paused bot to fill",
        "core/wishes.py",
        "    if entry is not None and entry.cancel_at is None and entry.verdict is None:",
        "    if False:",
        "tests/unit/core/test_resolving.py tests/unit/engine/test_supervisor.py",
    ),
    Sabotage(
        "show a stop that nobody watches as watched",
        "core/protection.py",
        "    honoured = watched and position.set_back_at is None",
        "    honoured = True",
        "tests/unit/journal/test_review.py tests/unit/cli/test_status.py",
    ),
    *(
        Sabotage(*each)
        for each in (
            *JOURNAL_MISTAKES,
            *DOUBT_MISTAKES,
            *OUTSIDE_MISTAKES,
            *DOOR_MISTAKES,
            *DRAWN_MISTAKES,
        )
    ),
    Sabotage(
        "conclude absence of what has moved on",
        "core/reconcile.py",
        "            if self.as_read:\n                self._absences()",
        "            self._absences()",
        "tests/unit/engine/test_rounds.py -k absence",
    ),
    Sabotage(
        "cancel an orphan at first sight",
        "engine/inspection.py",
        "if not await self._books.withdraw(listed.symbol, again):",
        "if False:",
        "tests/unit/engine/test_rounds.py -k orphan",
    ),
    Sabotage(
        "let one symbol keep the others waiting",
        "engine/abreast.py",
        "AT_ONCE: Final = 8",
        "AT_ONCE: Final = 1",
        "tests/unit/engine/test_rounds.py -k waiting",
    ),
    Sabotage(
        "watch nothing before everything is proven",
        "engine/inspection.py",
        "                        proven(symbol)",
        "                        pass",
        "tests/unit/engine/test_protection_first.py",
    ),
    Sabotage(
        "leave a quiet market without a price",
        "engine/recovery.py",
        "        self._supervision.attend(partial(self._prices.ask, of_the_bare=True))",
        "        pass",
        "tests/unit/engine/test_protection_first.py -k levels",
    ),
    Sabotage(
        "take every sale by hand for the owner's",
        "core/whose.py",
        "    if seen.guarded or not seen.held or seen.before - others <= seen.fees:",
        "    if True:",
        "tests/unit/core/test_outside.py",
    ),
    Sabotage(
        "call absent what the balance shows",
        "core/facts.py",
        "    if absence.contradicted is not None:",
        "    if False:",
        "tests/unit/core/test_contradiction.py -k absence",
    ),
    Sabotage(
        "read no trades although the balance differs",
        "core/reconcile.py",
        "            and amount - belief.beside.get(asset, ZERO) == belief.others[asset].amount",
        "            and amount is not None",
        "tests/unit/engine/test_plan.py -k changed",
    ),
]


def main() -> None:
    """Run the sabotages that are named, or all; exit with 1 if one goes unnoticed."""
    chosen = [each for each in SABOTAGES if not sys.argv[1:] or each.name in sys.argv[1:]]
    unnoticed = [each.name for each in chosen if not noticed(each)]
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} noticed")
    sys.exit(1 if unnoticed else 0)


def noticed(sabotage: Sabotage) -> bool:
    """Make one mistake in a copy, run its tests against it, and tell whether one failed."""
    with tempfile.TemporaryDirectory(prefix="sabotage-") as directory:
        source = Path(directory) / "src"
        shutil.copytree(ROOT / "src", source)
        file = source / "surefoot" / sabotage.file
        text = file.read_text(encoding="utf-8")
        if text.count(sabotage.old) != 1:
            sys.exit(f"{sabotage.name}: {sabotage.file} does not have this text just once")
        file.write_text(text.replace(sabotage.old, sabotage.new), encoding="utf-8")
        tests = sabotage.tests.split()
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", "--no-header", *tests]
        result = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            check=False,
        )
    failed = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
    seen = result.returncode != 0 and bool(failed)
    word = "noticed  " if seen else "UNNOTICED"
    print(f"{word}  {sabotage.name}: {failed[:1] or result.stdout[-300:]}", flush=True)
    return seen


if __name__ == "__main__":
    main()
