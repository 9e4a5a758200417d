"""What a resting entry locks speaks against its absence: it may be hidden for longer than V.

Broken on purpose, and red here: quote that is not looked at; a lock of another bot's entry that
blocks this one; somebody else's lock that blocks for ever; an absence although nobody told.
"""

from __future__ import annotations

from msgspec.structs import replace
from tests.builders import D
from tests.unit.engine.clock import turns
from tests.unit.engine.desk import account_spec, bot_spec
from tests.unit.engine.fake import FakeExchange
from tests.unit.engine.test_rounds import LIMIT, PAIR, floor_of, kept

from surefoot.core.order import OrderStatus
from surefoot.core.values import Asset
from surefoot.exchange.errors import ReadFailed, Unknown
from surefoot.exchange.port import Holding

QUOTE = Asset("USDT")


def lock(exchange: FakeExchange, amount: str) -> None:
    exchange.holdings[QUOTE] = Holding(free=D(0), locked=D(amount))


async def status_after(seconds: float, *, locked: str, beside: bool = False) -> OrderStatus:
    """Lose the answer to an entry with a limit that no read shows; compare so much later."""
    spec = account_spec(bot_spec(), bot_spec(PAIR))
    async with floor_of(spec) as floor:
        if beside:
            await kept(floor, PAIR).tell(LIMIT)
            await turns()
        floor.exchange.answer(Unknown("time-out"), accepted=True)
        await kept(floor).tell(LIMIT)
        await turns()
        name = kept(floor).position.orders[0].client_order_id
        floor.exchange.hidden.add(name)
        lock(floor.exchange, locked)
        floor.clock.elapsed += seconds
        await floor.account.rounds.inspection.everything()
        order = kept(floor).position.find(name)
        assert order is not None
        return order.status


async def test_an_entry_that_locks_quote_is_not_called_absent() -> None:
    """It was NEVER after 65 s, and another one was bought beside it."""
    assert await status_after(70, locked="78.4") is OrderStatus.INTENDED
    assert await status_after(70, locked="78.3") is OrderStatus.NEVER


async def test_what_another_bot_has_locked_says_nothing() -> None:
    assert await status_after(70, locked="78.4", beside=True) is OrderStatus.NEVER
    assert await status_after(70, locked="156.8", beside=True) is OrderStatus.INTENDED


async def test_what_others_lock_ends_no_doubt_for_ever() -> None:
    assert await status_after(600, locked="500") is OrderStatus.INTENDED
    assert await status_after(606, locked="500") is OrderStatus.NEVER


async def test_nothing_is_absent_while_nobody_tells_what_is_locked() -> None:
    async with floor_of() as floor:
        floor.exchange.answer(Unknown("time-out"))
        await kept(floor).tell(LIMIT)
        await turns()
        name = kept(floor).position.orders[0].client_order_id
        floor.exchange.fail("holding", ReadFailed("504"), times=1)
        floor.clock.elapsed += 70
        for expected in (OrderStatus.INTENDED, OrderStatus.NEVER):
            await floor.account.rounds.inspection.everything()
            order = kept(floor).position.find(name)
            assert order is not None
            assert order.status is expected


async def test_it_is_asked_only_when_it_matters() -> None:
    async with floor_of() as floor:
        await kept(floor).tell(replace(LIMIT, limit=None))
        await turns()
        floor.clock.elapsed += 70
        await floor.account.rounds.inspection.everything()
        assert floor.exchange.count("holding") == 0
