"""cancelReplace: one request with two outcomes, each read for itself.

Source: Binance spot API, "Cancel an Existing Order and Send a New Order". With STOP_ON_FAILURE the
new order is tried only if the old one was cancelled, and ONLY_NEW cancels it only if nothing of it
is filled. Filters and the order count are judged before anything is cancelled. The status says
little (409: cancelled, and nothing in its place), so what became of a half is read from the body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from surefoot.core.order import Order
from surefoot.core.reports import OrderReport
from surefoot.core.values import ClientOrderId, ExchangeOrderId
from surefoot.exchange.binance import payloads, verdicts
from surefoot.exchange.binance.verdicts import Answered, Garbled
from surefoot.exchange.errors import NotSent, Refused, Unknown
from surefoot.exchange.port import Halves

_DONE: Final = "SUCCESS"
_FAILED: Final = "FAILURE"
_NOT_TRIED: Final = "NOT_ATTEMPTED"
# A half that failed is answered as a request of its own would be.
_FAILED_STATUS: Final = 400


def group(
    request: dict[str, Any], old: ExchangeOrderId, cancel_name: ClientOrderId
) -> dict[str, Any]:
    """Turn the request for an order into one that first cancels another."""
    return request | {
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelRestrictions": "ONLY_NEW",
        "cancelOrderId": old,
        "cancelNewClientOrderId": cancel_name,
    }


def answered(
    call: Callable[[dict[str, Any]], Awaitable[Any]],
) -> Callable[[dict[str, Any]], Awaitable[Any]]:
    """Return a call whose failures are answers too, when they say what became of the halves."""

    async def tell(request: dict[str, Any]) -> Any:
        try:
            return await call(request)
        except Answered as answer:
            if answer.halves is None or answer.final is None:
                raise
            return answer.halves

    return tell


def halves(
    answer: Any, old: ExchangeOrderId, order: Order, read: Callable[[Any], OrderReport]
) -> Halves:
    """Read what became of both halves.

    Raises:
        Garbled: the old order's half cannot be read: then nothing of the answer is believed.
    """
    raw = payloads.payload(answer)
    cancelled = None
    if _result(raw, "cancelResult") == _DONE:
        cancelled = read(raw.get("cancelResponse"))
        if cancelled.exchange_order_id != old:
            raise Garbled("the answer is about the cancel of another order")
    return Halves(cancelled=cancelled, placed=_placed(raw, order, read))


def _placed(
    raw: Mapping[str, Any], order: Order, read: Callable[[Any], OrderReport]
) -> OrderReport | NotSent | Refused | Unknown:
    result, response = _result(raw, "newOrderResult"), raw.get("newOrderResponse")
    if result == _NOT_TRIED:
        return NotSent(f"not tried, because the cancel failed: {_said(raw.get('cancelResponse'))}")
    try:
        if result == _FAILED:
            return verdicts.of_send(_failure(response))
        report = read(response)
    except Exception as error:  # noqa: BLE001 (whatever cannot be read is unknown; the cancel is not)
        return Unknown(verdicts.describe(error))
    if report.client_order_id != order.client_order_id or report.side is not order.side:
        return Unknown("the acknowledgement is of another order; asking")
    return report


def _result(raw: Mapping[str, Any], key: str) -> str:
    result = raw.get(key)
    if result not in {_DONE, _FAILED, _NOT_TRIED}:
        raise Garbled(f"{key} says nothing that is documented")
    return str(result)


def _failure(response: Any) -> Answered:
    raw = payloads.payload(response)
    code, text = raw.get("code"), raw.get("msg")
    if type(code) is not int or not isinstance(text, str):
        raise Garbled("a half failed without a code")
    return Answered(_FAILED_STATUS, code=str(code), text=text)


def _said(response: Any) -> str:
    try:
        failure = _failure(response)
    except Garbled as error:
        return str(error)
    return f"{failure.code}: {failure.text}"
