"""Playing one bot on the simulated exchange, and judging by the ledger and the raw database.

The judge reads the journal's tables with the standard library's sqlite3 and shares no code with
the product: it would see a fill that is booked twice even if the product's own reader could not.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal
from decimal import Decimal as D
from typing import Any, Final

from tests.process.acts import ACTS
from tests.process.forked import ForkedStage

from surefoot.core.position import Position
from surefoot.core.values import PositionId
from surefoot.demo import Server
from surefoot.journal.port import Entry, position_stream
from surefoot.simulator import Control

# Short, so that tests are: a request is void after 2 s, and shown 1 s later at the latest.
LIFETIME_S: Final = 2
VISIBILITY_S: Final = 1
PATIENCE_S: Final = 60
# ccxt sleeps a quarter of a second after each client that it has closed; nothing here is encrypted,
# and so nothing would be said meanwhile.
AT_ONCE: Final = "timeout_on_exit = 0"
PRICE: Final = D("61685.99")
LIVE: Final = {"NEW", "PARTIALLY_FILLED"}


class Play:
    """One bot, "bot", on BTC/USDT: one of `acts`, of which Scripted does what `say` writes."""

    def __init__(self, stage: ForkedStage) -> None:
        self.stage = stage

    @property
    def control(self) -> Control:
        return self.stage.control

    async def open(
        self,
        *arguments: str,
        visibility: str = f"{VISIBILITY_S}s",
        ownership: str = "shared",
        strategy: str = "Scripted",
        stop_at: str = "local",
        bot: str = "",
        bots: str = "",
        rest: str = "",
        secret: str = "simulated-secret",  # noqa: S107 (there is nothing behind it)
    ) -> None:
        """Open a quiet exchange and write a configuration of one bot (and more, if given)."""
        await self.stage.open_exchange(*arguments, "--secret", secret)
        account = {
            "api_key": "simulated-key",
            "secret": secret,
            "visibility": visibility,
            "ownership": ownership,
        }
        first = f"""
[bots.bot]
account = "main"
symbol = "BTC/USDT"
strategy = "acts.py:{strategy}"
notional = 100
stop_at = "{stop_at}"
{bot}
"""
        ccxt = f"options.recvWindow = {LIFETIME_S * 1000}\n{AT_ONCE}\n{rest}"
        self.stage.configure(account, first + bots, ccxt)
        (self.stage.directory / "acts.py").write_text(ACTS, encoding="utf-8")

    def say(self, *lines: str) -> None:
        """Have the strategy want something more."""
        with (self.stage.directory / "script").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    async def start(self, crash_at: str | None = None) -> Server:
        return await self.stage.start(crash_at=crash_at)

    async def recovered(self, server: Server) -> None:
        """Wait for the report of the recovery of a server that has just been started."""
        await self.until(lambda: '"recovery finished"' in log_of(server), server)

    async def die(self, server: Server) -> None:
        """Wait for a server to die by SIGKILL at its crash point."""
        assert await self.stage.until(lambda: server.exit_code is not None, PATIENCE_S), (
            "it never came to its crash point\n" + log_of(server)[-3000:]
        )
        assert server.killed, log_of(server)[-3000:]

    async def until(self, condition: Any, server: Server | None = None) -> None:
        """Wait for a fact, or fail with the server's log."""
        if not await self.stage.until(condition, PATIENCE_S):
            raise AssertionError(
                "it never came true\n" + (log_of(server)[-4000:] if server else "")
            )

    async def state_is(
        self, state: str, number: int = 1, *, server: Server | None = None
    ) -> Position:
        """Wait until the bot's n-th position is in a state, and return it."""
        found: list[Position] = []

        async def there() -> bool:
            found[:] = [await self.position(number)] if self.knows(number) else []
            return bool(found) and found[0].state == state

        await self.until(there, server)
        return found[0]

    def knows(self, number: int) -> bool:
        if not self.stage.journal.exists():
            return False
        return bool(self.rows("SELECT 1 FROM positions WHERE number = ?", number))

    async def position(self, number: int = 1, bot: str = "bot") -> Position:
        return await self.stage.position(PositionId(f"{bot}-{number}"))

    async def entries(self, number: int = 1, bot: str = "bot") -> tuple[Entry, ...]:
        async with self.stage.reading() as reader:
            stream = position_stream(PositionId(f"{bot}-{number}"))
            return await reader.entries(stream=stream, limit=100_000)

    async def kinds(self, number: int = 1, bot: str = "bot") -> list[str]:
        return [type(entry.record).__name__ for entry in await self.entries(number, bot)]

    def rows(self, question: str, *bindings: object) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        # Never created here: the server refuses an empty file, and rightly.
        if not self.stage.journal.exists():
            return []
        place = f"file:{self.stage.journal}?mode=rw"
        with closing(sqlite3.connect(place, timeout=30, uri=True)) as connection:
            try:
                return connection.execute(question, bindings).fetchall()
            except sqlite3.OperationalError:  # not made yet
                return []

    def write(self, statement: str, *bindings: object) -> None:
        """Write to the database itself, as nobody should."""
        with closing(sqlite3.connect(self.stage.journal, timeout=30)) as connection, connection:
            connection.execute(statement, bindings)

    def write_inbox(self, statement: str) -> None:
        """Write to the inbox itself, as nobody should."""
        inbox = self.stage.journal.with_name("surefoot.db.inbox")
        with closing(sqlite3.connect(inbox, timeout=30)) as connection, connection:
            connection.execute(statement)

    async def status(self) -> dict[str, Any]:
        _, output, _ = await self.stage.run("status", "--json")
        document: dict[str, Any] = json.loads(output)
        return document

    def orders(self, side: str | None = None) -> list[dict[str, Any]]:
        """Return our orders as the exchange's ledger has them."""
        return [
            order
            for order in self.control.ledger()["orders"]
            if order["origin"] == "api" and side in {None, order["side"]}
        ]

    def sends(self) -> list[dict[str, Any]]:
        """Return every request for an order that reached the exchange's door."""
        requests = self.control.ledger()["requests"]
        return [each for each in requests if each["operation"] == "order.send"]

    # Judging -------------------------------------------------------------------------------------

    def judge(self, entries: int = 1) -> None:
        """Hold the raw database against the ledger: the promises, without our own code.

        A position was bought by so many orders at most.
        """
        ledger = self.control.ledger()
        ours = [order for order in ledger["orders"] if order["origin"] == "api"]
        known = {row[0]: row for row in self.rows(ORDERS)}
        names = Counter(order["clientOrderId"] for order in ours)
        assert [name for name, count in names.items() if count > 1] == [], "accepted twice"
        assert set(names) <= set(known), "sent without being written down"
        self._judge_entries(ours, known, entries)
        self._judge_fills(ledger, ours)
        live = {order["clientOrderId"] for order in ours if order["status"] in LIVE}
        expected = {name for name, row in known.items() if row[3] in {"INTENDED", "WORKING"}}
        assert live <= expected, f"orphans: {live - expected}"
        self._judge_exposure(ledger)

    def _judge_entries(
        self, ours: list[dict[str, Any]], known: dict[str, tuple[Any, ...]], most: int
    ) -> None:
        entered: Counter[str] = Counter()
        traded: dict[str, Decimal] = {}
        for order in ours:
            _, position, role, _ = known[order["clientOrderId"]]
            executed = D(order["executedQty"])
            entered[position] += role == "entry" and executed > 0
            sign = 1 if order["side"] == "BUY" else -1
            traded[position] = traded.get(position, D(0)) + sign * executed
        assert [p for p, count in entered.items() if count > most] == [], "entered twice"
        assert {p: q for p, q in traded.items() if q < 0} == {}, "sold more than was bought"

    def _judge_fills(self, ledger: dict[str, Any], ours: list[dict[str, Any]]) -> None:
        name_of = {(o["symbol"], o["orderId"]): o["clientOrderId"] for o in ours}
        true = Counter(
            (
                str(trade["id"]),
                name_of[trade["symbol"], trade["orderId"]],
                D(trade["price"]),
                D(trade["qty"]),
                D(trade["commission"]),
                trade["commissionAsset"],
            )
            for trade in ledger["trades"]
            if (trade["symbol"], trade["orderId"]) in name_of
        )
        booked = Counter(
            (trade, name, D(price), D(quantity), D(fee), asset)
            for trade, name, price, quantity, fee, asset in self.rows(FILLS)
        )
        assert booked == true, f"unbooked: {true - booked}, invented: {booked - true}"

    def _judge_exposure(self, ledger: dict[str, Any]) -> None:
        outside = {
            o["orderId"]
            for o in ledger["orders"]
            if o["origin"] == "outside" and o["symbol"] == "BTCUSDT"
        }
        foreign = sum(
            (D(t["qty"]) if t["isBuyer"] else -D(t["qty"]))
            - (D(t["commission"]) if t["commissionAsset"] == "BTC" else 0)
            for t in ledger["trades"]
            if t["orderId"] in outside and t["symbol"] == "BTCUSDT"
        )
        held = sum(
            D(row["free"]) + D(row["locked"]) for row in ledger["balances"] if row["asset"] == "BTC"
        )
        believed = sum(
            D(row[0])
            for row in self.rows("SELECT quantity FROM positions WHERE symbol = 'BTC/USDT'")
        )
        assert held - foreign == believed, f"held {held}, of others {foreign}, believed {believed}"


ORDERS: Final = "SELECT client_order_id, position_id, role, status FROM orders"
FILLS: Final = "SELECT trade_id, client_order_id, price, quantity, fee, fee_asset FROM fills"


def log_of(server: Server) -> str:
    return server.log.read_text(encoding="utf-8")


def events(server: Server) -> list[dict[str, Any]]:
    """Return the server's log lines as they were written."""
    lines = log_of(server).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
