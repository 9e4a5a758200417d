"""The loss of a day: what counts, what it stops, and who lets entries in again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from msgspec.structs import replace
from tests.builders import START, TERMS, D, started
from tests.unit.engine.desk import DIP, LIMITS, MAIN, SWING, Desk, account_spec
from tests.unit.engine.fake import ETH, ETHER
from tests.unit.engine.till import USDT, Till, bot, till

from surefoot.core.account_records import BotStatusChanged, LossCapLifted, LossCapReached
from surefoot.core.errors import InvalidValue
from surefoot.core.sizing import Amount
from surefoot.core.state import evolve
from surefoot.core.values import AccountName, Asset, BotName
from surefoot.engine.allowance import Allowance
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.limits import Caps
from surefoot.engine.login import Login
from surefoot.engine.lull import Lull
from surefoot.engine.runner import Runner
from surefoot.journal.port import Append, Change, Command, Verdict, account_stream
from surefoot.strategy import Enter

OTHER = BotName("other")
ELSEWHERE = AccountName("elsewhere")
LOSING = Caps(daily_loss=D(5))


async def records(desk: Desk) -> list[Any]:
    return [entry.record for entry in await desk.journal.entries(stream=account_stream(MAIN))]


async def lost(desk: Desk) -> Till:
    """Return bots that have lost about ten today."""
    here = await till(desk, bot(Amount(notional=D(100))), caps=LOSING)
    await here.trade("50000", "45000")
    return here


async def test_a_day_that_lost_its_most_takes_no_more_entries(desk: Desk) -> None:
    here = await lost(desk)
    before = len(desk.exchange.sent)
    for _ in range(2):
        await here.say(Enter())
    assert len(desk.exchange.sent) == before
    assert "cap daily_loss 5" in here.refusals()[0]
    (reached,) = await records(desk)
    assert isinstance(reached, LossCapReached)
    assert 9 < reached.lost < 11
    assert len(desk.log.said("loss cap reached")) == 1


async def test_what_keeps_a_bot_out_is_what_it_waits_for(desk: Desk) -> None:
    """Also before it wants to enter, and until a word lifts it. Red without the minute's look."""
    here = await lost(desk)
    runner = here.rings[DIP].runner
    runner._begun.set()
    runners = BySymbol[Runner](lambda each: each.spec.symbol)
    runners[DIP] = runner
    lull = Lull(desk.login, runners, desk.journal, here.allowance)
    await lull.weigh()
    assert "cap daily_loss 5" in runner.waits_for
    remark = (await desk.journal.signs()).remarks[DIP]
    assert "surefoot lift main" in (remark.waits_for or "")
    await lift(here)
    await lull.weigh()
    assert runner.waits_for == "a signal of its strategy"
    assert (await desk.journal.signs()).remarks[DIP].waits_for is None


async def test_a_restart_forgets_no_loss(desk: Desk) -> None:
    """It follows from the positions, and the word from the journal."""
    await lost(desk)
    again = await till(desk, bot(Amount(notional=D(100))), caps=LOSING)
    await again.say(Enter())
    assert "cap daily_loss" in again.refusals()[0]
    once_more = await till(desk, bot(Amount(notional=D(100))), caps=Caps(daily_loss=D(500)))
    await once_more.say(Enter())
    assert "cap daily_loss" in once_more.refusals()[-1]  # said is said, whatever the cap is now


async def test_the_next_day_begins_anew(desk: Desk) -> None:
    here = await lost(desk)
    await here.say(Enter())
    desk.clock.elapsed += timedelta(days=1).total_seconds()
    desk.exchange.last_price = D(50_000)
    before = len(desk.exchange.sent)
    await here.say(Enter())
    await here.settle()
    assert len(desk.exchange.sent) == before + 1


async def test_a_clock_that_was_over_midnight_for_a_moment_forgets_no_loss(desk: Desk) -> None:
    """One wrong answer of the exchange about its time was a new day, and the old one was empty."""
    here = await lost(desk)
    day = timedelta(days=1).total_seconds()
    desk.clock.elapsed += day
    assert await here.allowance.lost_today(USDT) == 0
    desk.clock.elapsed -= day
    assert await here.allowance.lost_today(USDT) > 9


async def lift(here: Till) -> str:
    """Let entries in again, and return what the operator is told."""
    at = here.desk.clock.now()
    command = Command(
        command_id="c1", kind="lift", target=MAIN, actor="ann", posted_at=at, expires_at=at
    )
    await here.desk.journal.commit(Change(at=at, commands=(command,)))
    told = await here.allowance.lift(
        "ann", lambda result: Verdict(command_id="c1", status="done", result=result)
    )
    return told.result


async def test_what_lets_entries_in_again_is_one_commit_with_its_answer(desk: Desk) -> None:
    """Killed between the two, the next life refused what it had done itself."""
    here = await two_quotes(desk)
    for name in (DIP, SWING):
        await here.say(Enter(), name)
    with patch.object(desk.journal, "commit", wraps=desk.journal.commit) as commit:
        said = await lift(here)
    *_, last = (call.args[0] for call in commit.call_args_list)
    assert [type(each) for each in last.appends[0].records] == [LossCapLifted, LossCapLifted]
    assert [each.result for each in last.verdicts] == [said]
    assert [type(each) for each in await records(desk)].count(LossCapLifted) == 2


async def test_an_operator_lets_as_much_be_lost_once_more(desk: Desk) -> None:
    here = await lost(desk)
    with pytest.raises(InvalidValue, match="has not reached"):
        await lift(here)
    await here.say(Enter())
    assert "let pass" in await lift(here)
    await here.trade("50000", "45000")
    desk.clock.elapsed += 61.0  # the same refusal is not said again before
    await here.say(Enter())
    assert "has lost 1" in here.refusals()[-1] or "has lost 2" in here.refusals()[-1]
    kinds = [type(each) for each in await records(desk)]
    assert kinds == [LossCapReached, LossCapLifted, LossCapReached]


async def test_a_win_pays_for_a_loss(desk: Desk) -> None:
    here = await till(desk, bot(Amount(notional=D(100))), caps=Caps(daily_loss=D(15)))
    await here.trade("50000", "45000")
    await here.trade("50000", "60000")
    assert await here.allowance.lost_today(USDT) < 0
    assert SWING not in here.rings


EUR = Asset("EUR")


async def two_quotes(desk: Desk) -> Till:
    """Return two bots, paid with two assets, that have both lost their most of a day."""
    desk.exchange.instruments[ETH] = replace(ETHER, quote=EUR)
    hundred = Amount(notional=D(100))
    await desk.keeper(SWING, terms=replace(TERMS, instrument=replace(ETHER, quote=EUR)))
    here = await till(desk, bot(hundred), bot(hundred, SWING, symbol=ETH), caps=LOSING)
    for name in (DIP, SWING):
        await here.trade("50000", "45000", name)
    return here


async def test_each_quote_asset_has_a_word_of_its_own(desk: Desk) -> None:
    """The second to reach its cap took the word of the first, and a lift of one undid the other's.

    Every entry that was refused left a record then.
    """
    here = await two_quotes(desk)
    for _ in range(3):
        await here.say(Enter())
        await here.say(Enter(), SWING)
    reached = await records(desk)
    assert [each.quote for each in reached] == [USDT, EUR]
    assert " and " in await lift(here)
    before = len(desk.exchange.sent)
    for _ in range(2):
        await here.say(Enter())
        await here.say(Enter(), SWING)
    await here.settle()
    assert len(desk.exchange.sent) == before + 2


async def test_a_restart_forgets_no_quote_asset_s_word(desk: Desk) -> None:
    """Only the last word of all was read: what the first asset had reached was forgotten."""
    here = await two_quotes(desk)
    await here.say(Enter())
    await here.say(Enter(), SWING)
    hundred, roomy = Amount(notional=D(100)), Caps(daily_loss=D(500))
    again = await till(desk, bot(hundred), bot(hundred, SWING, symbol=ETH), caps=roomy)
    before = len(desk.exchange.sent)
    await again.say(Enter())
    await again.say(Enter(), SWING)
    await again.settle()
    assert len(desk.exchange.sent) == before
    assert " and " in await lift(again)


async def test_the_loss_of_a_bot_that_is_no_more_is_the_accounts_too(desk: Desk) -> None:
    """A losing bot that was taken out of the configuration took its loss with it."""
    here = await till(desk, bot(Amount(notional=D(100)), OTHER), caps=LOSING)
    await here.trade("50000", "45000", OTHER)
    word = BotStatusChanged(at=START, bot=OTHER, status="RUNNING", by="surefoot", reason=None)
    append = Append(stream=f"bot/{OTHER}", expected=0, records=(word,))
    await desk.journal.commit(Change(at=START, appends=(append,)))
    del desk.keepers[OTHER]
    again = await till(desk, bot(Amount(notional=D(100))), caps=LOSING)
    await again.say(Enter())
    assert "cap daily_loss" in again.refusals()[-1]


async def test_the_loss_of_a_bot_that_trades_elsewhere_now_is_this_accounts_too(
    desk: Desk,
) -> None:
    """Moved to another account, it took with it what it had lost on this one today."""
    here = await till(desk, bot(Amount(notional=D(100)), OTHER), caps=LOSING)
    await here.trade("50000", "45000", OTHER)
    lost = desk.keepers[OTHER].position
    elsewhere = replace(started(OTHER, lost.number + 1), account=ELSEWHERE)
    stream = f"position/{elsewhere.position_id}"
    moved = Append(
        stream=stream, expected=0, records=(elsewhere,), position=evolve(None, elsewhere)
    )
    word = BotStatusChanged(at=START, bot=OTHER, status="RUNNING", by="surefoot", reason=None)
    known = Append(stream=f"bot/{OTHER}", expected=0, records=(word,))
    await desk.journal.commit(Change(at=START, appends=(known, moved)))
    del desk.keepers[OTHER]
    again = await till(desk, bot(Amount(notional=D(100))), caps=LOSING)
    await again.say(Enter())
    assert "cap daily_loss" in again.refusals()[-1]


async def test_what_closes_while_the_day_is_read_counts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal was read before it closed, and nobody listened yet when it did."""
    here = await lost(desk)
    gone = desk.keepers[DIP].positions
    closed = next(each for each in gone if each.closed_at is not None)
    again = await till(desk, bot(Amount(notional=D(100)), OTHER), caps=LOSING)
    read = desk.journal.bots

    async def slow() -> Any:
        again.allowance.note(closed)
        return await read()

    monkeypatch.setattr(desk.journal, "bots", slow)
    monkeypatch.setattr(desk.journal, "position", AsyncMock(return_value=None))
    await again.say(Enter(), OTHER)
    assert "cap daily_loss" in again.refusals()[-1]
    assert here.refusals()


async def test_what_is_open_and_under_water_may_be_lost_too(desk: Desk) -> None:
    """Catches one entry after the other into a market that falls, with nothing closed yet."""
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), bot(hundred, OTHER), caps=LOSING)
    await here.say(Enter())
    await here.settle()
    await here.say(Enter(), OTHER, price="47000")
    assert "more would be lost by what is open" in here.refusals()[-1]
    assert await records(desk) == []
    await here.say(Enter(), OTHER, price="49000")
    await here.settle()
    assert len(desk.exchange.sent) == 2


async def test_what_is_open_and_wins_pays_for_no_loss(desk: Desk) -> None:
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred), bot(hundred, OTHER), caps=LOSING)
    await here.say(Enter())
    await here.settle()
    await here.trade("50000", "45000", OTHER)
    await here.say(Enter(), OTHER, price="90000")
    assert "has lost" in here.refusals()[-1]


async def test_the_same_refusal_with_other_figures_is_said_once(desk: Desk) -> None:
    """Figures move with every price: a strategy that asks at each one filled the log."""
    hundred = Amount(notional=D(100))
    here = await till(desk, bot(hundred, limits=LIMITS), caps=Caps(exposure=D(50)))
    for price in ("50000", "50001.5", "49990"):
        await here.say(Enter(), price=price)
        await here.say(Enter(notional=5000), price=price)  # two that alternate are two
    assert len(here.refusals()) == 2


async def test_what_one_account_lost_stops_no_other(desk: Desk) -> None:
    """Two accounts of one journal: catches a loss, a word or a lift that both are taken by."""
    here = await lost(desk)
    await here.say(Enter())
    word = BotStatusChanged(at=START, bot=DIP, status="RUNNING", by="surefoot", reason=None)
    append = Append(stream=f"bot/{DIP}", expected=0, records=(word,))
    await desk.journal.commit(Change(at=START, appends=(append,)))
    away = Desk()
    away.journal = desk.journal
    away.login = Login(
        account_spec(caps=LOSING, account=ELSEWHERE),
        exchange=away.exchange,
        journal=desk.journal,
        clock=away.clock,
        log=away.log,
    )
    other = Allowance(away.login, BySymbol(lambda k: k.symbol), desk.journal, lambda _: None)
    assert await other.lost_today(USDT) == 0
    assert await other.refusal(USDT) is None
    assert "cap daily_loss" in str(await here.allowance.refusal(USDT))
    with pytest.raises(InvalidValue, match="elsewhere has not reached its loss of a day"):
        await other.lift("ann", AsyncMock())
    assert "cap daily_loss" in str(await here.allowance.refusal(USDT))
