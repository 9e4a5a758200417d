"""Bots of one account that enter when a test says so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.builders import D
from tests.unit.engine.counsel import Counsel, Ring
from tests.unit.engine.desk import DIP, Desk, account_spec, bot_spec, tick

from surefoot.core.sizing import Size
from surefoot.core.values import Asset, BotName, Symbol
from surefoot.engine.allowance import Allowance
from surefoot.engine.limits import Caps, Limits
from surefoot.engine.specs import BotSpec
from surefoot.exchange.port import Holding
from surefoot.strategy import Enter, Exit, Signal

USDT = Asset("USDT")
WIDE = Limits(
    order_notional=D(1_000_000),
    position_notional=D(1_000_000),
    orders_per_minute=100,
    price_band=D("0.05"),
)


class Till:
    """Bots of one account that enter when a test says so."""

    def __init__(self, desk: Desk, *bots: BotSpec, caps: Caps | None = None) -> None:
        self.desk = desk
        self.bots = bots
        self.caps = caps
        self.rings: dict[BotName, Ring] = {}
        self.prices: dict[Symbol, Decimal] = {}

    async def open(self) -> Till:
        desk = self.desk
        desk.clock.elapsed = max(desk.clock.elapsed, 60.0)
        desk.login.spec = account_spec(*self.bots, caps=self.caps)
        self.allowance = Allowance(desk.login, desk.keepers, desk.journal, self.prices.get)
        for spec in self.bots:
            if spec.bot not in desk.keepers:
                await desk.keeper(spec.bot)
            keeper = desk.keepers[spec.bot]
            self.rings[spec.bot] = Ring(desk, keeper, Counsel(), spec, self.allowance)
        return self

    async def say(self, signal: Signal, bot: BotName = DIP, price: str = "50000") -> None:
        ring = self.rings[bot]
        symbol = ring.keeper.symbol
        self.prices[symbol] = D(price)
        ring.see(tick(price, symbol=symbol))
        await ring.runner._take(signal)
        for position in ring.keeper.positions:
            self.allowance.note(position)

    async def trade(self, buy: str, sell: str, bot: BotName = DIP) -> None:
        """Enter and leave at these prices."""
        for price, signal in ((buy, Enter()), (sell, Exit())):
            self.desk.exchange.last_price = D(price)
            await self.say(signal, bot, price)
            await self.settle()

    async def settle(self) -> None:
        """Let what was written down be sent, and its fills be booked."""
        await self.desk.works.run()
        for keeper in self.desk.keepers.values():
            for fill in tuple(self.desk.exchange.trades):
                for position in keeper.positions:
                    if position.find(None, fill.exchange_order_id) is not None:
                        await keeper.tell(fill, position_id=position.position_id)
            for position in keeper.positions:
                self.allowance.note(position)
        await self.desk.works.run()

    def notional(self) -> list[Any]:
        return [order.quantity * D(50_001) for order in self.desk.exchange.sent]

    def refusals(self) -> list[str]:
        return [line["why"] for line in self.desk.log.said("signal refused")]


def bot(size: Size, name: BotName = DIP, **changes: Any) -> BotSpec:
    return bot_spec(name, **{"notional": size, "limits": WIDE} | changes)


async def till(desk: Desk, *bots: BotSpec, free: str = "1000", caps: Caps | None = None) -> Till:
    desk.exchange.holdings[USDT] = Holding(free=D(free), locked=D(0))
    return await Till(desk, *bots, caps=caps).open()
