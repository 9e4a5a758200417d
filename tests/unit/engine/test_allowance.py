"""What an account may enter with: sizes and caps, one entry after the other, before the intent."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from tests.builders import INSTRUMENT, PLAN, D
from tests.unit.engine.desk import DIP, LIMITS, Desk, tick
from tests.unit.engine.fake import ETH, ETHER
from tests.unit.engine.till import WIDE, bot, till

from surefoot.core.sizing import Amount, Risk, Share
from surefoot.core.values import Asset, BotName
from surefoot.engine.limits import Caps
from surefoot.exchange.errors import ReadFailed
from surefoot.exchange.port import Holding
from surefoot.strategy import Add, Enter, Exit

ALL = Share(fraction=D(1))
OTHER = BotName("other")


# Sizes -------------------------------------------------------------------------------------------


async def test_a_share_of_what_is_free_is_asked_for_when_it_is_spent(desk: Desk) -> None:
    here = await till(desk, bot(Share(fraction=D("0.2"))))
    await here.say(Enter())
    await here.settle()
    (spent,) = here.notional()
    assert 195 < spent <= 200


async def test_an_entry_that_waited_too_long_for_its_size_is_not_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prices stay fresh while the exchange hangs: a tick proves nothing about the opinion."""
    here = await till(desk, bot(ALL))
    holding = desk.exchange.holding

    async def slow(asset: Asset) -> Holding:
        desk.clock.elapsed += 40.0
        here.rings[DIP].see(tick("49000"))
        return await holding(asset)

    monkeypatch.setattr(desk.exchange, "holding", slow)
    await here.say(Enter())
    await here.settle()
    assert here.notional() == []
    assert "waited too long" in here.refusals()[0]


async def test_two_bots_at_once_do_not_both_take_all_that_is_free(desk: Desk) -> None:
    """The exchange has not said a word of the first when the second is sized."""
    here = await till(desk, bot(ALL), bot(ALL, OTHER))
    await asyncio.gather(here.say(Enter()), here.say(Enter(), OTHER))
    await here.settle()
    assert sum(here.notional()) <= 1000
    assert len(here.notional()) == 1
    assert "is free" in here.refusals()[0] or "minimum" in here.refusals()[0]


async def test_a_bot_with_an_amount_is_not_forgotten_by_one_with_a_share(desk: Desk) -> None:
    here = await till(desk, bot(Amount(notional=D(700))), bot(ALL, OTHER))
    await asyncio.gather(here.say(Enter()), here.say(Enter(), OTHER))
    await here.settle()
    assert len(here.notional()) == 2
    assert sum(here.notional()) <= 1000


async def test_a_risk_is_what_the_stop_may_cost(desk: Desk) -> None:
    """1 % of 1000 to a stop 2 % away is 500."""
    here = await till(desk, bot(Risk(fraction=D("0.01"))))
    await here.say(Enter(stop_loss="2%"))
    await here.settle()
    (spent,) = here.notional()
    assert 495 < spent <= 500


async def test_a_share_grows_up_to_the_cap_and_a_figure_over_it_is_refused(desk: Desk) -> None:
    here = await till(desk, bot(ALL, limits=LIMITS), free="5000")
    await here.say(Enter(notional=2000))
    assert "an order worth" in here.refusals()[0]
    await here.say(Enter())
    await here.settle()
    assert 990 < here.notional()[0] <= 1000


async def test_a_signal_may_say_how_large(desk: Desk) -> None:
    here = await till(desk, bot(Amount(notional=D(100))))
    await here.say(Enter(notional="50%"))
    await here.settle()
    assert 495 < here.notional()[0] <= 500


@pytest.mark.parametrize(
    ("notional", "native_stop"), [("5.05", True), ("5.55", True), ("5.05", False)]
)
async def test_an_entry_is_worth_its_stop_or_is_refused(
    desk: Desk, notional: str, native_stop: bool
) -> None:
    """At 50001 it could be bought; at 49000 its stop was refused for ever, and it was frozen.

    So was that of a lot more, of which the fee was taken.
    """
    here = await till(desk, bot(Amount(notional=D(notional)), native_stop=native_stop))
    await here.say(Enter())
    await desk.works.run()
    assert len(desk.exchange.sent) == (not native_stop)
    assert ["worth too little at their stop of 49000" in why for why in here.refusals()] == [
        True
    ] * native_stop


@pytest.mark.parametrize(
    ("tick", "stop", "native_stop", "limit"),
    [("1000", "1%", True, None), ("1000", "1%", False, 50000), ("0.01", "0.001%", True, None)],
)
async def test_nothing_is_bought_whose_stop_is_reached_at_once(
    desk: Desk, tick: str, stop: str, *, native_stop: bool, limit: float | None
) -> None:
    """On a coarse step a stop of 1 % was the price itself: bought and sold again, for ever.

    So it was where the ask is further from the last price than the stop from the ask.
    """
    here = await till(desk, bot(Amount(notional=D(100)), native_stop=native_stop))
    desk.keepers[DIP].adopt(replace(INSTRUMENT, tick=D(tick)))
    await here.say(Enter(stop_loss=stop, limit=limit))
    assert desk.exchange.sent == []
    assert "would be reached at once at 50000; widen it" in here.refusals()[0]
    await here.say(Enter(stop_loss="3%"))
    await here.settle()
    assert len(desk.exchange.sent) == 1


async def test_nor_is_what_its_trailing_stop_sells_at_the_first_gain(desk: Desk) -> None:
    plan = replace(PLAN, trailing_stop=D("0.01"), stop_loss=D("0.05"))
    here = await till(desk, bot(Amount(notional=D(100)), plan=plan))
    desk.keepers[DIP].adopt(replace(INSTRUMENT, tick=D(1000)))
    await here.say(Enter(limit=50000))
    assert "would be reached at once" in here.refusals()[0]
    desk.keepers[DIP].adopt(replace(INSTRUMENT, tick=D(10)))
    await here.say(Enter(limit=50000))
    await here.settle()
    assert len(desk.exchange.sent) == 1


async def test_no_answer_is_no_entry(desk: Desk) -> None:
    here = await till(desk, bot(ALL))
    desk.exchange.fail("holding", ReadFailed("no answer"))
    await here.say(Enter())
    assert here.refusals() == ["what is free is not known: no answer"]
    assert desk.exchange.sent == []


# Slippage ----------------------------------------------------------------------------------------


async def test_an_entry_pays_no_more_than_its_slippage(desk: Desk) -> None:
    """A limit order that is filled at once or given up. Catches a market order in a thin book."""
    spec = bot(Amount(notional=D(100)), max_slippage=D("0.002"))
    here = await till(desk, spec)
    await here.say(Enter(time_to_live="10s"))
    await desk.works.run()
    (order,) = desk.exchange.sent
    assert order.limit == D("50101.00")  # 0.2 % over the ask of 50001, on the grid
    assert (order.immediate, order.expires_at) == (True, None)
    assert order.quantity * order.limit <= 100


async def test_a_limit_of_the_strategy_is_its_own_business(desk: Desk) -> None:
    spec = bot(Amount(notional=D(100)), max_slippage=D("0.002"))
    here = await till(desk, spec)
    await here.say(Enter(limit=49_999))
    await desk.works.run()
    (order,) = desk.exchange.sent
    assert (order.limit, order.immediate) == (D(49_999), False)


# Caps of the account -----------------------------------------------------------------------------


async def test_the_bots_of_an_account_have_no_more_on_than_its_exposure(desk: Desk) -> None:
    """Also when they enter at once, before anything is filled."""
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), bot(hundred, OTHER), caps=Caps(exposure=D(150)))
    await asyncio.gather(here.say(Enter()), here.say(Enter(), OTHER))
    await here.settle()
    assert len(desk.exchange.sent) == 1
    assert "the cap exposure is 150" in here.refusals()[0]


async def test_no_more_positions_are_on_than_the_cap_and_a_closed_one_makes_room(
    desk: Desk,
) -> None:
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), bot(hundred, OTHER), caps=Caps(positions=1))
    await here.say(Enter())
    await here.settle()
    await here.say(Enter(), OTHER)
    assert "the cap positions is 1" in here.refusals()[0]
    await here.say(Exit())
    await here.settle()
    await here.say(Enter(), OTHER)
    await here.settle()
    assert len(desk.exchange.sent) == 3


async def test_another_quote_asset_is_counted_by_itself(desk: Desk) -> None:
    desk.exchange.instruments[ETH] = replace(ETHER, quote=Asset("EUR"))
    here = await till(desk, bot(Amount(notional=D(100))), caps=Caps(exposure=D(150)))
    assert here.allowance._standing(Asset("EUR")).exposure == 0


# Additions ---------------------------------------------------------------------------------------


async def test_an_addition_is_sized_and_sent_and_the_caps_count_what_is_held(desk: Desk) -> None:
    """Catches a position that grows past its caps one order at a time."""
    limits = replace(WIDE, position_notional=D(250))
    here = await till(desk, bot(Amount(notional=D(100)), limits=limits))
    await here.say(Enter())
    await here.settle()
    await here.say(Add())
    await here.settle()
    (keeper,) = desk.keepers.values()
    assert keeper.position.entries == len(desk.exchange.sent) == 2
    assert 195 < keeper.position.held_cost <= 200
    await here.say(Add())
    assert "the cap position_notional 250" in here.refusals()[0]
    await here.say(Add(notional=40))
    await here.settle()
    assert len(desk.exchange.sent) == 3


async def test_an_addition_counts_in_the_account_s_exposure_and_is_no_further_position(
    desk: Desk,
) -> None:
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), caps=Caps(exposure=D(250), positions=1))
    for signal in (Enter(), Add(), Add()):
        await here.say(signal)
        await here.settle()
    assert len(desk.exchange.sent) == 2
    assert "the cap exposure is 250" in here.refusals()[0]


async def test_a_share_is_cut_to_what_the_position_may_still_grow(desk: Desk) -> None:
    limits = replace(WIDE, position_notional=D(250))
    here = await till(desk, bot(Amount(notional=D(100)), limits=limits))
    await here.say(Enter())
    await here.settle()
    await here.say(Add(notional="50%"))
    await here.settle()
    assert 245 < sum(here.notional()) <= 250


async def test_the_risk_of_an_addition_is_to_the_stop_as_it_stands(desk: Desk) -> None:
    """2 % to the stop of an entry at 50000; 1 % is left at 49490, so twice as much is bought."""
    here = await till(desk, bot(Amount(notional=D(100))), free="900")
    await here.say(Enter(stop_loss="2%"))
    await here.settle()
    await here.say(Add(notional="risk 0.1%"), price="49490")
    await here.settle()
    assert len(desk.exchange.sent) == 2
    assert 95 < desk.exchange.sent[1].quantity * D(49_491) < 105
    await here.say(Add(limit=48_900), price="49490")
    assert "beyond its stop at 49000" in here.refusals()[0]


async def test_an_addition_without_a_position_is_refused(desk: Desk) -> None:
    here = await till(desk, bot(Amount(notional=D(100))))
    await here.say(Add())
    assert here.refusals() == ["nothing is added while the position is FLAT"]
