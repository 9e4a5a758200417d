"""What is armed to go wrong, where, how often. A fault is a name, a match and some parameters.

Every fault is armed over the control API and disarms itself after `times` hits (0: never), the
first `skip` matches going by unharmed. Requests match by operation, symbol, side and type; stream
faults by the stream ("user" or "market").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, TypeAlias

# name → what it does; `surefoot sim --faults` and docs/simulator.md print this table.
REQUEST_FAULTS: Final[dict[str, str]] = {
    "lose_request": "the connection breaks before the exchange has seen the request",
    "hold_request": "the request waits `seconds` on its way, then arrives",
    "error_before": "`status`, `code` and `message` are answered; nothing is done",
    "reject": "`code` and `message` are answered with HTTP 400; nothing is done",
    "rate_limit": "HTTP `status` (429 or 418) with Retry-After `seconds`; nothing is done",
    "redirect": "HTTP 302 to `location`; nothing is done",
    "lose_response": "the request is done, then the connection breaks",
    "slow_response": "the request is done, the answer comes `seconds` later",
    "error_after": "the request is done, then `status`, `code` and `message` are answered",
    "html_body": "the request is done, the answer is an HTML page with `status`",
    "empty_body": "the request is done, the answer is empty, with HTTP 200",
    "truncated_body": "the request is done, the answer breaks off half-way",
    "ack_without_id": "the request is done, the answer has no order id",
    "duplicate_request": "a proxy delivers the request twice",
    "hide_order": "the order is accepted and invisible in every read for `seconds`",
    "hide_fills": "the order's fills are invisible in every read for `seconds`",
    "partial_fill": "only `fraction` of the order fills; the rest stays open",
    "partial_then_cancel": "only `fraction` of the order fills; the rest is cancelled",
    "empty_list": "a list is answered empty, with HTTP 200",
    "omit_row": "a list is answered without its first row",
    "zero_balance": "every balance is answered as zero",
    "wrong_uid": "the account answers with `uid`",
}
STREAM_FAULTS: Final[dict[str, str]] = {
    "stream_drop": "an event is never sent",
    "stream_duplicate": "an event is sent twice",
    "stream_delay": "an event is sent `seconds` late",
    "stream_reorder": "an event is sent after the one that follows it",
    "stream_replay": "every earlier event of the stream is sent again, before this one",
    "stream_silence": "nothing is sent for `seconds`; the socket stays open",
    "stream_disconnect": "the socket is closed before the event is sent",
}
REPLACE_FAULTS: Final[dict[str, str]] = {
    "half_replace": "the old order is cancelled, the new one refused with `code` and `message`",
}
STORE_FAULTS: Final[dict[str, str]] = {
    "die_before_write": "the process is killed before what was done is kept",
    "die_after_write": "the process is killed after what was done is kept, before anybody hears it",
}
WHOLE_FAULTS: Final[dict[str, str]] = {
    "outage": "every connection breaks, every socket closes, until disarmed",
}
FAULTS: Final = {
    **REQUEST_FAULTS,
    **REPLACE_FAULTS,
    **STREAM_FAULTS,
    **STORE_FAULTS,
    **WHOLE_FAULTS,
}
OPERATIONS: Final = (
    "order.send", "order.cancel", "order.replace", "order.amend", "order.query",
    "order.amendments", "openOrders", "allOrders",
    "myTrades", "account", "restrictions", "time", "exchangeInfo", "klines", "aggTrades",
    "depth", "ticker.price", "ticker.book", "*",
)  # fmt: skip
STREAMS: Final = ("user", "market", "*")
_MATCHES: Final = ("symbol", "side", "type")
_NUMBERS: Final = ("seconds", "status", "code", "uid", "fraction")
_TEXTS: Final = ("message", "location")


@dataclass(slots=True, kw_only=True)
class Fault:
    """One armed fault."""

    fault_id: int
    name: str
    operation: str
    match: dict[str, str] = field(default_factory=dict)
    times: int = 1
    skip: int = 0
    hits: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        """Return a numeric parameter."""
        return float(self.parameters.get(name, default))


Hits: TypeAlias = dict[str, Fault]


class Armory:
    """Every armed fault."""

    def __init__(self) -> None:
        self._ids = count(1)
        self.faults: dict[int, Fault] = {}
        self.history: list[Fault] = []

    def arm(self, name: str, given: Mapping[str, Any]) -> Fault:
        """Arm a fault.

        Raises:
            ValueError: there is no such fault, operation or parameter.
        """
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name!r}; known are {', '.join(FAULTS)}")
        rest = dict(given)
        operation = str(rest.pop("on", "*"))
        places = _places(name)
        if operation not in places:
            raise ValueError(f"{name} cannot hit {operation!r}, only {', '.join(places)}")
        fault = Fault(
            fault_id=next(self._ids),
            name=name,
            operation=operation,
            match={key: str(rest.pop(key)) for key in _MATCHES if key in rest},
            times=int(rest.pop("times", 1)),
            skip=int(rest.pop("skip", 0)),
            parameters=rest,
        )
        _check(fault)
        self.faults[fault.fault_id] = fault
        self.history.append(fault)
        return fault

    def disarm(self, fault_id: int | None = None) -> None:
        """Disarm one fault, or all."""
        if fault_id is None:
            self.faults.clear()
        else:
            self.faults.pop(fault_id, None)

    def take(self, operation: str, facts: Mapping[str, str], among: Mapping[str, str]) -> Hits:
        """Return the faults that hit now, by name, and count them."""
        hits: Hits = {}
        for fault in list(self.faults.values()):
            if fault.name not in among or not _matches(fault, operation, facts):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.hits += 1
            if fault.times and fault.hits >= fault.times:
                del self.faults[fault.fault_id]
            hits[fault.name] = fault
        return hits

    @property
    def outage(self) -> bool:
        """Tell whether the exchange is unreachable."""
        return any(fault.name == "outage" for fault in self.faults.values())


def _places(name: str) -> tuple[str, ...]:
    if name in REPLACE_FAULTS:
        return ("order.replace", "*")
    if name in STORE_FAULTS:
        return ("store", "*")
    return OPERATIONS if name in REQUEST_FAULTS else STREAMS


def _check(fault: Fault) -> None:
    """Refuse what would never hit, or not as meant: a misspelled parameter matches everything."""
    unknown = set(fault.parameters) - {*_NUMBERS, *_TEXTS}
    if fault.name not in {**REQUEST_FAULTS, **REPLACE_FAULTS}:
        unknown |= set(fault.match) - {"symbol"}
    if unknown:
        raise ValueError(f"{fault.name} has no parameter {', '.join(sorted(unknown))}")
    for name in _NUMBERS:
        fault.number(name, 0)
    if not 0 <= fault.number("fraction", 0) <= 1:
        raise ValueError("fraction is a number from 0 to 1")


def _matches(fault: Fault, operation: str, facts: Mapping[str, str]) -> bool:
    if fault.operation not in {"*", operation}:
        return False
    return all(facts.get(key) == value for key, value in fault.match.items())
