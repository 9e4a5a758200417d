"""How values are written in the file: each reader makes one exact, or says what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainValidator

from surefoot.core.errors import InvalidValue
from surefoot.core.exits import TakeProfit
from surefoot.core.sizing import Size
from surefoot.exchange.venues import VENUES
from surefoot.notify.event import EventKind
from surefoot.strategy import parse
from surefoot.strategy.spelling import suggest
from surefoot.web.settings import DEFAULT_LISTEN, read_listen

T = TypeVar("T")

_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")
_SYMBOL: Final = re.compile(r"[^\s/:]+/[^\s/:]+(:[^\s/:]+)?")
_JOURNAL: Final = re.compile(r"sqlite:///.+|postgres(ql)?://.+", re.DOTALL)


def _guarded(read: Callable[[Any], T]) -> Callable[[Any], T]:
    """Let pydantic run one of our readers; it takes only ValueError for an answer."""

    def run(value: Any) -> T:
        try:
            return read(value)
        except InvalidValue as error:
            raise ValueError(str(error)) from None

    return run


def _checked(read: Callable[[Any], T]) -> BeforeValidator:
    return BeforeValidator(_guarded(read))


def _distance(value: Any) -> Decimal | None:
    return None if value == "off" else parse.fraction(value)


def _take_profit(value: Any) -> TakeProfit:
    return TakeProfit() if value == "off" else parse.take_profit(value)


def _stop_distance(value: Any) -> Decimal | None:
    distance = _distance(value)
    if distance is not None and distance >= 1:
        raise InvalidValue("a stop is less than 100% away")
    return distance


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidValue(f"expected a whole number of 1 or more, got {parse.shown(value)}")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise InvalidValue("names are 1 to 40 of the characters a-z, 0-9 and -")
    return value


def _symbol(value: Any) -> str:
    if not isinstance(value, str) or not _SYMBOL.fullmatch(value):
        raise InvalidValue(f'expected a symbol such as "BTC/USDT", got {parse.shown(value)}')
    return value


def _exchange(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f'expected an exchange such as "binance", got {parse.shown(value)}')
    if value not in VENUES:
        raise InvalidValue(
            f'the exchange "{value[:40]}" is not supported{suggest(value, VENUES)}; '
            f"supported: {', '.join(sorted(VENUES))}",
        )
    return value


def _journal_url(value: Any) -> str:
    # The value may hold a password, so it is never repeated.
    if not isinstance(value, str) or not _JOURNAL.fullmatch(value):
        raise InvalidValue('expected "sqlite:///FILE" or "postgresql://USER@HOST/DATABASE"')
    try:
        urlsplit(value)
    except ValueError:
        raise InvalidValue("its host cannot be read") from None
    return value


def _listen(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f'expected "HOST:PORT" such as "{DEFAULT_LISTEN}"')
    read_listen(value)
    return value


def _users(value: Any) -> list[int]:
    right = isinstance(value, list) and all(
        isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in value
    )
    if not right or not value:
        raise InvalidValue("expected Telegram user ids, such as [123456789]")
    return list(value)


def _address(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise InvalidValue("expected an address such as https://HOST")
    return value.rstrip("/")


def _rest(value: Any) -> str | None:
    return None if value is None else _address(value)


def _streams(value: Any) -> str | None:
    if value is not None and (
        not isinstance(value, str) or not re.fullmatch(r"wss?://[^\s/]+(/\S*)?", value)
    ):
        raise InvalidValue("expected an address such as wss://HOST/stream")
    return value


def _events(value: Any) -> list[str]:
    kinds = [kind.value for kind in EventKind]
    if not isinstance(value, list) or not all(each in kinds for each in value):
        raise InvalidValue(f"expected a list of kinds of events: {', '.join(kinds)}")
    return list(value)


Name: TypeAlias = Annotated[str, _checked(_name)]
Amount: TypeAlias = Annotated[Decimal, _checked(parse.amount)]
Fraction: TypeAlias = Annotated[Decimal, _checked(parse.fraction)]
Distance: TypeAlias = Annotated[Decimal | None, _checked(_distance)]
TakeProfits: TypeAlias = Annotated[TakeProfit, PlainValidator(_guarded(_take_profit))]
StopDistance: TypeAlias = Annotated[Decimal | None, _checked(_stop_distance)]
Span: TypeAlias = Annotated[timedelta, _checked(parse.duration)]
Count: TypeAlias = Annotated[int, _checked(_count)]
SymbolName: TypeAlias = Annotated[str, _checked(_symbol)]
ExchangeName: TypeAlias = Annotated[str, _checked(_exchange)]
JournalUrl: TypeAlias = Annotated[str, _checked(_journal_url)]
ListenAddress: TypeAlias = Annotated[str, _checked(_listen)]
UserIds: TypeAlias = Annotated[list[int], _checked(_users)]
Address: TypeAlias = Annotated[str, _checked(_address)]
ReadAddress: TypeAlias = Annotated[str | None, _checked(_rest)]
StreamAddress: TypeAlias = Annotated[str | None, _checked(_streams)]
EventKinds: TypeAlias = Annotated[list[str], _checked(_events)]
Notional: TypeAlias = Annotated[Size, PlainValidator(_guarded(parse.size))]
