"""The judge of words: what an operator is told has to be true, whole, and fit to be shown.

What is true it takes from the exchange's own ledger and from the rows of the journal as they are at
the moment of the answer, and shares no code with what it judges. Reading takes no virtual time, so
that nothing can have happened in between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import apsw
from tests.simulation import said
from tests.simulation.judge import DUST_WORTH, OVER, ZERO, Judge
from tests.simulation.terminal import Answer
from tests.simulation.world import World

FINE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REVIEW: Final = 3
# What nobody may ever read: the keys of a world's accounts, and what a request is signed with.
SECRETS: Final = ("simulated-secret", "simulated-key", "signature=")
# What moves a cursor, ends a line, hides, or turns the direction of what follows.
_HOSTILE: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
# A stop that sells so many hundredths of what is held sells it all: the rest is below a lot.
_WHOLE: Final = Decimal("0.9")
_PLACES: Final = {"exchange": "at the exchange", "here": "watched here only", "none": "NOT WATCHED"}


class Words:
    """Judges answers of the command line."""

    def __init__(self, world: World, judge: Judge) -> None:
        self._world = world
        self._judge = judge

    def blame(self, kind: str, answer: Answer, why: str = "") -> None:
        """Note a harm, with what was typed and answered."""
        told = f"{why} | {answer.crash or ''}{answer.err}{answer.out}"
        self._judge.blame(
            kind, f"`{' '.join(answer.words)}` {answer.code}: {told[:300]} ... {told[-1_200:]}"
        )

    def heard(self, answer: Answer) -> None:
        """Judge what holds for every answer, whatever was asked."""
        if answer.crash is not None or "Traceback (most recent" in answer.err:
            self.blame("an operator was answered by a traceback", answer)
        elif answer.code not in {FINE, FAILED, USAGE, REVIEW}:
            self.blame("an exit code means nothing", answer)
        elif answer.code in {FAILED, USAGE} and not (answer.out or answer.err):
            self.blame("it failed, and nobody was told", answer)
        for text in (answer.out, answer.err, *_texts(answer)):
            if _HOSTILE.search(text) or (text not in {answer.out, answer.err} and "\n" in text):
                self.blame("a line may be forged", answer, repr(text[:500]))
            if any(secret in text for secret in SECRETS):
                self.blame("a secret was told", answer)

    # How everything stands -----------------------------------------------------------------------

    def status(self, text: Answer, document: Answer) -> None:
        """Judge what `status` says, for people and for programs, at one moment."""
        self.heard(text)
        self.heard(document)
        if text.code != document.code:
            self.blame("two answers to one question differ", text, f"--json: {document.code}")
        if document.code not in {FINE, REVIEW}:
            return
        told = document.document
        wanted = self._wanted(told)
        if bool(told["review"]) != (document.code == REVIEW):
            self.blame("an exit code is not what is shown", document)
        if wanted and document.code == FINE:
            self.blame("something wants somebody, and nobody is told", document, wanted)
        if not wanted and document.code == REVIEW and told["server"] is not None:
            self.blame("somebody is called for nothing", document)
        if (document.code == REVIEW) != text.out.startswith("LOOK HERE"):
            self.blame("two answers to one question differ", text, "LOOK HERE")
        self._shown(text, document)

    def _wanted(self, told: Any) -> str:
        """Return what wants somebody as the journal's rows stand; nothing, if nothing does.

        What lies there or is out while nobody serves it wants somebody; of dust it is left open.
        """
        rows = self._judge.rows
        found = [name for (name,) in rows("SELECT position_id FROM frozen")]
        found += [*said.reviewed(rows)]
        found += [str(each) for each in said.overdue(rows)]
        if told["server"] is None:
            query = "SELECT position_id FROM orders WHERE status IN ('INTENDED', 'WORKING')"
            out = [name for (name,) in rows(query)]
            found += [f"{name}, and no server" for name in (*self._held(), *out)]
        elif told["server"]["hangs"] or said.health(rows) not in {"ok", "starting", None}:
            found.append("the account")
        return ", ".join(found)

    def _held(self) -> dict[str, Decimal]:
        """Return what is believed to be held; of dust not everything has to be said."""
        query = "SELECT position_id, symbol, quantity FROM positions"
        held = {}
        for name, symbol, quantity in self._judge.rows(query):
            price = self._world.simulator.exchange.quotes[symbol.replace("/", "")].last
            if Decimal(quantity) * price > DUST_WORTH:
                held[name] = Decimal(quantity)
        return held

    def _shown(self, text: Answer, document: Answer) -> None:
        """Judge that whatever is held is shown, and where its stop is kept truly."""
        told = document.document
        shown = {bot["position"]["id"]: bot for bot in told["bots"] if bot["position"]}
        named = {*shown, *(each["position"] for each in told["review"])}
        named |= {name for bot in told["bots"] for name in bot["unsettled"]}
        over = "SELECT position_id FROM positions WHERE state IN ('CLOSED', 'FLAT')"
        closed = {name for (name,) in self._judge.rows(over)}
        for name, quantity in self._held().items():
            if name not in named and name not in closed:
                self.blame("something is held that is not shown", document, name)
            if name not in shown:
                continue
            position = shown[name]["position"]
            if Decimal(position["quantity"]) != quantity:
                self.blame(
                    "another quantity is shown than is believed",
                    document,
                    f"{name} {quantity} {position}",
                )
            self._kept(name, position["protection"], document)
            place = _PLACES[position["protection"]["stop"]]
            line = _below(text.out, f"  {shown[name]['bot']}  ")
            if position["stop_loss"] is not None and place not in line:
                self.blame("two answers to one question differ", text, f"{name} {place}")

    def _kept(self, name: str, protection: Any, answer: Answer) -> None:
        if self._world.program is None and "here" in {protection["stop"], protection["rest"]}:
            self.blame("a stop is called watched that nobody watches", answer, name)
        query = (
            "SELECT quantity, filled, status FROM orders WHERE position_id = ? AND role = 'stop'"
        )
        stops = [
            Decimal(quantity) - Decimal(filled)
            for quantity, filled, status in self._judge.rows(query, name)
            if status not in {*OVER, "INTENDED"}
        ]
        if protection["stop"] == "exchange" and not stops:
            self.blame("a stop is called resting that nobody placed", answer, name)
        holding = self._judge.holdings.get(name)
        if protection["rest"] != "exchange" or holding is None or holding.declared:
            return
        # What an owner sold by hand is believed to be held for a while, and needs no stop.
        held = min(self._held()[name], holding.held)
        if max(stops, default=ZERO) < _WHOLE * held:
            self.blame("a stop for a part is called one for all", answer, f"{name}: {stops}")

    # What was written down -----------------------------------------------------------------------

    def log(self, answer: Answer, bot: str | None) -> None:
        """Judge that the audit trail is all of what was written down, and in order."""
        self.heard(answer)
        if answer.code != FINE:
            return
        numbers = [int(line.split()[0]) for line in answer.out.splitlines()]
        streams = ("%", "") if bot is None else (f"bot/{bot}", f"position/{bot}-%")
        query = "SELECT sequence FROM records WHERE stream LIKE ? OR stream LIKE ? ORDER BY 1"
        true = self._judge.rows(query, *streams)
        if numbers != [number for (number,) in true]:
            self.blame("the log is not what was written down", answer, f"{len(true)} records")

    def explained(self, answer: Answer, name: str) -> None:
        """Judge that the life of a position ends as it stands."""
        self.heard(answer)
        query = "SELECT state FROM positions WHERE position_id = ?"
        for (state,) in self._judge.rows(query, name) if answer.code == FINE else ():
            if f"Now {state}, " not in answer.out:
                self.blame("a life is told to end otherwise", answer, f"{name} {state}")

    def checked(self, answer: Answer) -> None:
        """Judge that a sound journal is called sound, all of it."""
        self.heard(answer)
        if answer.code in {FINE, FAILED} and answer.document["journal"]["records"] is None:
            self.blame("a journal is called missing", answer)

    def copied(self, answer: Answer, copy: Path) -> None:
        """Judge that a copy has what the journal had, and take it away."""
        with closing(apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            count = connection.execute("SELECT count(*) FROM records").get
        if f"{count} records" not in answer.out:
            self.blame("a copy is not what was copied", answer, f"{count} records")
        for file in copy.parent.glob(f"{copy.name}*"):
            file.unlink()

    # What was asked for --------------------------------------------------------------------------

    def carried_out(self, answer: Answer, kind: str, before: int) -> None:
        """Judge that 0 is answered only to what was done."""
        self.heard(answer)
        query = "SELECT count(*) FROM commands WHERE kind = ? AND status = 'done'"
        ((done,),) = self._judge.rows(query, kind) or [(0,)]
        if answer.code == FINE and done <= before:
            self.blame("0 was answered to what was not done", answer)

    def done(self, kind: str) -> int:
        """Return how many commands of a kind have been done."""
        query = "SELECT count(*) FROM commands WHERE kind = ? AND status = 'done'"
        ((done,),) = self._judge.rows(query, kind) or [(0,)]
        return int(done)

    def refused(self, answer: Answer, waiting: tuple[int, int]) -> None:
        """Judge that nonsense is refused at once, and waits nowhere."""
        self.heard(answer)
        if answer.code in {FINE, REVIEW}:
            self.blame("nonsense was taken", answer)
        if waiting[0] != waiting[1]:
            self.blame("nonsense was stored", answer)


def _below(text: str, beginning: str) -> str:
    """Return the line after the one that begins so."""
    lines = text.splitlines()
    found = (under for line, under in pairwise(lines) if line.startswith(beginning))
    return next(found, "")


def _texts(answer: Answer) -> Iterator[str]:
    """Yield every text of a document; a program that shows it adds nothing to them."""
    if "--json" not in answer.words or answer.crash is not None or answer.code in {1, USAGE}:
        return
    try:
        yield from _within(json.loads(answer.out))
    except ValueError:
        yield "no document\n"


def _within(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in (*value, *value.values()):
                yield from _within(each)
        case list():
            for each in value:
                yield from _within(each)
        case _:
            return
