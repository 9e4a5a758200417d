"""One bot on paper: its source is a second simulator, and the judge reads the paper exchange."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal as D
from pathlib import Path
from typing import Any, Final

from tests.process.forked import ForkedStage
from tests.process.play import AT_ONCE, LIFETIME_S, Play
from typing_extensions import override

from surefoot.demo import Server
from surefoot.journal import open_reader
from surefoot.journal.port import Reader
from surefoot.journal.tenancy import Tenancy
from surefoot.simulator import Control

BEGUN_WITH: Final = D(10_000)


WANTS: Final = '''
"""A strategy that wants what a file says, again and again until it is so."""

from pathlib import Path

from surefoot.strategy import Enter, Exit, Strategy


class Wants(Strategy):
    def on_tick(self, tick, view):
        want, position = Path("want").read_text(), view.position
        if want == "long" and position is None:
            return Enter(reason="wanted")
        if want == "flat" and position is not None and position.state == "OPEN":
            return Exit(reason="wanted")
        return None
'''


class PaperStage(ForkedStage):
    """A stage whose journal is the one of what is on paper."""

    @property
    @override
    def journal(self) -> Path:
        return self.directory / "surefoot-paper.db"

    @override
    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        reader = open_reader("sqlite:///surefoot-paper.db", self.directory)
        try:
            yield reader
        finally:
            await reader.close()


class PaperPlay(Play):
    """One bot on paper; `source` is whose prices it sees."""

    @property
    def tenancy(self) -> Tenancy:
        return Tenancy(self.stage.journal, "paper-main")

    @property
    def source(self) -> Control:
        return self.stage.control

    @property
    @override
    def control(self) -> Control:
        """Return the way to the paper exchange, which may be another one than a moment ago."""
        tenant = self.tenancy.tenant()
        assert tenant is not None, "no paper exchange runs"
        return Control(tenant.url)

    @property
    def runs(self) -> bool:
        """Tell whether the paper exchange listens."""
        tenant = self.tenancy.tenant()
        return tenant is not None and tenant.url != ""

    @override
    async def open(self, *arguments: str, **given: Any) -> None:
        """Open the source, and write a configuration of one bot on paper."""
        source = await self.stage.open_exchange(*arguments)
        self.write_configuration(source.url)
        (self.stage.directory / "acts.py").write_text(WANTS, encoding="utf-8")
        self.want("flat")

    def want(self, what: str) -> None:
        """Have the strategy want to be "long" or "flat"."""
        (self.stage.directory / "want").write_text(what, encoding="utf-8")

    def write_configuration(self, source: str) -> None:
        sockets = source.replace("http", "ws", 1)
        (self.stage.directory / "surefoot.toml").write_text(
            f"""
[journal]
url = "sqlite:///surefoot.db"
[accounts.main]
exchange = "binance"
paper = true
visibility = "1s"
[accounts.main.ccxt]
options.recvWindow = {LIFETIME_S * 1000}
{AT_ONCE}
[accounts.main.paper_exchange]
balances = {{ USDT = {BEGUN_WITH} }}
latency = "1ms"
rest = "{source}/api/v3"
streams = "{sockets}/stream"
[bots.bot]
account = "main"
symbol = "BTC/USDT"
strategy = "acts.py:Wants"
notional = 100
stop_loss = "2%"
""",
            encoding="utf-8",
        )

    def move(self, price: str) -> None:
        """Move the source's market, with a spread."""
        self.source.price("BTCUSDT", price, spread="0.5")

    async def sees(self, *, server: Server | None = None) -> None:
        """Wait until the paper exchange listens and believes its prices."""
        await self.until(lambda: self.runs and self.control.state()["stale"] is None, server)

    def end_exchange(self) -> None:
        """Kill the paper exchange, if it runs."""
        tenant = self.tenancy.tenant()
        if tenant is not None:
            with suppress(ProcessLookupError):
                os.kill(tenant.pid, signal.SIGKILL)

    def judge_cents(self) -> None:
        """Explain every cent and every satoshi of the paper account by its trades."""
        ledger = self.control.ledger()
        held = {"USDT": BEGUN_WITH}
        for trade in ledger["trades"]:
            sign = 1 if trade["isBuyer"] else -1
            for asset, change in (
                ("BTC", sign * D(trade["qty"])),
                ("USDT", -sign * D(trade["price"]) * D(trade["qty"])),
                (trade["commissionAsset"], -D(trade["commission"])),
            ):
                held[asset] = held.get(asset, D(0)) + change
        shown = {row["asset"]: D(row["free"]) + D(row["locked"]) for row in ledger["balances"]}
        assert {name: amount for name, amount in shown.items() if amount} == {
            name: amount for name, amount in held.items() if amount
        }

    async def is_well(self) -> bool:
        return bool((await self.health())["state"] == "ok")

    async def health(self) -> dict[str, Any]:
        _, output, _ = await self.stage.run("status", "--json")
        found: dict[str, Any] = json.loads(output)["health"][0]
        return found
