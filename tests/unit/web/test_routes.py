"""What the API says is what the journal says, page by page."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest
from tests.unit.web.desk import Desk

from surefoot.core.account_records import Record
from surefoot.core.values import AccountName, Symbol
from surefoot.journal.port import Journal
from surefoot.journal.status import read_status
from surefoot.web import routes
from surefoot.web.health import TURNS
from surefoot.web.keys import Scope


async def test_status_is_the_document_of_the_command_line(desk: Desk, journal: Journal) -> None:
    code, answer = await desk.ask("/api/v1/status")
    document = msgspec.to_builtins(await read_status(journal, now=desk.clock.now()))
    assert code == 200
    assert answer == document
    assert {bot["bot"] for bot in answer["bots"]} == {"dip-btc", "dip-eth"}
    assert (await desk.ask("/api/v1/bots"))[1]["bots"] == answer["bots"]
    assert (await desk.ask("/api/v1/bots/dip-btc"))[1] == answer["bots"][0]
    assert (await desk.ask("/api/v1/bots/nobody"))[0] == 404


async def test_a_position_is_told_with_its_orders_fills_and_life(desk: Desk) -> None:
    code, answer = await desk.ask("/api/v1/positions/dip-btc-1")
    assert code == 200
    assert answer["position"]["state"] == "CLOSED"
    assert [each["role"] for each in answer["position"]["orders"]] == ["entry", "exit"]
    assert [each["price"] for each in answer["fills"]] == ["50000", "51000"]
    assert answer["life"][0]["text"] == "dip-btc-1 begins, FLAT, on BTC/USDT."
    assert [each["sequence"] for each in answer["life"]] == sorted(
        each["sequence"] for each in answer["life"]
    )


async def test_positions_are_held_or_past(desk: Desk) -> None:
    _, held = await desk.ask("/api/v1/positions?state=open")
    _, past = await desk.ask("/api/v1/positions?state=closed")
    assert [each["position_id"] for each in held["positions"]] == ["dip-eth-1"]
    assert [each["position_id"] for each in past["positions"]] == ["dip-btc-1"]


async def paged(desk: Desk, path: str, rows: str, limit: int) -> list[Any]:
    """Walk through all pages; no page is longer than asked, and none is asked for twice."""
    found: list[Any] = []
    cursor, seen = "", set[str]()
    while True:
        _, page = await desk.ask(f"{path}?limit={limit}{cursor}")
        assert len(page[rows]) <= limit
        found += page[rows]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"
        assert cursor not in seen
        seen.add(cursor)


@pytest.mark.parametrize(
    ("path", "rows", "key"),
    [
        ("/api/v1/records", "records", "sequence"),
        ("/api/v1/positions", "positions", "position_id"),
        ("/api/v1/orders", "orders", "client_order_id"),
        ("/api/v1/fills", "fills", "sequence"),
    ],
)
async def test_pages_hold_everything_once_whatever_their_size(
    desk: Desk, path: str, rows: str, key: str
) -> None:
    """A cursor that skips or repeats a row at a page's edge is seen with pages of one."""
    everything = await paged(desk, path, rows, 200)
    assert len({each[key] for each in everything}) == len(everything) > 1
    for limit in (1, 2, 3):
        assert await paged(desk, path, rows, limit) == everything


async def test_records_are_filtered(desk: Desk, journal: Journal) -> None:
    count = await journal.records()
    _, page = await desk.ask("/api/v1/records?limit=200")
    assert [each["sequence"] for each in page["records"]] == list(range(count, 0, -1))

    async def kinds(query: str) -> set[tuple[str | None, str]]:
        _, found = await desk.ask(f"/api/v1/records?limit=200&{query}")
        return {(each["bot"], each["kind"]) for each in found["records"]}

    assert {bot for bot, _ in await kinds("bot=dip-btc")} == {"dip-btc"}
    assert await kinds("bot=dip") == set()  # not the beginning of another bot's name
    assert {kind for _, kind in await kinds("kind=fill-booked")} == {"fill-booked"}
    assert await kinds("text=%25") == set()  # a text, not a pattern
    assert await kinds("until=2025-12-31T00:00:00Z") == set()
    assert (await desk.ask("/api/v1/records?since=2026-01-01T00:00:00"))[0] == 422
    assert (await desk.ask("/api/v1/records?colour=red"))[0] == 422
    assert (await desk.ask("/api/v1/records/1"))[1]["sequence"] == 1
    assert (await desk.ask(f"/api/v1/records/{count + 1}"))[0] == 404


async def test_a_position_s_records_are_found_however_old(desk: Desk) -> None:
    _, page = await desk.ask("/api/v1/records?position=dip-btc-1&limit=200")
    assert {each["position"] for each in page["records"]} == {"dip-btc-1"}
    assert page["next"] is None


async def test_recoveries_and_profit(desk: Desk) -> None:
    _, page = await desk.ask("/api/v1/recoveries")
    (report,) = page["records"]
    assert report["record"]["fills_booked"] == 2
    _, profit = await desk.ask("/api/v1/profit")
    (row,) = profit["rows"]
    assert (row["bot"], row["quote"], row["pnl"], row["positions"]) == (
        "dip-btc", "USDT", "1.6", 1,
    )  # fmt: skip
    assert (await desk.ask("/api/v1/profit?bot=dip-eth"))[1]["rows"] == []


async def test_candles_are_of_prices_that_were_seen(desk: Desk) -> None:
    _, answer = await desk.ask("/api/v1/candles/BTC/USDT?seconds=60")
    (candle,) = answer["candles"]  # both positions lived in the same minute
    assert (candle["open"], candle["high"], candle["low"]) == (50000, 51000, 50000)
    assert (await desk.ask("/api/v1/candles/ETH/USDT"))[1]["candles"] == []


async def test_machines_are_told_that_no_engine_runs(desk: Desk, journal: Journal) -> None:
    assert await desk.ask("/healthz", scope=None) == (200, {"ok": True})
    code, ready = await desk.ask("/readyz", scope=None)
    assert (code, ready["engine"], ready["market"]) == (
        503,
        False,
        False,
    )  # it has not turned, and no price is fresh
    _, text = await desk.ask("/metrics")
    assert "surefoot_engine_up 1.0" in text
    assert f"surefoot_journal_records_total {float(await journal.records())}" in text
    await journal.close()


async def test_an_engine_that_takes_no_commands_is_not_ready_though_it_lives(
    desk: Desk, journal: Journal
) -> None:
    """Its lease is held and its prices are fresh; who pressed "close" got no answer."""

    async def engine() -> bool:
        account, pair, now = AccountName("main"), Symbol("BTC/USDT"), desk.clock.now()
        journal.gauges.price(account, pair, Decimal(50000), now)
        return bool((await desk.ask("/readyz", scope=None))[1]["engine"])

    journal.gauges.turn(desk.clock.now())
    async with asyncio.timeout(10):
        while not await engine():
            await desk.clock.sleep(0.05)
    desk.clock.ahead += TURNS
    assert not await engine()


async def test_every_answer_has_a_schema_and_every_reference_leads_somewhere(desk: Desk) -> None:
    _, document = await desk.ask("/api/v1/openapi.json")
    named = set(document["components"]["schemas"])
    assert {ref.rpartition("/")[2] for ref in references(document)} <= named
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), (path, method)


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(each) for each in value.values()))
    if isinstance(value, list):
        return set().union(*(references(each) for each in value))
    return set()


async def test_of_a_long_life_the_newest_is_told_and_how_much_is_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = await desk.ask("/api/v1/positions/dip-btc-1")
    assert whole["records_not_shown"] == 0
    monkeypatch.setattr(routes, "LIFE_MAX", 3)
    _, cut = await desk.ask("/api/v1/positions/dip-btc-1")
    assert cut["life"] == whole["life"][-3:]
    assert cut["records_not_shown"] == len(whole["life"]) - 3
    assert cut["fills"] == whole["fills"]


async def test_every_kind_that_a_record_may_have_can_be_asked_for(desk: Desk) -> None:
    _, answer = await desk.ask("/api/v1/kinds")
    _, page = await desk.ask("/api/v1/records?limit=200")
    assert {each["kind"] for each in page["records"]} <= set(answer["kinds"])
    assert len(answer["kinds"]) == len(set(answer["kinds"])) == len(get_args(Record))


@pytest.mark.parametrize("time", ["0.5", "1767225600", "-1", "2026-01-31T12:00:00", "yesterday"])
async def test_a_time_is_a_date_with_its_zone(desk: Desk, time: str) -> None:
    """A number was taken for seconds since 1970, and answered with nothing."""
    for name in ("since", "until"):
        status, answer = await desk.ask(f"/api/v1/records?{name}={time}")
        assert (status, list(answer)) == (422, ["error"])
    assert (await desk.ask("/api/v1/records?since=2025-12-31T12:00:00Z"))[1]["records"]


async def test_an_address_that_is_asked_in_another_way_says_which(desk: Desk) -> None:
    """It said that there is no such address."""
    assert await desk.ask("/api/v1/commands") == (405, {"error": "only POST here"})
    assert (await desk.ask("/api/v1/nothing"))[0] == 404


async def test_an_address_with_several_methods_names_them_all(desk: Desk) -> None:
    """It named those of its first route alone."""
    url = f"{desk.origin}/api/v1/session"
    async with desk.client.put(url, headers=desk.bearer(Scope.ADMIN)) as answer:
        named = set(answer.headers["allow"].split(", "))
        assert (answer.status, named) == (405, {"DELETE", "GET", "POST"})
