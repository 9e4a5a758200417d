"""`python -m tests.simulation`: simulate seeds, tell a story, shrink what fails."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from tests.simulation.ledger import LEDGER, PAGE, Ledger
from tests.simulation.machine import Verdict, simulate, story_of
from tests.simulation.plan import Plan, Sort, draw, read


def main() -> int:
    """Run the seeds that are asked for; return 1 if one of them fails."""
    given = _arguments()
    if given.merge:
        Ledger().merge(Ledger(given.merge))
    elif given.mended:
        Ledger().mend(int(given.mended[0]), given.mended[1])
    elif given.page:
        PAGE.write_text(Ledger().page(), "utf-8")
    else:
        return _run(given)
    return 0


def _run(given: argparse.Namespace) -> int:
    began, failed = time.monotonic(), 0
    ledger = None if given.record is None else Ledger(given.record)
    for seed in _seeds(given, ledger):
        if given.seconds is not None and time.monotonic() - began > given.seconds:
            break
        plan = draw(seed, given.told).without(*given.without).only(given.bots, given.lasts)
        if plan.sort not in given.sorts or (ledger is not None and ledger.has(plan)):
            continue
        verdict = simulate(plan, print if given.trace else None)
        if ledger is not None:
            ledger.add(plan, verdict)
        print(_line(plan, verdict), flush=True)
        if verdict.harms:
            failed += 1
            _tell(plan, verdict, given.told, shrink=given.shrink)
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
    add("--sorts", nargs="*", default=get_args(Sort), help="worlds of these sorts only")
    add("--told", type=read, default=None, help="what goes wrong: crash=60,lag=20 (seconds)")
    add("--without", nargs="*", default=(), help="kinds of trouble to leave out")
    add("--bots", nargs="*", default=None, help="these bots only")
    add("--lasts", type=float, default=None, help="heal after so many virtual seconds")
    add("--trace", action="store_true", help="print the whole story")
    add("--shrink", action="store_true", help="leave out what the harm does not need")
    add("--until-harm", action="store_true", help="stop at the first harm")
    add("--record", type=Path, nargs="?", const=LEDGER, help="add to a ledger, from where it ends")
    add("--merge", type=Path, help="add another run's ledger, and end")
    add("--mended", nargs=2, help="a seed's harm is open no more: how it was mended; and end")
    add("--page", action="store_true", help="write docs/simulation.md from the ledger, and end")
    return parser.parse_args()


def _seeds(given: argparse.Namespace, ledger: Ledger | None) -> Iterable[int]:
    if given.among is not None:
        return list(given.among)
    first = given.seed if ledger is None else ledger.next(given.sorts)
    return range(first, first + given.seeds)


def _line(plan: Plan, verdict: Verdict) -> str:
    return (
        f"seed {plan.seed}: {verdict.virtual_s / 60:.0f} virtual minutes, {verdict.starts} starts, "
        f"{verdict.deaths} kills, {verdict.trades} trades, {len(plan.bots)} bots; "
        f"{', '.join(plan.kinds)}; {verdict.digest[:8]}"
    )


def _tell(plan: Plan, verdict: Verdict, told: dict[str, float] | None, *, shrink: bool) -> None:
    """Print how a world ended in harm, and how to see it again."""
    if shrink:
        plan = shrunk(plan, verdict.harms[0].kind)
        verdict = simulate(plan)
    print(story_of(verdict))
    print(f"again: python -m tests.simulation {_asked_for(plan, told)} --trace", flush=True)


def _asked_for(plan: Plan, told: dict[str, float] | None = None) -> str:
    """Return the arguments that tell a plan again."""
    whole = draw(plan.seed, told)
    words = [f"--seed {plan.seed}"]
    if told:
        words.append(f"--told {','.join(f'{kind}={rate:g}' for kind, rate in told.items())}")
    gone = sorted(set(whole.kinds) - set(plan.kinds))
    if gone:
        words.append(f"--without {' '.join(gone)}")
    if len(plan.bots) < len(whole.bots):
        words.append(f"--bots {' '.join(bot.name for bot in plan.bots)}")
    if plan.lasts_s < whole.lasts_s:
        words.append(f"--lasts {plan.lasts_s:g}")
    return " ".join(words)


def shrunk(plan: Plan, harm: str) -> Plan:
    """Leave out every kind of trouble and every bot that this harm does not need, and the end."""
    for kind in plan.kinds:
        plan = _smaller(plan, plan.without(kind), harm)
    for bot in plan.bots:
        others = [each.name for each in plan.bots if each is not bot]
        plan = _smaller(plan, plan.only(others, None), harm) if others else plan
    for share in (0.25, 0.5, 0.75):
        sooner = plan.only(None, round(plan.lasts_s * share))
        if _smaller(plan, sooner, harm) is sooner:
            return sooner
    return plan


def _smaller(plan: Plan, smaller: Plan, harm: str) -> Plan:
    """Return the smaller plan if it comes to the same harm, or else the plan."""
    harms = simulate(smaller).harms
    return smaller if harms and harms[0].kind == harm else plan


if __name__ == "__main__":
    sys.exit(main())
