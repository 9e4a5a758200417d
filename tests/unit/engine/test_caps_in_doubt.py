"""The caps of an account while what they count is in doubt, unpriced or of another day."""

from __future__ import annotations

from datetime import timedelta

from tests.builders import D
from tests.unit.engine.desk import SWING, Desk
from tests.unit.engine.fake import ETH
from tests.unit.engine.till import USDT, bot, till

from surefoot.core.sizing import Amount
from surefoot.core.values import BotName
from surefoot.engine.limits import Caps
from surefoot.exchange.port import Holding
from surefoot.strategy import Enter, Exit

OTHER = BotName("other")
HUNDRED = Amount(notional=D(100))


async def test_a_signal_that_was_refused_says_nothing_of_an_entry_in_doubt(desk: Desk) -> None:
    """A smaller one, said while the first was out, was taken for what that one may cost."""
    here = await till(desk, bot(HUNDRED), bot(HUNDRED, OTHER), caps=Caps(exposure=D(150)))
    await here.say(Enter())
    await here.say(Enter(notional=10))
    await here.say(Enter(), OTHER)
    assert "the cap exposure is 150" in here.refusals()[-1]


async def test_an_entry_in_doubt_of_a_bot_that_is_no_more_counts(desk: Desk) -> None:
    """Renamed between two lives, its order at the market seemed to cost nothing."""
    caps = Caps(exposure=D(150), positions=1)
    here = await till(desk, bot(HUNDRED), bot(HUNDRED, OTHER), caps=caps)
    await here.say(Enter(), OTHER)
    again = await till(desk, bot(HUNDRED), caps=caps)
    await again.say(Enter())
    assert "the cap exposure is 150" in again.refusals()[-1]


async def test_what_is_open_and_has_no_price_yet_keeps_others_from_entering(desk: Desk) -> None:
    """After a restart the first symbol with a price entered, whatever stood under water."""
    caps = Caps(daily_loss=D(5))
    here = await till(desk, bot(HUNDRED), bot(HUNDRED, OTHER), caps=caps)
    await here.say(Enter(), OTHER)
    await here.settle()
    again = await till(desk, bot(HUNDRED), bot(HUNDRED, OTHER), caps=caps)
    again.allowance._last_price = lambda _symbol: None
    assert await again.allowance.refusal(USDT) is None  # nothing that rests is withdrawn for it
    await again.say(Enter())
    assert "price" in again.refusals()[-1]


async def test_what_is_not_traded_any_more_counts_by_its_cost_and_blocks_no_longer(
    desk: Desk,
) -> None:
    """One holding on a delisted symbol has no price ever again: nobody entered, for ever."""
    bots = (bot(HUNDRED), bot(Amount(notional=D(20)), SWING, symbol=ETH))
    caps = Caps(daily_loss=D(30))
    desk.exchange.holdings[USDT] = Holding(free=D(1000), locked=D(0))
    await desk.ether()
    here = await till(desk, *bots, caps=caps)
    await here.say(Enter(), SWING)
    await here.settle()
    desk.exchange.halted = {ETH}
    again = await till(desk, *bots, caps=caps)
    await again.say(Enter(notional=8))
    await again.settle()
    assert again.refusals() == []
    assert len(desk.exchange.sent) == 2
    desk.exchange.last_price = D(25_000)
    await again.say(Exit(), price="25000")  # 4 lost, and 20 more at most: 30 are let go
    await again.settle()
    await again.say(Enter(notional=20), price="25000")
    await again.settle()
    await again.say(Enter(), price="12500")  # 10 under water as well
    await here.settle()
    assert "(ETH/USDT at its cost: it is not traded and has no price)" in again.refusals()[-1]


async def test_what_another_day_has_won_pays_for_nothing_today(desk: Desk) -> None:
    """A part that was sold yesterday counted for as long as the rest was open."""
    here = await till(desk, bot(HUNDRED), bot(HUNDRED, OTHER), caps=Caps(daily_loss=D(5)))
    await here.say(Enter())
    await here.settle()
    desk.exchange.last_price = D(60_000)
    await here.say(Exit(fraction="0.5"), price="60000")
    await here.settle()
    assert -10 < await here.allowance.lost_today(USDT) < -9
    desk.clock.elapsed += timedelta(days=1).total_seconds()
    assert await here.allowance.lost_today(USDT) == 0
    await here.trade("60000", "54000", OTHER)
    assert 9 < await here.allowance.lost_today(USDT) < 11
    await here.say(Exit(), price="54000")
    await here.settle()
    assert 5 < await here.allowance.lost_today(USDT) < 7  # of 4 that the rest has won today
