"""Trouble that is made only where it is told to be: situations that luck would seldom make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import apsw

if TYPE_CHECKING:
    from tests.simulation.trouble import Trouble

# A price of which nobody is told falls after so long; the stream stays silent about it so long.
_UNTOLD_S: Final = 45.0
_STILL_S: Final = 200.0
# Files that were moved away, or changed by hand, lie there for so long.
_AWAY_S: Final = 15.0
_FORGED_S: Final = 25.0
# What was written before they were moved is sent until then.
ON_ITS_WAY_S: Final = 3.0
# What is done to the files, which one pair of hands is at, at a time.
AT_FILES: Final = frozenset({"moved", "forged"})
# What somebody does to the tables by hand. Triggers are put back as they were, but for the last.
FORGERIES: Final = {
    "the open positions are deleted": "DELETE FROM positions WHERE state IN ('OPEN', 'CLOSING')",
    "the frozen positions are deleted": "DELETE FROM positions WHERE frozen IS NOT NULL",
    "a row is of another kind": (
        "UPDATE records SET kind = 'x' WHERE sequence = (SELECT max(sequence) FROM records)"
    ),
    "a row is of another time": (
        "UPDATE records SET at = '2020-01-01' WHERE sequence = (SELECT max(sequence) FROM records)"
    ),
    "the guards are gone": "",
}
_REPLACED: Final = "INSERT OR REPLACE INTO records SELECT * FROM records WHERE sequence = 1"


class Arranged:
    """Makes such situations in a world."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self.world, self.luck = trouble.world, trouble.luck
        self.armory, self.exchange = trouble.armory, trouble.exchange
        self.journal = trouble.world.directory / "surefoot.db"
        # Puts the journal back as it was; None: nobody is at it.
        self._put_back: Callable[[], None] | None = None
        self.kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "hush": self._hush,
            "still": self._still,
            "unmet": self._unmet,
            "hidden": self._hidden,
            "late": self._late,
            "unlock": self._unlock,
            "moved": self._move,
            "forged": self._forge,
        }

    def heal(self) -> None:
        """Put back what was moved or changed, in the middle of it."""
        if self._put_back is not None:
            self.world.kill()
            self._put_back()
            self._put_back = None

    def _stops(self) -> list[Any]:
        stops = [each for each in self.exchange.standing if each.type == "STOP_LOSS"]
        return [each for each in stops if each.origin == "api" and each.side == "SELL"]

    async def _hush(self) -> None:
        """End a stop, and let the price fall below it while the market stream says nothing."""
        ours = self._stops()
        if ours:
            stop = self.luck.choice(ours)
            self.armory.arm("stream_silence", {"on": "market", "seconds": 60})
            self.exchange.expire(stop)
            last = self.exchange.quotes[stop.symbol].last
            self.world.move(stop.symbol, float(stop.stop_price / last) * 0.997)

    async def _still(self) -> None:
        """Let a price fall of which the stream tells nothing, while it tells of others or none."""
        symbol = self.luck.choice(sorted({bot.symbol for bot in self._trouble.plan.bots}))
        symbol = symbol.replace("/", "")
        alone = {"symbol": symbol} if self.luck.random() < 0.7 else {}
        fault = self.armory.arm("stream_drop", {"on": "market", "times": 0, **alone})
        await self.world.sleep(_UNTOLD_S)
        self.world.move(symbol, 0.94)
        await self.world.sleep(_STILL_S - _UNTOLD_S)
        self.armory.disarm(fault.fault_id)

    async def _unmet(self) -> None:
        """Let a price be there and nobody take anything at it."""
        fault = self.armory.arm(
            "partial_fill",
            {"on": "order.replace", "side": "SELL", "type": "LIMIT", "fraction": 0.0, "times": 0},
        )
        symbol = self.luck.choice(sorted({bot.symbol for bot in self._trouble.plan.bots}))
        for _ in range(10):
            self.world.move(symbol.replace("/", ""), 1.002)
            await self.world.sleep(3)
        self.armory.disarm(fault.fault_id)

    async def _hidden(self) -> None:
        """Accept an order, answer nothing, and show it later than the exchange ever should."""
        where = self.luck.choice(("order.send", "order.send", "order.replace"))
        seconds = self._trouble.plan.visibility_s * self.luck.uniform(1.5, 6)
        self.armory.arm("hide_order", {"on": where, "seconds": seconds})
        self.armory.arm("lose_response", {"on": where})

    async def _late(self) -> None:
        """Hold a request up for longer than it may live."""
        self.armory.arm(
            "hold_request", {"on": "order.send", "seconds": self.luck.uniform(15.0, 55.0)}
        )

    async def _unlock(self) -> None:
        """Let coins vanish that a resting stop had locked: an exchange's mistake."""
        ours = self._stops()
        if ours:
            stop = self.luck.choice(ours)
            rules = self.exchange.rules[stop.symbol]
            gone = (stop.left * 2 / 5).quantize(rules.lot)
            self.exchange.locked[rules.base] -= gone
            self._trouble.judge.give(rules.base, -gone)

    async def _move(self) -> None:
        """Move the journal away under whoever writes to it; what lies beside it stays."""
        home, away = self.journal, self.journal.with_name("away.db")
        if self.world.program is None or not home.exists():
            return
        self._carry(home, away)
        self._put_back = partial(self._carry_back, away, home)
        self.world.story.say("world", "the journal is moved away")
        await self.world.sleep(ON_ITS_WAY_S)
        before = self._orders()
        await self.world.sleep(_AWAY_S - ON_ITS_WAY_S)
        if self._orders() > before:
            self._trouble.judge.blame("acted on a journal that was moved away", home.name)
        async with self._trouble.program_down():
            self.heal()

    def _carry(self, source: Path, target: Path) -> None:
        """Give the database another name; its log keeps its own, and has the other one as well."""
        for end in ("-wal", "-shm"):
            beside, log = Path(f"{target}{end}"), Path(f"{source}{end}")
            if log.exists() and not beside.exists():
                beside.hardlink_to(log)
        with suppress(FileNotFoundError):
            source.rename(target)
        self._trouble.judge.follow(target)

    def _carry_back(self, away: Path, home: Path) -> None:
        self._carry(away, home)
        for end in ("-wal", "-shm"):
            Path(f"{away}{end}").unlink(missing_ok=True)

    def _orders(self) -> int:
        return sum(1 for order in self.exchange.orders.values() if order.origin == "api")

    async def _forge(self) -> None:
        """Change the journal by hand: whoever starts on it has to notice; and put it back."""
        if not self.journal.exists():
            return
        what = self.luck.choice(sorted(FORGERIES))
        async with self._trouble.program_down():
            kept = {file: file.read_bytes() for file in self._files()}
            self._put_back = partial(self._write, kept)
            if not self._tamper(FORGERIES[what]):
                self.heal()  # it goes on with what it has: later that would be an older journal
                return
            self.world.story.say("world", what)
        recovered = self.world.recoveries
        await self.world.sleep(_FORGED_S)
        if self.world.recoveries > recovered:
            self._trouble.judge.blame("ran on a journal that was changed by hand", what)
        async with self._trouble.program_down():
            self.heal()

    def _write(self, kept: Mapping[Path, bytes]) -> None:
        for file in self._files():
            file.unlink()
        for file, content in kept.items():
            file.write_bytes(content)

    def _files(self) -> list[Path]:
        return sorted(self.journal.parent.glob(f"{self.journal.name}*"))

    def _tamper(self, statement: str) -> bool:
        """Carry a statement out past the guards; tell whether it changed anything."""
        with closing(apsw.Connection(str(self.journal))) as connection:
            try:
                connection.execute(_REPLACED)
                self._trouble.judge.blame("a row was put in the place of another", _REPLACED)
            except apsw.ConstraintError:
                pass
            triggers = list(
                connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            )
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            if not statement:
                return True
            connection.execute(statement)
            changed = connection.changes() > 0
            for _, sql in triggers:
                connection.execute(sql)
            return changed
