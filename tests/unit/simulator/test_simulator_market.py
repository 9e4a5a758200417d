"""Prices: the tape there and back, the seeded walk, the hand; and candles that close on time."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal as D
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.unit.simulator.trader import NOON_MS, StillClock, Trader
from typing_extensions import override

from surefoot.simulator import Settings, Simulator
from surefoot.simulator.candles import FRAMES_MS, KEPT, Candles
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.floor import DEPTH, Floor
from surefoot.simulator.market import TAPE, PlayedMarket, _read, _there_and_back
from surefoot.simulator.model import default_rules

RULES = default_rules()[:1]
ROWS: list[list[Any]] = [
    [0, "BTCUSDT", "b", "60000", "60002"],
    [10, "BTCUSDT", "t", "60001", "0.5"],
    [20, "DOGEUSDT", "t", "1", "1"],  # not listed here
    [30, "BTCUSDT", "t", "60002", "0.1"],
]


def tape(path: Path, rows: list[list[Any]]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for row in [{"source": "made by hand"}, *rows]:
            file.write(json.dumps(row) + "\n")
    return path


# The tape ----------------------------------------------------------------------------------------


def test_the_tape_plays_there_and_back_and_time_goes_on() -> None:
    """Prices never jump from the end to the beginning, however long it plays."""
    played = list(islice(_there_and_back(ROWS), 9))
    there, back = [row[1:] for row in ROWS], [row[1:] for row in reversed(ROWS)]
    assert [row[1:] for row in played] == [*there, *back, there[0]]
    assert [row[0] for row in played] == [0, 10, 20, 30, 30, 40, 50, 60, 60]


def test_the_bundled_tape_is_in_order_and_continuous() -> None:
    rows = _read(TAPE)
    assert {row[1] for row in rows} == {"BTCUSDT", "ETHUSDT"}
    assert all(first[0] <= second[0] for first, second in pairwise(rows))
    for symbol in ("BTCUSDT", "ETHUSDT"):
        prices = [D(row[3]) for row in rows if row[1] == symbol and row[2] == "t"]
        assert max(abs(b / a - 1) for a, b in pairwise(prices)) < D("0.002")


@pytest.mark.parametrize("rows", [[], [[0, "BTCUSDT", "t", "1", "1"]]])
def test_a_tape_without_any_time_is_refused_before_the_start(
    tmp_path: Path, rows: list[list[Any]]
) -> None:
    """It would be played in no time, for ever."""
    path = tape(tmp_path / "tape.jsonl.gz", rows)
    with pytest.raises(ValueError, match="no trades to play"):
        Simulator(Settings(rules=RULES, market="tape", tape=path))


def test_a_tape_that_is_not_there_is_refused_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Simulator(Settings(rules=RULES, market="tape", tape=tmp_path / "none.gz"))


class TestPlaying:
    """A short tape, from both ends."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        path = tape(tmp_path / "tape.jsonl.gz", ROWS)
        return Settings(rules=RULES, market="tape", tape=path)

    async def test_it_moves_the_market_to_the_end_and_back(self, trader: Trader) -> None:
        stream = await trader.market_stream("btcusdt@trade")
        wanted = ["60002.00000000", "60001.00000000", "60002.00000000"]
        while wanted:
            event = await stream.next()
            if event["p"] == wanted[0]:
                wanted.pop(0)
        quote = trader.simulator.exchange.quotes["BTCUSDT"]
        assert (quote.bid, quote.ask) == (D(60000), D(60002))


async def test_a_market_can_be_set_to_the_tape_while_it_runs(trader: Trader) -> None:
    """It is read only then."""
    stream = await trader.market_stream("btcusdt@bookTicker")
    await trader.do("market", mode="tape")
    first = _read(TAPE)[0]
    while D((await stream.next())["a"]) != D(first[4]):
        pass


# The walk ----------------------------------------------------------------------------------------


class Enough(Exception):
    """So many beats were enough."""


class BeatingClock(StillClock):
    """Every wait is over at once, and the last one is the end."""

    def __init__(self, beats: int) -> None:
        super().__init__()
        self._left = beats

    @override
    async def sleep(self, seconds: float) -> None:
        self._left -= 1
        if not self._left:
            raise Enough


async def walk(seed: int) -> list[str]:
    """Return the prices of ten beats of a random market."""
    clock, told = BeatingClock(10), list[str]()
    settings = Settings(rules=RULES, market="random", seed=seed)

    def publish(_symbol: str, stream: str, make: Callable[[], dict[str, Any]]) -> None:
        message = make()
        if stream == "trade":
            told.append(message["p"])

    with pytest.raises(Enough):
        exchange = Exchange(settings, clock)
        floor = Floor(exchange, candles(), publish, clock)
        await PlayedMarket(exchange, candles(), floor, clock, settings).run()
    return told


async def test_a_seed_is_a_walk() -> None:
    one, same, other = [await walk(seed) for seed in (7, 7, 8)]
    assert one == same != other
    assert len(set(one)) == len(one) == 10


async def test_a_quiet_market_repeats_its_price_and_never_moves() -> None:
    """So that a bot can tell a quiet market from a dead stream."""
    clock, told = BeatingClock(9), list[tuple[str, str]]()
    settings = Settings(rules=RULES)

    def publish(_symbol: str, stream: str, make: Callable[[], dict[str, Any]]) -> None:
        message = make()
        told.append((stream, message.get("p") or message.get("b", "")))

    with pytest.raises(Enough):
        exchange = Exchange(settings, clock)
        floor = Floor(exchange, candles(), publish, clock)
        await PlayedMarket(exchange, candles(), floor, clock, settings).run()
    price = f"{RULES[0].price:.8f}"
    told = [each for each in told if each[0] != DEPTH]
    assert told == [("bookTicker", price), ("trade", price)] * 2


# By hand -----------------------------------------------------------------------------------------


async def test_a_path_of_prices_is_walked_step_by_step(trader: Trader) -> None:
    """An order on the way is filled, though the path ends elsewhere."""
    await trader.rest_buy(price="60000", name="mine")
    await trader.do("price", symbol="BTCUSDT", path=["61000", "59000", "62000"])
    assert (await trader.query("mine")).body["status"] == "FILLED"
    assert trader.simulator.exchange.quotes["BTCUSDT"].last == 62000


async def test_a_spread_is_around_the_price(trader: Trader) -> None:
    await trader.do("price", symbol="BTCUSDT", price="60000", spread="3")
    assert (await trader.order("BUY", "MARKET", "0.001")).body["cummulativeQuoteQty"] == (
        "60.00300000"
    )


# Candles -----------------------------------------------------------------------------------------


def candles() -> Candles:
    return Candles(RULES, NOON_MS, seed=1)


def rows(kept: Candles, frame: str = "1m", limit: int = 3) -> list[list[Any]]:
    return kept.klines("BTCUSDT", frame, None, limit)


def test_a_candle_is_made_of_its_trades() -> None:
    kept = candles()
    for price, after_s in ((61000, 1), (63000, 20), (60000, 40), (62000, 59)):
        kept.trade("BTCUSDT", D(price), D("0.5"), NOON_MS + after_s * 1000)
    (row,) = rows(kept, limit=1)
    figures = [D(value) for value in row[1:6]]
    assert row[0] == NOON_MS
    assert figures == [RULES[0].price, D(63000), D(60000), D(62000), D(2)]


def test_a_candle_closes_on_time_without_a_trade() -> None:
    """A bot on candles must not wait for somebody to trade."""
    kept = candles()
    kept.trade("BTCUSDT", D(61000), D(1), NOON_MS)
    closed = kept.roll(NOON_MS + 120_000)
    minutes = [(each.open_ms, each.close) for _, frame, each in closed if frame == "1m"]
    assert minutes == [(NOON_MS, D(61000)), (NOON_MS + 60_000, D(61000))]
    assert kept.roll(NOON_MS + 120_000) == []


def test_reading_candles_takes_no_closing_from_the_stream() -> None:
    """The stream tells of each candle once, also if a read came first."""
    kept = candles()
    kept.catch_up(NOON_MS + 60_000)
    assert [frame for _, frame, _ in kept.roll(NOON_MS + 60_000) if frame == "1m"] == ["1m"]


@pytest.mark.parametrize("frame", FRAMES_MS)
def test_there_is_a_past_that_leads_to_the_first_price(frame: str) -> None:
    past = rows(candles(), frame, limit=1000)
    assert len(past) > 500
    for earlier, later in pairwise(past):
        assert later[0] - earlier[0] == FRAMES_MS[frame] == earlier[6] - earlier[0] + 1
        assert D(later[1]) == D(earlier[4])
        assert D(earlier[3]) <= D(earlier[1]) <= D(earlier[2])
    assert D(past[-1][4]) == RULES[0].price


def test_the_past_is_the_same_whoever_is_asked_first() -> None:
    """It is made when it is first asked for: a world must not depend on who asks when."""
    pairs = [(each.symbol, frame) for each in RULES for frame in FRAMES_MS]
    one, other = candles(), candles()
    asked = {pair: one.klines(*pair, None, KEPT) for pair in pairs}
    other.trade("BTCUSDT", RULES[0].price, D(0), NOON_MS)
    assert asked == {pair: other.klines(*pair, None, KEPT) for pair in reversed(pairs)}
    assert len({str(rows_) for rows_ in asked.values()}) == len(pairs)


@pytest.mark.parametrize("frame", ["1s", "1m", "1d"])
@pytest.mark.parametrize("lengths", [1, 700, KEPT - 1, KEPT, 3 * KEPT])
def test_what_was_invented_leads_to_what_was_traded(frame: str, lengths: int) -> None:
    """Also if it is asked for late: no candle is missing between them, and none is too many."""
    kept, later = candles(), NOON_MS + lengths * FRAMES_MS[frame]
    kept.trade("BTCUSDT", D(61000), D(1), NOON_MS)
    kept.trade("BTCUSDT", D(62000), D(1), later)
    past = rows(kept, frame, limit=2 * KEPT)
    steps = {after[0] - before[0] for before, after in pairwise(past)}
    assert steps == {FRAMES_MS[frame]}
    assert past[-1][0] == later - later % FRAMES_MS[frame]
    assert len(past) == min(KEPT, 600 + 1 + lengths)


def test_a_clock_moved_by_months_makes_no_endless_candles() -> None:
    kept = candles()
    kept.catch_up(NOON_MS + 90 * 86_400_000)
    past = rows(kept, "1s", limit=5000)
    assert len(past) == KEPT
    assert past[-1][0] == NOON_MS + 90 * 86_400_000


async def test_klines_start_where_asked(trader: Trader) -> None:
    given = {"symbol": "BTCUSDT", "interval": "1h"}
    newest = (await trader.ask("GET", "klines", signed=False, **given, limit=3)).body
    start = newest[1][0]
    page = (await trader.ask("GET", "klines", signed=False, **given, startTime=start)).body
    assert [row[0] for row in page] == [row[0] for row in newest[1:]]
    given["interval"] = "2h"
    assert (await trader.ask("GET", "klines", signed=False, **given)).code == -1120


async def test_a_closed_candle_is_told(trader: Trader) -> None:
    stream = await trader.market_stream("btcusdt@kline_1d")
    await trader.price(61000)
    await trader.do("clock", advance=86_400)
    event = await stream.next()
    assert (event["k"]["x"], event["k"]["i"], event["k"]["c"]) == (True, "1d", "61000.00000000")


# The clock ---------------------------------------------------------------------------------------


def test_the_clock_moves_by_as_much_as_asked() -> None:
    still = StillClock()
    still.advance(1.5)
    still.advance(-0.25)
    assert still.now_ms() == NOON_MS + 1250


async def test_an_advance_is_seen_everywhere(trader: Trader) -> None:
    """Three days pass in a moment: on the wire, in the orders, and for signatures."""
    before = (await trader.ask("GET", "time", signed=False)).body["serverTime"]
    await trader.do("clock", advance=3 * 86_400)
    after = (await trader.ask("GET", "time", signed=False)).body["serverTime"]
    assert after - before >= 3 * 86_400_000
    assert (await trader.rest_buy()).body["transactTime"] >= after
    assert (await trader.ask("GET", "account", timestamp=before)).code == -1021
