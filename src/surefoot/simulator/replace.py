"""Cancel an order and send a new one: two halves, no transaction.

Source: Binance spot API, "Cancel an Existing Order and Send a New Order". Each half has its own
outcome; what worked stays done, whatever becomes of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from surefoot.simulator import wire
from surefoot.simulator.counts import OrderCounts
from surefoot.simulator.desk import Desk, Placing, find_order, twist_of
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.faults import Hits
from surefoot.simulator.model import ApiError, Order
from surefoot.simulator.parameters import Params, client_id, one_of
from surefoot.simulator.security import RateLimited

_MODES: Final = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
_WHEN_FULL: Final = ("DO_NOTHING", "CANCEL_ONLY")
_RESTRICTIONS: Final = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}


@dataclass(frozen=True, slots=True)
class Half:
    """What became of one half, and how that is answered."""

    result: Literal["SUCCESS", "FAILURE", "NOT_ATTEMPTED"]
    response: dict[str, Any] | None = None


class Replacements:
    """Replaces orders; filters and the order count are judged before anything is cancelled."""

    def __init__(self, exchange: Exchange, counts: OrderCounts, desk: Desk) -> None:
        self._exchange = exchange
        self._counts = counts
        self._desk = desk

    def replace(self, params: Params, hits: Hits) -> Any:
        """Cancel an order and place another.

        Raises:
            ApiError: with both halves as data, unless neither was tried.
        """
        stops = one_of(params, "cancelReplaceMode", _MODES) == "STOP_ON_FAILURE"
        goes_on = one_of(params, "orderRateLimitExceededMode", _WHEN_FULL, _WHEN_FULL[0])
        if "cancelRestrictions" in params:
            one_of(params, "cancelRestrictions", tuple(_RESTRICTIONS))
        client_id(params, "cancelNewClientOrderId", "unnamed")  # malformed is nothing done
        old = find_order(self._exchange, params, "cancelOrigClientOrderId", "cancelOrderId")
        full = self._full()
        if full is not None:
            if goes_on == "DO_NOTHING":
                raise full
            return self._cancel_only(params, old, full, stops=stops)
        # How a filter's refusal looks is not documented, only that neither half is done: a plain
        # refusal, as of any order, tells least.
        place = self._desk.prepared(params, twist_of(hits))
        cancelled = self._cancel(params, old)
        new = self._place(place, cancelled, hits, stops=stops)
        if cancelled.result == new.result == "SUCCESS":
            return _halves(cancelled, new)
        mixed = "SUCCESS" in {cancelled.result, new.result}
        raise _failed(cancelled, new, 409 if mixed else 400)

    def _place(self, place: Placing, cancelled: Half, hits: Hits, *, stops: bool) -> Half:
        """Do the second half; whatever becomes of it, it is one more in the order count."""
        if cancelled.result == "FAILURE" and stops:
            self._counts.add()
            return Half("NOT_ATTEMPTED")
        fault = hits.get("half_replace")
        if fault is not None and cancelled.result == "SUCCESS":
            message = str(fault.parameters.get("message", "Simulated error."))
            self._counts.add()
            return _refused(ApiError(int(fault.number("code", -2010)), message))
        try:
            return Half("SUCCESS", place())
        except ApiError as error:
            return _refused(error)

    def _full(self) -> RateLimited | None:
        try:
            self._counts.check()
        except RateLimited as error:
            return error
        return None

    def _cancel_only(
        self, params: Params, old: Order | None, full: RateLimited, *, stops: bool
    ) -> Any:
        cancelled = self._cancel(params, old)
        failed = cancelled.result == "FAILURE"
        new = Half("NOT_ATTEMPTED") if stops and failed else _refused(full)
        if not stops:
            raise _failed(cancelled, new, 400 if failed else 409)
        whole = _failed(cancelled, new, 429)
        limited = RateLimited(whole.code, whole.message, 429, full.retry_after)
        limited.data = whole.data
        raise limited

    def _cancel(self, params: Params, old: Order | None) -> Half:
        if old is None or not old.open:
            return _refused(ApiError(-2011, "Unknown order sent."))
        if old.status != _RESTRICTIONS.get(params.get("cancelRestrictions", ""), old.status):
            message = "Order was not canceled due to cancel restrictions."
            return _refused(ApiError(-2011, message))
        was = old.name
        self._exchange.cancel(old, client_id(params, "cancelNewClientOrderId", self._desk.name()))
        old.gives_up_its_name = True  # the new order may take it
        return Half("SUCCESS", wire.cancellation(old, was))


def _refused(error: ApiError) -> Half:
    return Half("FAILURE", {"code": error.code, "msg": error.message})


def _halves(cancelled: Half, new: Half) -> dict[str, Any]:
    return {
        "cancelResult": cancelled.result,
        "newOrderResult": new.result,
        "cancelResponse": cancelled.response,
        "newOrderResponse": new.response,
    }


def _failed(cancelled: Half, new: Half, status: int) -> ApiError:
    if "SUCCESS" in {cancelled.result, new.result}:
        error = ApiError(-2021, "Order cancel-replace partially failed.", status)
    else:
        error = ApiError(-2022, "Order cancel-replace failed.", status)
    error.data = _halves(cancelled, new)
    return error
