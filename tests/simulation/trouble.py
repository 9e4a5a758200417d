"""What goes wrong: one coroutine a kind, called again and again while the faults last."""

from __future__ import annotations

import asyncio
import gc
import math
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import ROUND_DOWN, Decimal
from functools import partial
from random import Random
from typing import Any, Final

from tests.simulation.arranged import AT_FILES, Arranged
from tests.simulation.judge import Judge
from tests.simulation.plan import Plan
from tests.simulation.reader import Reader
from tests.simulation.world import World

from surefoot.core.errors import SurefootError
from surefoot.simulator.model import ApiError, NewOrder, Twist

# What a request meets, and where; the rest of the simulator's faults lie beyond what any software
# can see through (a proxy that delivers twice), or are kinds of their own here.
_REQUESTS: Final = (
    "lose_request", "lose_response", "slow_response", "hold_request", "error_before", "error_after",
    "html_body", "empty_body", "truncated_body", "ack_without_id",
)  # fmt: skip
_PLACES: Final = (
    "order.send", "order.send", "order.cancel", "order.query", "openOrders", "myTrades", "account",
    "time", "exchangeInfo", "klines", "*",
)  # fmt: skip
_STREAMS: Final = (
    "stream_drop", "stream_duplicate", "stream_delay", "stream_reorder", "stream_replay",
    "stream_silence", "stream_disconnect",
)  # fmt: skip
_DATABASE: Final = "surefoot.db"
_FILES: Final = (_DATABASE, f"{_DATABASE}-wal")
# So many records at most may have been written after what is noted of them outside.
_UNNOTED: Final = 10
# So slow an exchange may answer when nobody waits any more.
_SLOW_S: Final = 1.0
# For so long the program is started again and again beside what is left of a deleted journal.
_REFUSED_S: Final = 20.0


class Trouble:
    """Everything that can be done to a world; `kinds` names what a plan may ask for."""

    def __init__(self, world: World, plan: Plan, judge: Judge) -> None:
        self.world = world
        self.plan = plan
        self.judge = judge
        self.luck = Random(f"{plan.seed} trouble")
        self.exchange = world.simulator.exchange
        self.armory = world.simulator.armory
        self._hand = 0
        self._copied = False
        # The database is deleted, what lies beside it is not yet.
        self._half_deleted = False
        # One pair of hands at the files at a time: what another had put back meanwhile is no
        # journal that was begun.
        self._hands = asyncio.Lock()
        # Whom nobody had spoken of when the snapshot was taken.
        self._unspoken_then: set[str] = set()
        self.kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "crash": self._crash,
            "double-crash": self._double_crash,
            "storm": self._storm,
            "graceful": self._stop,
            "request": self._request,
            "stream": self._stream,
            "break": self._break,
            "latency": self._latency,
            "outage": self._outage,
            "ban": self._ban,
            "clock": self._clock,
            "lag": self._lag,
            "partial": self._partial,
            "expire": self._expire,
            "jump": self._jump,
            "owner": self._owner,
            "operator": self._operator,
            "restore": partial(self._alone, self._restore),
            "deleted": partial(self._alone, self._delete),
            "log-lost": partial(self._alone, self._lose_log),
            "snapshot": partial(self._alone, self._snapshot),
        }
        reader = Reader(world, plan, judge)
        self.kinds |= {"reads": reader.read, "types": reader.type}
        self._arranged = Arranged(self)
        for kind, deed in self._arranged.kinds.items():
            self.kinds[kind] = partial(self._alone, deed) if kind in AT_FILES else deed

    async def _alone(self, deed: Callable[[], Awaitable[None]]) -> None:
        async with self._hands:
            await deed()

    async def keep_striking(self, kind: str, every_s: float) -> None:
        """Strike at random moments, for ever."""
        while True:
            await self.world.sleep(self.luck.expovariate(1 / every_s))
            self.world.story.say("trouble", kind)
            await self.kinds[kind]()

    def heal(self) -> None:
        """Undo what lasts, and end what was begun."""
        if self._half_deleted:
            self._delete_all()
        self._arranged.heal()
        self.armory.disarm()
        self.world.clock_is_off_s = 0.0
        self.set_delay(0.001)

    def set_delay(self, seconds: float) -> None:
        slow = seconds >= _SLOW_S
        if slow or self.world.slow_until == math.inf:
            self.world.slow_until = math.inf if slow else self.world.now
        self.world.loop.network.delay = lambda: self.luck.uniform(0.2, 1.8) * seconds

    # Deaths --------------------------------------------------------------------------------------

    async def _crash(self) -> None:
        """Kill now, or a number of steps from now, or so many steps after the next order."""
        life, luck = self.world.program, self.luck
        if life is None:
            return
        match luck.randrange(3):
            case 0:
                self.world.kill()
            case 1:
                life.dies_at = life.steps + int(10 ** luck.uniform(0, 3.5)) + 1
            case 2:
                self.world.at_next_order = int(10 ** luck.uniform(0, 2.5)) + 1

    async def _double_crash(self) -> None:
        """Kill, and kill again so many steps into the next life, and perhaps once more."""
        self.world.short_lives = [
            int(10 ** self.luck.uniform(1.5, 3.7)) for _ in range(self.luck.randint(1, 3))
        ]
        self.world.kill()

    async def _storm(self) -> None:
        """Kill, and let no life after that reach its end; most die in the middle of recovery."""
        luck = self.luck
        longest = luck.uniform(1.8, 3.2)
        self.world.short_lives = [
            int(10 ** luck.uniform(0.5, longest)) for _ in range(luck.randint(10, 80))
        ]
        self.world.kill()

    async def _stop(self) -> None:
        self.world.stop()

    # The network and the exchange ----------------------------------------------------------------

    async def _request(self) -> None:
        luck = self.luck
        name = luck.choice(_REQUESTS)
        place = luck.choice(_PLACES)
        if name == "ack_without_id":
            place = "order.send"
        self.armory.arm(
            name,
            {
                "on": place,
                "times": luck.choice((1, 1, 2, 5)),
                "seconds": luck.choice((1, 4, 12)),
                "status": luck.choice((500, 502, 503, 504)),
                "code": luck.choice((-1000, -1001, -1006, -1007)),
            },
        )

    async def _stream(self) -> None:
        luck = self.luck
        name = luck.choice(_STREAMS)
        place = luck.choice(("user", "user", "market"))
        self.armory.arm(
            name,
            {"on": place, "times": luck.choice((1, 2, 5)), "seconds": luck.choice((2, 30, 90))},
        )

    async def _break(self) -> None:
        if self.luck.random() < 0.5:
            self.world.loop.network.cut_all()
        else:
            self.world.simulator.streams.disconnect(self.luck.choice(("*", "user", "market")))

    async def _latency(self) -> None:
        self.set_delay(self.luck.choice((0.05, 0.3, 1.0, 2.5)))
        await self.world.sleep(self.luck.uniform(5, 60))
        self.set_delay(self.plan.delay_s)

    async def _outage(self) -> None:
        fault = self.armory.arm("outage", {})
        self.world.simulator.streams.disconnect()
        await self.world.sleep(10 ** self.luck.uniform(0, 3))
        self.armory.disarm(fault.fault_id)

    async def _ban(self) -> None:
        luck = self.luck
        status = luck.choice((429, 418))
        self.armory.arm("rate_limit", {"status": status, "seconds": luck.choice((2, 20, 120))})

    async def _clock(self) -> None:
        """Step the wall clock of the program's machine, and perhaps back again."""
        luck = self.luck
        self.world.clock_is_off_s += luck.choice((-1, 1)) * 10 ** luck.uniform(-1, 3.6)
        if luck.random() < 0.5:
            await self.world.sleep(luck.uniform(1, 120))
            self.world.clock_is_off_s = 0.0

    async def _lag(self) -> None:
        luck = self.luck
        seconds = luck.uniform(0.2, 0.8 * self.plan.visibility_s)
        name = luck.choice(("hide_order", "hide_fills"))
        self.armory.arm(
            name, {"on": "order.send", "seconds": seconds, "times": luck.choice((1, 3))}
        )

    async def _partial(self) -> None:
        luck = self.luck
        name = luck.choice(("partial_fill", "partial_then_cancel"))
        fault = {"on": "order.send", "fraction": luck.choice((0.1, 0.5, 0.9))}
        if name == "partial_fill":
            fault["type"] = "LIMIT"
        self.armory.arm(name, fault)

    async def _expire(self) -> None:
        ours = [each for each in self.exchange.standing if each.origin == "api"]
        if ours:
            self.exchange.expire(self.luck.choice(ours))

    async def _jump(self) -> None:
        symbol = self.luck.choice(sorted({bot.symbol for bot in self.plan.bots}))
        self.world.move(symbol.replace("/", ""), self.luck.choice((0.95, 0.98, 0.995, 1.005, 1.03)))

    # People --------------------------------------------------------------------------------------

    async def _owner(self) -> None:
        """Trade by hand on the same account, or touch what is not his."""
        luck = self.luck
        symbol = luck.choice(sorted({bot.symbol for bot in self.plan.bots})).replace("/", "")
        rules = self.exchange.rules[symbol]
        deed = luck.choice(
            ("buy", "buy", "sell", "limit", "cancel-own", "cancel-ours", "withdraw", "close")
        )
        self.world.story.say("owner", deed, symbol=symbol)
        try:
            match deed:
                case "buy":
                    self._trade(symbol, "BUY", Decimal(luck.choice((20, 200, 2000))))
                case "sell":
                    free = self.exchange.free.get(rules.base, Decimal(0))
                    worth = free * self.exchange.quotes[symbol].last
                    self._trade(symbol, "SELL", worth * Decimal(luck.choice(("0.3", "0.99"))))
                case "close":
                    self._close(symbol)
                case "limit":
                    side = luck.choice(("BUY", "SELL"))
                    away = Decimal("0.997") if side == "BUY" else Decimal("1.003")
                    self._trade(symbol, side, Decimal(50), away)
                case "cancel-own" | "cancel-ours":
                    self._cancel("outside" if deed == "cancel-own" else "api")
                case "withdraw":
                    free = self.exchange.free.get(rules.base, Decimal(0))
                    gone = (free * Decimal(luck.choice(("0.1", "0.6", "1")))).quantize(
                        rules.lot, ROUND_DOWN
                    )
                    self.exchange.free[rules.base] = free - gone
                    self.judge.give(rules.base, -gone)
        except ApiError as error:
            self.world.story.say("owner", "refused", why=error.message)

    def _close(self, symbol: str) -> None:
        """Do what an app does at one press: cancel what would sell, and sell all that is there."""
        for order in [each for each in self.exchange.standing if each.symbol == symbol]:
            if order.side == "SELL":
                self.exchange.cancel(order, "outside_cancel")
        free = self.exchange.free.get(self.exchange.rules[symbol].base, Decimal(0))
        self._trade(symbol, "SELL", free * self.exchange.quotes[symbol].last)

    def _cancel(self, origin: str) -> None:
        standing = [each for each in self.exchange.standing if each.origin == origin]
        if standing:
            self.exchange.cancel(self.luck.choice(standing), "outside_cancel")

    def _trade(self, symbol: str, side: Any, worth: Decimal, away: Decimal | None = None) -> None:
        rules, last = self.exchange.rules[symbol], self.exchange.quotes[symbol].last
        quantity = (worth / last).quantize(rules.lot, ROUND_DOWN)
        if quantity * last < rules.notional_min:
            return
        self._hand += 1
        order = NewOrder(
            symbol=symbol,
            side=side,
            type="MARKET" if away is None else "LIMIT",
            quantity=quantity,
            price=Decimal(0) if away is None else (last * away).quantize(rules.tick),
            stop_price=Decimal(0),
            client_order_id=f"outside_{self._hand}",
        )
        self.exchange.place(order, Twist(), origin="outside")

    async def _operator(self) -> None:
        """Say something, right or wrong."""
        luck = self.luck
        if not (self.world.directory / "surefoot.db").exists():
            return
        bot = luck.choice(self.plan.bots).name
        kind = luck.choice(("pause", "resume", "resume", "close", "recover", "resolve", "nonsense"))
        target, arguments = bot, dict[str, str]()
        if kind == "resolve":
            mine = sorted(name for name in self.judge.holdings if name.startswith(f"{bot}-"))
            target = luck.choice(mine[-2:] or [f"{bot}-1"]).partition(",")[0]
            how = luck.choice(("adopt", "flat", "ignore", "filled", "sideways"))
            arguments = {"how": how}
            if how == "filled":
                arguments |= {
                    "quantity": luck.choice(("0", "0.001", "-1", "sNaN", "1e30")),
                    "price": luck.choice(("60000", "0", "NaN")),
                }
        self.world.story.say("operator", kind, target=target, **arguments)
        if kind in {"resume", "resolve"}:
            self.judge.declare(target)
        name = f"command-{luck.getrandbits(48):x}"
        try:
            await self.world.post(name, kind, target, arguments)
        except SurefootError as error:
            self.world.story.say("operator", "refused", why=str(error))

    async def _restore(self) -> None:
        """Copy the journal's files; or put the copy back, the program being dead."""
        home, copy = self.world.directory, self.world.directory / "copy"
        if not self._copied or self.luck.random() < 0.5:
            copy.mkdir(exist_ok=True)
            for name in _FILES:
                if (home / name).exists():
                    shutil.copyfile(home / name, copy / name)
                    self._copied = True
            return
        self.world.kill()
        await self.world.sleep(0.5)
        self.world.story.say("world", "the journal is put back")
        for name in (*_FILES, f"{_DATABASE}-shm"):
            (home / name).unlink(missing_ok=True)
        for name in _FILES:
            if (copy / name).exists():
                shutil.copyfile(copy / name, home / name)
        self.judge.put_back()

    @asynccontextmanager
    async def program_down(self) -> AsyncIterator[None]:
        """Keep the program down while somebody is at its files."""
        self.world.kept_down = True
        try:
            self.world.kill()
            await self.world.sleep(0.5)
            gc.collect()  # what the dead had open of these files is closed, as by their system
            yield
        finally:
            self.world.kept_down = False

    async def _delete(self) -> None:
        """Delete the journal with all that is beside it; or first the database alone.

        What is left tells that there was one, so that nothing is begun there; until somebody
        deletes that as well.
        """
        journal = self.world.directory / _DATABASE
        if not journal.exists():
            return
        if self.luck.random() < 0.5:
            async with self.program_down():
                self.world.story.say("world", "the database is deleted")
                journal.unlink()
                self._half_deleted = True
                self.judge.files_are_whole = False  # what was noted of a ban went with it
                # A copy that was put back alone, and that nobody has run on, leaves nothing.
                beside = self.world.directory.glob(f"{_DATABASE}?*")
                tells = any(f.stat().st_size for f in beside if not f.name.endswith("-shm"))
            await self.world.sleep(_REFUSED_S)
            if tells and journal.exists():
                self.judge.blame("a journal was begun where one was", journal.name)
        async with self.program_down():
            self._delete_all()

    def _delete_all(self) -> None:
        self.world.story.say("world", "the journal is deleted")
        for file in self.world.directory.glob(f"{_DATABASE}*"):
            file.unlink()
        self._half_deleted = False
        self.judge.unspoken.clear()  # nothing is left that could tell
        self.judge.put_back()

    async def _lose_log(self) -> None:
        """Lose what had not reached the database itself: a young one has next to nothing."""
        journal = self.world.directory / _DATABASE
        if not journal.exists():
            return
        alone = journal.read_bytes()  # whoever is killed here lets go of it, and closes its log
        async with self.program_down():
            before = self.judge.records()
            for file in (*_FILES, f"{_DATABASE}-shm"):
                (self.world.directory / file).unlink(missing_ok=True)
            journal.write_bytes(alone)
            if self.judge.records() < before:
                self.world.story.say("world", "the log is lost")
                self.judge.put_back()
                if before - self.judge.records() > _UNNOTED:
                    self.judge.unspoken |= {bot.name for bot in self.plan.bots}

    async def _snapshot(self) -> None:
        """Take a snapshot of the whole machine; or go back to it, of which no file tells."""
        home, copy = self.world.directory, self.world.directory / "snapshot"
        if not copy.exists() or self.luck.random() < 0.5:
            shutil.rmtree(copy, ignore_errors=True)
            copy.mkdir()
            for file in home.glob(f"{_DATABASE}*"):
                shutil.copyfile(file, copy / file.name)
            self._unspoken_then = set(self.judge.unspoken)
            return
        async with self.program_down():
            self.world.story.say("world", "the machine goes back to its snapshot")
            for file in home.glob(f"{_DATABASE}*"):
                if not (copy / file.name).exists():
                    file.unlink()
            for file in copy.iterdir():  # written over: a snapshot has the same inodes as well
                shutil.copyfile(file, home / file.name)
            self.judge.unspoken = set(self._unspoken_then)
            self.judge.put_back()
