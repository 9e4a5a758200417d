"""Whatever goes wrong with a request, the adapter says no, never, or nobody knows; and truly so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from tests.conformance.exchange.conftest import BRISK, KEYS, Do
from tests.conformance.exchange.orders import BTC, NAME, order, resting

from surefoot.core.order import ReportedStatus, Role
from surefoot.core.reports import Grounds, OrderReport
from surefoot.core.values import ClientOrderId, ExchangeOrderId, Side
from surefoot.engine.clock import SystemClock
from surefoot.exchange import open_exchange
from surefoot.exchange.errors import Banned, NotSent, ReadFailed, Refused, TooMany, Unknown
from surefoot.exchange.port import Exchange
from surefoot.simulator import Control, Simulator, ccxt_settings
from surefoot.simulator.faults import REQUEST_FAULTS

# The fault, its parameters, the verdict, and whether the order exists then.
VERDICTS: list[tuple[str, dict[str, Any], type[Exception] | None, bool]] = [
    ("lose_request", {}, Unknown, False),
    ("hold_request", {"seconds": 0.05}, None, True),
    ("error_before", {"status": 503, "code": -1000}, Unknown, False),
    ("error_before", {"status": 503, "code": -1008}, Unknown, False),
    ("error_before", {"status": 400, "code": -4242}, Unknown, False),
    ("reject", {"code": -2010, "message": "No."}, Refused, False),
    ("reject", {"code": -1013, "message": "Filter failure: NOTIONAL"}, Refused, False),
    ("reject", {"code": -2010, "message": "Duplicate order sent."}, Unknown, False),
    ("reject", {"code": -1006}, Unknown, False),
    ("rate_limit", {"status": 429}, TooMany, False),
    ("rate_limit", {"status": 418}, TooMany, False),
    ("redirect", {}, Unknown, False),
    ("lose_response", {}, Unknown, True),
    ("slow_response", {"seconds": 0.05}, None, True),
    ("error_after", {"status": 504, "code": -1007}, Unknown, True),
    ("error_after", {"status": 500, "code": -1001}, Unknown, True),
    ("html_body", {"status": 502}, Unknown, True),
    ("html_body", {"status": 200}, Unknown, True),
    ("empty_body", {}, Unknown, True),
    ("truncated_body", {}, Unknown, True),
    ("ack_without_id", {}, Unknown, True),
    ("duplicate_request", {}, None, True),
    ("hide_order", {}, None, True),
    ("hide_fills", {}, None, True),
    ("partial_fill", {}, None, True),
    ("partial_then_cancel", {}, None, True),
]
READ_FAULTS = {"empty_list", "omit_row", "zero_balance", "wrong_uid"}


async def verdict(asked: Awaitable[Any]) -> Exception | OrderReport | None:
    """Return the answer, or why there is none."""
    try:
        answer: OrderReport | None = await asked
    except (NotSent, Refused, Unknown) as error:
        return error
    return answer


def test_every_fault_of_an_order_is_judged() -> None:
    assert {name for name, *_ in VERDICTS} == set(REQUEST_FAULTS) - READ_FAULTS


@pytest.mark.parametrize(
    ("fault", "given", "kind", "exists"), VERDICTS, ids=[f"{n} {g}" for n, g, *_ in VERDICTS]
)
async def test_the_verdict_on_a_send(
    *,
    exchange: Exchange,
    do: Do,
    simulator: Simulator,
    fault: str,
    given: dict[str, Any],
    kind: type[Exception] | None,
    exists: bool,
) -> None:
    """Refused with an order at the exchange would be an orphan; that must not be possible."""
    await do("arm", name=fault, on="order.send", **given)
    found = await verdict(exchange.send(BTC, resting(exchange)))
    assert type(found) is (kind or OrderReport)
    assert bool(simulator.exchange.orders) is exists


async def test_a_request_that_is_held_too_long_is_refused_for_ever(
    exchange: Exchange, do: Do, simulator: Simulator
) -> None:
    """-1021 proves that this very request will not be accepted, however often it is delivered."""
    await do("arm", name="hold_request", on="order.send", seconds=0.4)
    found = await verdict(exchange.send(BTC, order(exchange, lifetime_s=0.2)))
    assert isinstance(found, Refused)
    assert found.code == "-1021"
    assert simulator.exchange.orders == {}


@pytest.mark.parametrize("moved_s", [30.0, -30.0])
async def test_a_clock_that_was_moved_is_right_after_one_measurement(
    exchange: Exchange, simulator: Simulator, moved_s: float
) -> None:
    """Ours stands still while the machine sleeps: what is refused for its time says so."""
    simulator.clock.advance(moved_s)
    found = await verdict(exchange.send(BTC, resting(exchange)))
    assert isinstance(found, Refused)
    assert found.grounds is Grounds.UNTIMELY
    await exchange.measure_clock()
    assert isinstance(await verdict(exchange.send(BTC, resting(exchange))), OrderReport)


@pytest.mark.parametrize("fault", ["lose_response", "html_body", "truncated_body"])
async def test_a_refusal_that_is_lost_is_unknown(
    exchange: Exchange, do: Do, simulator: Simulator, fault: str
) -> None:
    """The exchange said no, and nobody heard: silence is not taken for yes either."""
    await do("arm", name=fault, on="order.send")
    found = await verdict(exchange.send(BTC, order(exchange, quantity=D(1000))))
    assert isinstance(found, Unknown)
    assert simulator.exchange.orders == {}


async def test_a_request_that_is_too_old_never_leaves(
    exchange: Exchange, simulator: Simulator
) -> None:
    ledger = Control(simulator.url).ledger
    before = (await asyncio.to_thread(ledger))["requests"]
    found = await verdict(exchange.send(BTC, order(exchange, lifetime_s=-0.001)))
    assert isinstance(found, NotSent)
    assert (await asyncio.to_thread(ledger))["requests"] == before


class TestLateAnswers:
    """The client gives up before the exchange answers."""

    @pytest.fixture
    def changes(self) -> dict[str, Any]:
        return {"timeout": 300}

    async def test_an_answer_that_comes_too_late_is_unknown(
        self, exchange: Exchange, do: Do, simulator: Simulator
    ) -> None:
        await do("arm", name="slow_response", on="order.send", seconds=2)
        found = await verdict(exchange.send(BTC, resting(exchange)))
        assert isinstance(found, Unknown)
        assert len(simulator.exchange.orders) == 1


async def test_an_exchange_that_does_not_listen_was_sent_nothing(simulator: Simulator) -> None:
    """The connection was refused: of all breaks the only one that proves something."""
    exchange = open_exchange(
        "binance",
        keys=lambda: (KEYS["apiKey"], KEYS["secret"]),
        settings={**BRISK, **ccxt_settings(simulator.url)},
        allow_custom_host=False,
        time=SystemClock(),
    )
    await exchange.connect()
    await simulator.__aexit__(None, None, None)
    try:
        with pytest.raises(ReadFailed):  # over the connection that was open
            await exchange.balances()
        assert isinstance(await verdict(exchange.send(BTC, order(exchange))), NotSent)
    finally:
        await exchange.close()


async def test_an_outage_is_unknown(exchange: Exchange, do: Do) -> None:
    """The connection was open: how far the request went, nobody knows."""
    await do("arm", name="outage")
    assert isinstance(await verdict(exchange.send(BTC, order(exchange))), Unknown)


# Bans --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["send", "read"])
async def test_a_ban_is_kept_without_touching_the_network(
    exchange: Exchange, do: Do, simulator: Simulator, what: str
) -> None:
    """Whoever goes on asking is banned for longer."""
    await do("arm", name="rate_limit", status=418, seconds=600)
    if what == "send":
        assert isinstance(await verdict(exchange.send(BTC, order(exchange))), TooMany)
    else:
        with pytest.raises(Banned):
            await exchange.balances()
    asked = exchange.spending().requests
    assert isinstance(await verdict(exchange.send(BTC, order(exchange))), NotSent)
    with pytest.raises(Banned) as banned:
        await exchange.balances()
    assert timedelta(seconds=590) < banned.value.until - exchange.now() <= timedelta(seconds=600)
    assert exchange.spending().requests == asked
    assert simulator.exchange.orders == {}


async def test_a_ban_that_was_noted_before_a_restart_holds(exchange: Exchange) -> None:
    exchange.note_ban(exchange.now() + timedelta(minutes=1))
    assert isinstance(await verdict(exchange.send(BTC, order(exchange))), NotSent)
    with pytest.raises(Banned):
        await exchange.order(BTC, NAME)


# What a good answer says -------------------------------------------------------------------------


async def test_a_report_says_what_was_sent_and_filled(exchange: Exchange, do: Do) -> None:
    await do("arm", name="partial_fill", on="order.send", fraction="0.4")
    report = await exchange.send(BTC, resting(exchange))
    assert (report.client_order_id, report.side, report.status) == (
        NAME,
        Side.BUY,
        ReportedStatus.OPEN,
    )
    assert (report.quantity, report.filled, report.limit) == (D("0.001"), D("0.0004"), D(60000))


async def test_a_stop_is_sent_as_a_stop(exchange: Exchange, do: Do, simulator: Simulator) -> None:
    await do("balance", asset="BTC", free="1")
    stop = order(exchange, role=Role.STOP, side=Side.SELL, trigger=D("60000.01"))
    report = await exchange.send(BTC, stop)
    (at_exchange,) = simulator.exchange.orders.values()
    assert (report.status, at_exchange.type, at_exchange.stop_price) == (
        ReportedStatus.OPEN,
        "STOP_LOSS",
        D("60000.01"),
    )


async def test_a_redirect_is_not_followed(exchange: Exchange, do: Do, simulator: Simulator) -> None:
    """A signed order is carried to no other host: here it would have been accepted there."""
    location = f"{simulator.url}/api/v3/time"
    await do("arm", name="redirect", location=location, times=0)
    assert isinstance(await verdict(exchange.send(BTC, order(exchange))), Unknown)
    with pytest.raises(ReadFailed, match="Redirect"):
        await exchange.measure_clock()


@pytest.mark.parametrize("ask", ["send", "balances"])
async def test_no_message_holds_a_signature_or_a_key(exchange: Exchange, do: Do, ask: str) -> None:
    """Errors are written down; ccxt puts the whole signed address into them."""
    await do("arm", name="html_body", status=502, times=0)
    call: Callable[[], Awaitable[Any]] = (
        exchange.balances if ask == "balances" else lambda: exchange.send(BTC, order(exchange))
    )
    with pytest.raises((Unknown, ReadFailed)) as failed:
        await call()
    assert "signature" not in str(failed.value)
    assert KEYS["apiKey"] not in str(failed.value)


# Cancels -----------------------------------------------------------------------------------------


CANCELS: list[tuple[str, dict[str, Any], type[Exception] | None, str]] = [
    ("hold_request", {"seconds": 0.05}, None, "CANCELED"),
    ("error_before", {"status": 503}, Unknown, "NEW"),
    ("reject", {"code": -2015}, Refused, "NEW"),
    ("rate_limit", {}, TooMany, "NEW"),
    ("redirect", {}, Unknown, "NEW"),
    ("error_after", {}, Unknown, "CANCELED"),
    ("html_body", {}, Unknown, "CANCELED"),
    ("empty_body", {}, Unknown, "CANCELED"),
    ("truncated_body", {}, Unknown, "CANCELED"),
    ("ack_without_id", {}, Unknown, "CANCELED"),
    ("duplicate_request", {}, None, "CANCELED"),
]


@pytest.mark.parametrize(
    ("fault", "given", "kind", "status"), CANCELS, ids=[f"{n} {g}" for n, g, *_ in CANCELS]
)
async def test_the_verdict_on_a_cancel(
    *,
    exchange: Exchange,
    do: Do,
    simulator: Simulator,
    fault: str,
    given: dict[str, Any],
    kind: type[Exception] | None,
    status: str,
) -> None:
    report = await exchange.send(BTC, resting(exchange))
    await do("arm", name=fault, on="order.cancel", **given)
    found = await verdict(exchange.cancel(BTC, report.exchange_order_id))
    assert type(found) is (kind or type(None))
    assert [each.status for each in simulator.exchange.orders.values()] == [status]


@pytest.mark.parametrize("fault", ["lose_request", "lose_response"])
async def test_a_broken_cancel_is_settled_by_asking(
    exchange: Exchange, do: Do, simulator: Simulator, fault: str
) -> None:
    """A DELETE on a broken connection is repeated by the HTTP library: both ways end cancelled."""
    report = await exchange.send(BTC, resting(exchange))
    await do("arm", name=fault, on="order.cancel")
    found = await verdict(exchange.cancel(BTC, report.exchange_order_id))
    assert found is None or isinstance(found, Unknown)
    # A cancelled order may be known under the cancel's name, so the exchange's own is asked for.
    after = await exchange.order_by_exchange_id(BTC, report.exchange_order_id)
    assert after is not None
    assert after.status in {ReportedStatus.CANCELED, ReportedStatus.OPEN}
    assert [each.open for each in simulator.exchange.orders.values()] == [
        after.status is ReportedStatus.OPEN
    ]


async def test_the_engine_cancels_by_name_what_no_read_shows_yet(
    exchange: Exchange, do: Do
) -> None:
    await do("arm", name="hide_order", on="order.send", seconds=30)
    sent = resting(exchange)
    placed = await exchange.send(BTC, sent)
    assert await exchange.order(BTC, sent.client_order_id) is None
    name = ClientOrderId("sfcancel")
    found = await exchange.cancel_named(BTC, sent.client_order_id, cancel_name=name)
    assert found is not None
    assert (found.exchange_order_id, found.status) == (
        placed.exchange_order_id,
        ReportedStatus.CANCELED,
    )
    assert await exchange.cancel_named(BTC, sent.client_order_id, cancel_name=name) is None


@pytest.mark.parametrize(
    ("fault", "given"),
    [
        (
            "reject",
            {"code": -2011, "message": "Order was not canceled due to cancel restrictions."},
        ),
        ("reject", {"code": -2013, "message": "Order does not exist."}),
        ("error_before", {"status": 503, "code": -2011, "message": "Unknown order sent."}),
        ("empty_body", {}),
    ],
)
async def test_nothing_less_than_the_engines_own_words_says_that_none_is_open(
    exchange: Exchange, do: Do, fault: str, given: dict[str, Any]
) -> None:
    sent = resting(exchange)
    await exchange.send(BTC, sent)
    await do("arm", name=fault, on="order.cancel", **given)
    with pytest.raises(Unknown):
        await exchange.cancel_named(BTC, sent.client_order_id, cancel_name=None)


async def test_cancelling_what_is_over_or_never_was_is_no_failure(exchange: Exchange) -> None:
    """It proves nothing either: the caller asks afterwards."""
    report = await exchange.send(BTC, order(exchange))
    await exchange.cancel(BTC, report.exchange_order_id)
    await exchange.cancel(BTC, ExchangeOrderId("1"))
