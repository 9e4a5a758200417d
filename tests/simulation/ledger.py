"""What has been simulated so far, added up over runs, and the page that says so."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from benchmarks.sabotage import SABOTAGES
from tests.simulation.docket import AS_DRAWN, DRAWN, STAGED, TOLD, whereabouts
from tests.simulation.machine import Verdict
from tests.simulation.plan import KINDS, LOSSES, PEOPLE, QUIET, READERS, STORMS, Plan
from tests.simulation.world import RECOVERED

from surefoot.engine.tempo import Tempo

LEDGER: Final = Path(__file__).parent / "ledger.json"
PAGE: Final = Path(__file__).parents[2] / "docs" / "simulation.md"
_YEAR_S: Final = 365.25 * 86_400
# What has to have happened somewhere, or the runs prove little.
SOMETIMES: Final = {
    "an order accepted after its sender's death": "world an order of the dead",
    "an order in doubt": "bot order-doubted",
    "an order in doubt that was found live": "sight doubt ended live",
    "an order in doubt that was found filled": "sight doubt ended filled",
    "an order in doubt that was found filled in part": "sight doubt ended part filled",
    "an order proven never accepted": "bot order-never",
    "an order refused": "bot order-refused",
    "a fill that only a comparison found": "bot finding",
    "a cancel": "bot cancel-intended",
    "a cancel that lost to a fill": "sight cancel lost to a fill",
    "a position frozen": "bot position-frozen",
    "a freeze that ended by evidence": "bot position-thawed",
    "a freeze that an operator ended": "bot position-resolved",
    "something past its deadline, said": "bot stuck",
    "what was past its deadline, over": "bot no longer stuck",
    "a ban noted": "record ban-noted",
    "a ban kept over a restart": "world a ban kept over a restart",
    "a position that was added to": "sight position that grew",
    "a stop": "world stop",
    "a kill": "world kill",
    "a journal put back": "world the journal is put back",
    "a journal deleted": "world the journal is deleted",
    "a journal's log lost": "world the log is lost",
    "a whole machine put back": "world the machine goes back to its snapshot",
    "a recovery that finished": RECOVERED,
    "two recoveries killed in a row": "world two recoveries killed in a row",
}


class Ledger:
    """The sums; kept in a file, so that runs can be resumed."""

    def __init__(self, path: Path = LEDGER) -> None:
        self._path = path
        self.sums: dict[str, Any] = _read(path)

    def next(self, sorts: Collection[str]) -> int:
        """Return the seed after the last one that was asked for worlds of these sorts."""
        return min(int(self.sums["next_seeds"].get(sort, 1)) for sort in sorts)

    def has(self, plan: Plan) -> bool:
        """Tell whether a world has been added."""
        return plan.seed < int(self.sums["next_seeds"].get(plan.sort, 1))

    def add(self, plan: Plan, verdict: Verdict) -> None:
        """Add one world."""
        with self._as_it_is():
            self._add(plan, verdict)

    @contextmanager
    def _as_it_is(self) -> Iterator[None]:
        """Change the sums as they are now, alone: other runs add to them meanwhile."""
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            self.sums = _read(self._path)
            yield
            text = json.dumps(self.sums, indent=1, sort_keys=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(f"{text}\n", "utf-8")
            fresh.replace(self._path)
        finally:
            os.close(directory)

    def _add(self, plan: Plan, verdict: Verdict) -> None:
        sums = self.sums
        sums["worlds"] += 1
        sums["next_seeds"][plan.sort] = plan.seed + 1
        for name in ("virtual_s", "processor_s", "steps", "starts", "deaths", "trades"):
            sums[name] = round(sums.get(name, 0) + getattr(verdict, name), 3)
        sorts = sums.setdefault("sorts", {})
        sorts[plan.sort] = sorts.get(plan.sort, 0) + 1
        bots_s = len(plan.bots) * verdict.virtual_s
        sums["bots_s"] = round(sums.get("bots_s", 0) + bots_s, 3)
        for event, times in verdict.counts.items():
            if event.startswith("trouble ") or event in SOMETIMES.values():
                sums["events"][event] = sums["events"].get(event, 0) + times
        for kind in {harm.kind for harm in verdict.harms}:
            sums["harms"].setdefault(kind, []).append(plan.seed)

    def merge(self, other: Ledger) -> None:
        """Add what another run has lived through; none of its worlds may be here already."""
        with self._as_it_is():
            here, there = self.sums, other.sums
            next_seeds = dict(here["next_seeds"])
            for name, value in there.items():
                match value:
                    case int() | float():
                        here[name] = round(here.get(name, 0) + value, 3)
                    case dict() if name in {"sorts", "events"}:
                        sums = here.setdefault(name, {})
                        for key, times in value.items():
                            sums[key] = sums.get(key, 0) + times
                    case dict() if name == "harms":
                        for kind, seeds in value.items():
                            here[name].setdefault(kind, []).extend(seeds)
                    case _:
                        here.setdefault(name, {}).update(value)
            for sort, seed in next_seeds.items():
                here["next_seeds"][sort] = max(seed, here["next_seeds"].get(sort, 1))

    def convict(self, sabotage: str, told: str, worlds: int, harm: str | None) -> None:
        """Note within how many worlds a mistake was convicted, and of what; None: not at all."""
        said = {"told": told, "worlds": worlds, "harm": harm}
        kind = "drawn" if told == AS_DRAWN else "convictions"
        with self._as_it_is():
            self.sums.setdefault(kind, {})[sabotage] = said

    def mend(self, seed: int, how: str) -> None:
        """Note what a seed had found, and where it was mended: it is open no more."""
        with self._as_it_is():
            harms, earlier = self.sums["harms"], self.sums.setdefault("earlier", {})
            for kind in [kind for kind, seeds in harms.items() if seed in seeds]:
                harms[kind] = [each for each in harms[kind] if each != seed]
                if not harms[kind]:
                    del harms[kind]
                said = (earlier.get(kind), f"{seed} {how}")
                earlier[kind] = "; ".join(filter(None, said))

    def page(self) -> str:
        """Return the page."""
        sums = self.sums
        parts = (_intro(), _totals(sums), _events(sums), _mistakes(sums), _harms(sums))
        return "\n".join(line for part in parts for line in part) + "\n"


def _read(path: Path) -> dict[str, Any]:
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found
    return {"worlds": 0, "next_seeds": {}, "virtual_s": 0.0, "events": {}, "harms": {}}


def _intro() -> Iterable[str]:
    yield "# Simulation"
    yield ""
    yield "Written by `make simulation-page` from `tests/simulation/ledger.json`; not by hand."
    yield ""
    yield "The whole program (engine, the Binance adapter over ccxt, SQLite) runs in one process in"
    yield "virtual time, against the simulated exchange over sockets in memory. One seed draws the"
    yield "bots, what goes wrong and when; the same seed tells the same story. After the faults"
    yield "everything heals and has to come to rest, and is judged by the exchange's own ledger."
    yield ""
    yield "A world is *mixed* (up to an hour of anything), a *storm* (minutes in which hardly a"
    yield "life gets as far as it wants to: most die in the middle of recovery) or *quiet* (days of"
    yield "hundreds of bots). Years are counted over bots: a day of fifty is fifty days."
    yield ""
    yield "Nearly all of the years are quiet, and a quiet year is less than a year of trading. Its"
    yield "bots decide when the candle of an hour closes, and most wish something once in some"
    yield "days; prices move every five minutes; nobody else acts on the account; the program's own"
    yield "timers (looks at its orders, comparisons of everything, candles, the inbox) ring"
    yield f"{_slower()} times less often than they do. What a quiet world is for is what only"
    yield "grows with time and bots: history, queues, counters, names. Harm is looked for in the"
    yield "other two."
    yield ""
    yield "    make simulate SEED=17             one world"
    yield "    make simulate SEED=1 SEEDS=100    many, one after the other"
    yield "    python -m tests.simulation --seed 17 --trace     its story"
    yield "    python -m tests.simulation --record --seeds 1000     go on with the run below"
    yield "    python -m tests.simulation --seed 17 --shrink    without what it does not need"
    yield ""


def _slower() -> str:
    """Return how many times slower than live the timers of a quiet world are, from and to."""
    live = Tempo()
    ratios = [getattr(QUIET, each.name) / getattr(live, each.name) for each in fields(Tempo)]
    return f"{min(ratios):.0f} to {max(ratios):.0f}"


def _totals(sums: dict[str, Any]) -> Iterable[str]:
    yield "## What has been lived through"
    yield ""
    yield "| | |\n|---|---:|"
    yield f"| worlds (seeds) | {sums['worlds']:,} |"
    for sort, times in sorted(sums.get("sorts", {}).items()):
        yield f"| of them {sort} | {times:,} |"
    yield f"| virtual days of the program | {sums['virtual_s'] / 86_400:,.1f} |"
    yield f"| virtual years of bots | {sums.get('bots_s', 0) / _YEAR_S:,.2f} |"
    yield f"| steps of the program | {sums.get('steps', 0):,} |"
    yield f"| kills | {sums.get('deaths', 0):,} |"
    yield f"| starts | {sums.get('starts', 0):,} |"
    yield f"| trades | {sums.get('trades', 0):,} |"
    hours = sums.get("processor_s", 0) / 3600 or 1.0
    yield f"| hours of one processor | {hours:,.2f} |"
    yield f"| kills with recovery per processor hour | {sums.get('deaths', 0) / hours:,.0f} |"
    years = sums.get("bots_s", 0) / _YEAR_S / hours
    yield f"| virtual years of bots per processor hour | {years:,.2f} |"
    yield ""


def _events(sums: dict[str, Any]) -> Iterable[str]:
    yield "## What went wrong, and what has to have happened"
    yield ""
    yield "| | times |\n|---|---:|"
    for kind in (*KINDS, *STORMS, *PEOPLE, *LOSSES, *READERS):
        yield f"| trouble: {kind} | {sums['events'].get(f'trouble {kind}', 0):,} |"
    for name, event in SOMETIMES.items():
        yield f"| {name} | {sums['events'].get(event, 0):,} |"
    yield ""


def _mistakes(sums: dict[str, Any]) -> Iterable[str]:
    yield "## Mistakes put back on purpose"
    yield ""
    yield "Each is a patch of `benchmarks/sabotage.py`, made in a copy and tried in worlds of the"
    yield "seeds 1, 2, 3, ... in which nothing goes wrong but what makes its situation (`--told`,"
    yield "seconds apart), or in one world that is made for it (a test of `tests/simulation`). The"
    yield "world that convicts it ends well without it. `tests/simulation/docket.py` says which is"
    yield "tried where, and which in none. All are noticed by the tests that the list names, also"
    yield "those that no world has convicted or has been tried for yet. The last column is of"
    yield "worlds as `make simulate SEED=1` draws them (mixed and storm, some seconds of them), in"
    yield "which nothing is made for any mistake: so is found what is in no list."
    yield ""
    yield "    python -m tests.simulation.convict 'send before it is written'"
    yield "    python -m tests.simulation.convict --drawn 'send before it is written'"
    yield ""
    yield "| mistake | tried in worlds of | convicted within seeds | of | drawn: within seed |"
    yield "|---|---|---:|---|---|"
    convictions = sums.get("convictions", {})
    for name, where in sorted((TOLD | STAGED | dict.fromkeys(DRAWN, AS_DRAWN)).items()):
        said = convictions.get(name, {})
        if name in DRAWN:
            row = " | "
        elif said.get("told") != where:
            row = " | not tried yet"
        else:
            row = f"{said['worlds']} | {said['harm'] or 'not convicted'}"
        yield f"| {name} | {where} | {row} | {_as_drawn(sums.get('drawn', {}).get(name))} |"
    yield ""
    yield "No world shows these, and why:"
    yield ""
    yield "| mistake | why no world shows it | noticed by |\n|---|---|---|"
    for each in SABOTAGES:
        if each.name not in {*TOLD, *STAGED, *DRAWN}:
            (why,) = whereabouts(each.name, each.file)
            yield f"| {each.name} | {why} | {each.tests} |"
    yield ""


def _as_drawn(said: dict[str, Any] | None) -> str:
    """Say within which seed of drawn worlds a mistake was found; some were not tried there."""
    if said is None:
        return ""
    worlds, harm = said["worlds"], said["harm"]
    return f"not in {worlds}" if harm is None else f"{worlds}: {harm}"


def _harms(sums: dict[str, Any]) -> Iterable[str]:
    yield "## Harm that was found"
    yield ""
    yield "A seed draws another world once the program takes one step more or less, so a seed"
    yield "is a story of one revision. What was mended has a test of its own where it was mended."
    yield "Since 99e65fa a mixed seed that draws a loss of files tells another story than before,"
    yield "and so does a mixed or quiet one with an outage: of runs before it only the sums count."
    yield "Since 2b82336 every seed is of another draw: worlds of fewer troubles, and of situations"
    yield "and circumstances that had only been told."
    yield ""
    yield "| harm | seeds, as the code was then |\n|---|---|"
    for kind, told in sorted(sums.get("earlier", {}).items()):
        yield f"| {kind} | {told} |"
    for kind, seeds in sorted(sums["harms"].items()):
        yield f"| {kind} | {', '.join(str(seed) for seed in sorted(set(seeds))[:20])} |"
