"""An owner who trades by hand beside his bots, through the whole engine, in virtual time.

Broken on purpose, and red here: an exit that follows a NEVER without asking who traded meanwhile;
what nobody can explain, forgotten as soon as enough is there.
"""

from __future__ import annotations

from tests.builders import D
from tests.unit.core.test_bound import by_hand
from tests.unit.core.test_outside import BASE
from tests.unit.engine.clock import turns
from tests.unit.engine.desk import DIP, ENTER, Floor, kinds_in, records_in
from tests.unit.engine.test_rounds import PAIR, TWO_ON_BTC, floor_of, kept

from surefoot.core.account_records import StuckChanged
from surefoot.core.deadlines import PATIENCE
from surefoot.core.order import OrderStatus
from surefoot.core.position import State
from surefoot.core.reports import Grounds
from surefoot.core.signals import Close
from surefoot.core.stuck import StuckKind
from surefoot.core.values import BotName, PositionId, Side
from surefoot.exchange.errors import Refused, Unknown
from surefoot.exchange.port import Holding


async def holding(floor: Floor, bot: BotName = DIP) -> None:
    """Enter, and let the fill be old enough to be in every balance."""
    await kept(floor, bot).tell(ENTER)
    await turns()
    await kept(floor, bot).tell(floor.exchange.trades[-1])
    floor.clock.elapsed += 30
    await floor.account.rounds.inspection.everything()


async def test_an_exit_that_never_arrived_is_not_followed_by_one_of_what_the_owner_bought() -> None:
    """He had sold what was the bot's and bought as many: the balance was as before."""
    async with floor_of() as floor:
        floor.account.attend()
        floor.account.start()
        await holding(floor)
        held = kept(floor).position.quantity
        floor.exchange.answer(Unknown("time-out"))
        await kept(floor).tell(Close(by="ann"))
        await turns()
        await floor.clock.advance(2)
        floor.exchange.trade(Side.SELL, held, "by-hand-1")
        await floor.clock.advance(2)
        floor.exchange.trade(Side.BUY, held, "by-hand-2")
        await floor.clock.advance(120)
        await floor.account.rounds.inspection.everything()
        assert [order.role for order in floor.exchange.sent] == ["entry", "exit"]
        closed = await floor.journal.position(PositionId("dip-btc-1"))
        assert closed is not None
        assert closed.orders[-1].status is OrderStatus.NEVER
        assert (closed.state, closed.exited, closed.frozen) == (State.CLOSED, held, None)
        assert "reduction-booked" in await kinds_in(floor.journal, "position/dip-btc-1")


async def test_beside_nobody_s_trades_it_is_followed_within_seconds() -> None:
    async with floor_of() as floor:
        floor.account.attend()
        floor.account.start()
        await holding(floor)
        floor.exchange.answer(Unknown("time-out"))
        await kept(floor).tell(Close(by="ann"))
        await turns()
        await floor.clock.advance(30)
        assert [order.role for order in floor.exchange.sent] == ["entry", "exit", "exit"]


async def test_what_nobody_can_explain_is_asked_about_after_v_also_where_enough_is_there() -> None:
    """He sold what one of two bots holds, and bought more: it was looked at again for ever."""
    async with floor_of(TWO_ON_BTC) as floor:
        await holding(floor)
        await holding(floor, PAIR)
        floor.exchange.trade(Side.SELL, kept(floor).position.quantity, "by-hand-1")
        floor.exchange.trade(Side.BUY, "5", "by-hand-2")
        for _ in range(8):
            floor.clock.elapsed += 10
            await floor.account.rounds.inspection.everything()
        for bot in (DIP, PAIR):
            assert "and what is there came after it" in str(kept(floor, bot).position.frozen)


async def test_a_balance_that_is_never_old_enough_is_said() -> None:
    """A bot that traded every few seconds starved it: nobody saw a sale by hand, nor said so."""
    async with floor_of() as floor:
        floor.exchange.trade(Side.BUY, "2", "by-hand-1")
        senses = floor.account.login.senses
        for _ in range(9):
            await kept(floor).tell(ENTER)
            await turns()
            await kept(floor).tell(floor.exchange.trades[-1])
            leaving = kept(floor).position.position_id
            await kept(floor).tell(Close(by="ann"))
            await turns()
            await kept(floor).tell(floor.exchange.trades[-1], position_id=leaving)
            floor.clock.elapsed += 8
            await floor.account.rounds.inspection.everything()
        (since,) = senses.circumstances(None, ()).unweighed.values()
        assert floor.exchange.now() - since > PATIENCE
        floor.clock.elapsed += 11
        await floor.account.rounds.inspection.everything()
        assert senses.circumstances(None, ()).unweighed == {}


async def test_a_sale_of_the_owner_s_that_locks_the_bot_s_coins_is_said_and_the_rest_is_sold() -> (
    None
):
    """Every exit was refused, for ever, and what to do stood in the log alone."""
    async with floor_of() as floor:
        floor.account.attend()
        await holding(floor)
        held = kept(floor).position.quantity
        floor.exchange.orders.append(by_hand(str(held / 4), "web_1"))
        floor.exchange.holdings[BASE] = Holding(free=held * 3 / 4, locked=held / 4)
        floor.exchange.answer(Refused("-2010", "insufficient balance", Grounds.FUNDS))
        await kept(floor).tell(Close(by="ann"))
        await floor.clock.advance(5)
        assert [order.quantity for order in floor.exchange.sent] == [held, held, held * 3 / 4]
        await kept(floor).tell(floor.exchange.trades[-1])
        await floor.clock.advance(65)
        stuck = await records_in(floor.journal, "account/main")
        standing = next(each for each in reversed(stuck) if isinstance(each, StuckChanged)).standing
        (bound,) = [each for each in standing if each.kind is StuckKind.COINS_BOUND]
        assert bound.true == "others lock 0.0004 BTC of it: 0.0004 in order 77"
        floor.exchange.end("77", "CANCELED")
        floor.exchange.holdings[BASE] = Holding(free=held / 4, locked=D(0))
        await floor.account.rounds.inspection.everything()
        await floor.clock.advance(1)
        assert floor.exchange.sent[-1].quantity == held / 4
