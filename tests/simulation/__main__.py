"""`python -m tests.simulation`: simulate seeds, tell a story, shrink what fails."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable

from tests.simulation.ledger import PAGE, Ledger
from tests.simulation.machine import Verdict, simulate, story_of
from tests.simulation.plan import Plan, draw


def main() -> int:
    """Run the seeds that are asked for; return 1 if one of them fails."""
    given = _arguments()
    if given.page:
        PAGE.write_text(Ledger().page(), "utf-8")
        return 0
    began, failed = time.monotonic(), 0
    ledger = Ledger() if given.record else None
    for seed in _seeds(given, ledger):
        if given.seconds is not None and time.monotonic() - began > given.seconds:
            break
        plan = draw(seed).without(*given.without)
        verdict = simulate(plan, print if given.trace else None)
        if ledger is not None:
            ledger.add(plan, verdict)
        print(_line(plan, verdict), flush=True)
        if verdict.harms:
            failed += 1
            _tell(plan, verdict, shrink=given.shrink)
            if given.until_harm:
                break
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    add = parser.add_argument
    add("--seed", type=int, default=1, help="the first one")
    add("--seeds", type=int, default=1, help="how many, one after the other")
    add("--among", type=int, nargs="*", default=None, help="these seeds only")
    add("--seconds", type=float, default=None, help="begin none after this many")
    add("--without", nargs="*", default=(), help="kinds of trouble to leave out")
    add("--trace", action="store_true", help="print the whole story")
    add("--shrink", action="store_true", help="leave out what the harm does not need")
    add("--until-harm", action="store_true", help="stop at the first harm")
    add("--record", action="store_true", help="add to the ledger, and go on where it ends")
    add("--page", action="store_true", help="write docs/simulation.md from the ledger, and end")
    return parser.parse_args()


def _seeds(given: argparse.Namespace, ledger: Ledger | None) -> Iterable[int]:
    if given.among is not None:
        return list(given.among)
    first = given.seed if ledger is None else int(ledger.sums["next_seed"])
    return range(first, first + given.seeds)


def _line(plan: Plan, verdict: Verdict) -> str:
    return (
        f"seed {plan.seed}: {verdict.virtual_s / 60:.0f} virtual minutes, {verdict.starts} starts, "
        f"{verdict.deaths} kills, {verdict.trades} trades, {len(plan.bots)} bots; "
        f"{', '.join(plan.kinds)}; {verdict.digest[:8]}"
    )


def _tell(plan: Plan, verdict: Verdict, *, shrink: bool) -> None:
    """Print how a world ended in harm, and how to see it again."""
    if shrink:
        plan = shrunk(plan, verdict.harms[0].kind)
        verdict = simulate(plan)
    print(story_of(verdict))
    gone = sorted(set(draw(plan.seed).kinds) - set(plan.kinds))
    without = f" --without {' '.join(gone)}" if gone else ""
    print(f"again: python -m tests.simulation --seed {plan.seed}{without} --trace", flush=True)


def shrunk(plan: Plan, harm: str) -> Plan:
    """Leave out every kind of trouble that this harm does not need."""
    for kind in plan.kinds:
        smaller = plan.without(kind)
        verdict = simulate(smaller)
        if verdict.harms and verdict.harms[0].kind == harm:
            plan = smaller
    return plan


if __name__ == "__main__":
    sys.exit(main())
