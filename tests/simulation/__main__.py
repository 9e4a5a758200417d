"""`python -m tests.simulation`: simulate seeds, tell a story, shrink what fails."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.ledger import Ledger
from tests.simulation.machine import simulate, story_of
from tests.simulation.plan import Plan, draw


def main() -> int:
    """Run the seeds that are asked for; return 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--seconds", type=float, default=None, help="stop after this many")
    parser.add_argument("--without", nargs="*", default=(), help="kinds of trouble to leave out")
    parser.add_argument(
        "--record", action="store_true", help="add to the ledger, and go on from it"
    )
    parser.add_argument("--trace", action="store_true", help="print the whole story")
    parser.add_argument("--shrink", action="store_true", help="leave out what is not needed")
    given = parser.parse_args()
    began, failed = time.monotonic(), 0
    ledger = Ledger() if given.record else None
    first = given.seed if ledger is None else ledger.sums["next_seed"]
    for seed in range(first, first + given.seeds):
        if given.seconds is not None and time.monotonic() - began > given.seconds:
            break
        plan = draw(seed).without(*given.without)
        verdict = simulate(plan, print if given.trace else None)
        if ledger is not None:
            ledger.add(plan, verdict)
        what = ", ".join(f"{kind}" for kind in plan.kinds)
        print(
            f"seed {seed}: {verdict.virtual_s / 60:.0f} virtual minutes, {verdict.starts} starts, "
            f"{verdict.deaths} kills, {verdict.trades} trades, {len(plan.bots)} bots; {what}; "
            f"{verdict.digest[:8]}",
            flush=True,
        )
        if verdict.harms:
            failed += 1
            if given.shrink:
                plan = shrunk(plan, verdict.harms[0].kind)
                verdict = simulate(plan)
            print(story_of(verdict))
            gone = sorted(set(draw(seed).kinds) - set(plan.kinds))
            without = f" --without {' '.join(gone)}" if gone else ""
            print(f"again: python -m tests.simulation --seed {seed}{without} --trace", flush=True)
    return 1 if failed else 0


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
