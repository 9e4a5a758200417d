"""The shape of `surefoot.toml`: every key, its type, its default and what it means.

The descriptions are the reference: `docs/configuration.md` repeats them, and a test compares.
Values are made exact here (amounts, percentages, durations); what depends on the outside, such
as keys and files, is resolved in `load`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from surefoot.core.errors import InvalidValue
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


def _events(value: Any) -> list[str]:
    kinds = [kind.value for kind in EventKind]
    if not isinstance(value, list) or not all(each in kinds for each in value):
        raise InvalidValue(f"expected a list of kinds of events: {', '.join(kinds)}")
    return list(value)


Name: TypeAlias = Annotated[str, _checked(_name)]
Amount: TypeAlias = Annotated[Decimal, _checked(parse.amount)]
Fraction: TypeAlias = Annotated[Decimal, _checked(parse.fraction)]
Distance: TypeAlias = Annotated[Decimal | None, _checked(_distance)]
StopDistance: TypeAlias = Annotated[Decimal | None, _checked(_stop_distance)]
Span: TypeAlias = Annotated[timedelta, _checked(parse.duration)]
Count: TypeAlias = Annotated[int, _checked(_count)]


class Table(BaseModel):
    """A table of the file: unknown keys are errors, and no error repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class JournalTable(Table):
    """Where everything is written down."""

    url: Annotated[str, _checked(_journal_url)] = Field(
        default="sqlite:///surefoot.db",
        description="The journal: `sqlite:///FILE`, relative to the configuration's directory. "
        "`postgresql://USER@HOST/DATABASE` is kept for later: this version refuses to open it.",
    )


class CapsTable(Table):
    """What all bots of an account may do together; in and for each quote currency."""

    exposure: Amount | None = Field(
        default=None,
        description="The most that they may have on together: at cost, with what entries that are "
        "under way may still add.",
    )
    positions: Count | None = Field(
        default=None, description="The most positions that they may have on together."
    )
    daily_loss: Amount | None = Field(
        default=None,
        description="The most that closed trades of one day (UTC) may lose, wins taken off. Then "
        "entries stop until the next day, or until `surefoot lift ACCOUNT`.",
    )


class AccountTable(Table):
    """One exchange login."""

    exchange: Annotated[str, _checked(_exchange)] = Field(
        description="The exchange, by its ccxt id, such as `binance`.",
    )
    api_key: str = Field(
        description="The API key: `env:NAME`, or `file:PATH` to a file that only you can read. A "
        "key itself is refused here unless the exchange is simulated.",
    )
    secret: str = Field(description="The API secret, written like `api_key`.")
    ownership: Literal["shared", "exclusive"] = Field(
        default="shared",
        description="`shared`: orders that Surefoot does not know are reported and left alone. "
        "`exclusive`: nothing else trades here, so unknown open orders on the bots' symbols are "
        "cancelled.",
    )
    visibility: Span | None = Field(
        default=None,
        description="How long an accepted order may still be missing from every list. Only after "
        "that is absence believed. Default: what is known of the exchange.",
    )
    allow_custom_host: bool = Field(
        default=False,
        description="Let `ccxt.urls` point at hosts that are neither this machine nor the "
        "exchange's own. Signed orders go there.",
    )
    caps: CapsTable = Field(default_factory=CapsTable, description="Caps of all its bots together.")
    ccxt: dict[str, Any] = Field(
        default_factory=dict,
        description="Handed to the ccxt constructor, deep-merged: `urls`, `options`, `timeout`, "
        "`password`, … Text that starts with `env:` or `file:` is resolved like a key. If every "
        "url is on this machine, the exchange counts as simulated.",
    )


class RecoveryTable(Table):
    """How far a start looks back, and how long it tries."""

    lookback: Span = Field(
        default=timedelta(hours=24),
        description="How far back fills are read at a start; further if something older is "
        "unresolved.",
    )
    give_up_after: Span = Field(
        default=timedelta(minutes=10),
        description="How long a start tries to reach an exchange before it runs without its bots.",
    )


class BotLimitsTable(Table):
    """Caps of one bot; what is not given here is taken from `[limits]`."""

    order_notional: Amount | None = Field(
        default=None, description="As `limits.order_notional`, for this bot."
    )
    position_notional: Amount | None = Field(
        default=None, description="As `limits.position_notional`, for this bot."
    )
    orders_per_minute: Count | None = Field(
        default=None, description="As `limits.orders_per_minute`, for this bot."
    )
    price_band: Fraction | None = Field(
        default=None, description="As `limits.price_band`, for this bot."
    )


class BotTable(Table):
    """One strategy, on one symbol, on one account."""

    account: str = Field(description="The account it trades on: a name under `[accounts]`.")
    symbol: Annotated[str, _checked(_symbol)] = Field(
        description="The market in ccxt's unified spelling, such as `BTC/USDT`.",
    )
    strategy: str = Field(
        description="`package.module:Class`, or `my_bots.py:Class` for a file beside the "
        "configuration.",
    )
    notional: Annotated[Size, PlainValidator(_guarded(parse.size))] = Field(
        description="How large each entry is, rounded to the exchange's steps: an amount of quote "
        'currency; `"20%"` of what is free on the account, `"20% of total"` (what the bots hold '
        'counts at cost); or `"risk 1%"`: as much as loses 1 % of the total at the stop. All but '
        "an amount need `limits.order_notional`, which they never pass.",
    )
    max_slippage: Fraction | None = Field(
        default=None,
        description="How far above the best ask an entry without a limit may buy, such as "
        '`"0.2%"`: it is sent as a limit order, and what that does not get at once is given up. '
        "Default: an order at the market.",
    )
    stop_loss: StopDistance = Field(
        default=None, description='How far against the entry to get out: `"2%"`, 0.02 or `"off"`.'
    )
    take_profit: Distance = Field(
        default=None,
        description="How far in favour of the entry to get out; written like `stop_loss`.",
    )
    break_even: Distance = Field(
        default=None, description="The gain at which the stop moves to the entry price."
    )
    trailing_stop: StopDistance = Field(
        default=None, description="How far behind the best price the stop follows."
    )
    stop_at: Literal["exchange", "local", "either"] = Field(
        default="exchange",
        description="Where the stop waits. `exchange`: as an order at the exchange, which works "
        "while Surefoot is down; if it takes no more of them on the symbol, nothing is entered. "
        "`local`: in this process only. `either`: at the exchange while it takes more, else here.",
    )
    stop_step: Fraction = Field(
        default=Decimal("0.002"),
        description="How far a stop that follows the price may move before the one that rests at "
        "the exchange is moved after it. The server honours the exact level.",
    )
    params: dict[str, Any] = Field(
        default_factory=dict, description="The strategy's parameters, by their names."
    )
    limits: BotLimitsTable = Field(
        default_factory=BotLimitsTable, description="Caps that differ from `[limits]`."
    )


class LimitsTable(Table):
    """Caps that no strategy can pass, per bot."""

    order_notional: Amount | None = Field(
        default=None,
        description="The largest order, in quote currency. Default: twice the bot's `notional`.",
    )
    position_notional: Amount | None = Field(
        default=None,
        description="The largest position, in quote currency. Default: twice the bot's `notional`.",
    )
    orders_per_minute: Count = Field(default=20, description="The most orders in any 60 seconds.")
    price_band: Fraction = Field(
        default=Decimal("0.05"),
        description="How far a limit may be from the last trade.",
    )


class LogTable(Table):
    """What is written to stderr."""

    format: Literal["console", "json"] = Field(
        default="console",
        description="`console` for people, `json` for machines: one object a line.",
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important events that are written."
    )


class WebTable(Table):
    """The dashboard and the API."""

    enabled: bool = Field(
        default=False, description="Whether `surefoot run` starts it; `surefoot web` always does."
    )
    listen: Annotated[str, _checked(_listen)] = Field(
        default=DEFAULT_LISTEN,
        description="`HOST:PORT`. Any host but this machine's own shows positions, and what can "
        "close them, to whoever reaches it and has the token.",
    )
    names: list[str] = Field(
        default_factory=list,
        description="What else a browser may call it, such as `bots.example.org`: the name of a "
        "proxy in front. Requests for any other name are refused.",
    )


class TelegramTable(Table):
    """A Telegram bot that tells you, and obeys you."""

    token: str = Field(description="The bot's token, written like `api_key`.")
    allow: Annotated[list[int], _checked(_users)] = Field(
        description="The Telegram user ids that it talks to and obeys, in their private chats. "
        "Anybody else is ignored; the log shows their id.",
    )
    least: Literal["info", "notice", "warning", "alarm"] = Field(
        default="info",
        description="From which weight on it tells: `info` is everything, `alarm` is what wants "
        "somebody.",
    )
    api: Annotated[str, _checked(_address)] = Field(
        default="https://api.telegram.org",
        description="Where the Bot API is, for a server of your own.",
    )


class WebhookTable(Table):
    """A receiver of events as signed JSON."""

    url: str = Field(
        description="Where events are posted: an address, or `env:NAME` or `file:PATH` if it is "
        "secret.",
    )
    secret: str | None = Field(
        default=None,
        description="Signs every message, written like `api_key`. Default: nothing is signed.",
    )
    events: Annotated[list[str], _checked(_events)] = Field(
        default_factory=list,
        description="Which kinds of events: see [messengers](messengers.md). Empty: all.",
    )
    least: Literal["info", "notice", "warning", "alarm"] = Field(
        default="info", description="As `telegram.least`."
    )


class AppriseTable(Table):
    """A service that apprise reaches: Discord, Slack, e-mail and many more."""

    url: str = Field(description="Its apprise URL, written like `webhooks.url`.")
    events: Annotated[list[str], _checked(_events)] = Field(
        default_factory=list, description="As `webhooks.events`."
    )
    least: Literal["info", "notice", "warning", "alarm"] = Field(
        default="notice", description="As `telegram.least`."
    )


class HeartbeatTable(Table):
    """A dead man's switch: an address that is asked for as long as the server is well."""

    url: str = Field(description="The address, written like `webhooks.url`.")
    every: Span = Field(
        default=timedelta(seconds=60),
        description="How often. Let the other side raise the alarm after three times that.",
    )


class StateTable(Table):
    """The open positions of all bots as a plain file."""

    file: str = Field(
        description="Where, relative to the configuration's directory; it is replaced as a whole."
    )


class Document(Table):
    """The whole file."""

    journal: JournalTable = Field(default_factory=JournalTable, description="The record.")
    accounts: dict[Name, AccountTable] = Field(
        default_factory=dict, description="Exchange logins, by name."
    )
    recovery: RecoveryTable = Field(default_factory=RecoveryTable, description="Starting.")
    limits: LimitsTable = Field(default_factory=LimitsTable, description="Caps for every bot.")
    bots: dict[Name, BotTable] = Field(default_factory=dict, description="Bots, by name.")
    log: LogTable = Field(default_factory=LogTable, description="The log.")
    web: WebTable = Field(default_factory=WebTable, description="The dashboard and the API.")
    telegram: TelegramTable | None = Field(default=None, description="Telegram.")
    webhooks: list[WebhookTable] = Field(default_factory=list, description="Webhooks.")
    apprise: list[AppriseTable] = Field(default_factory=list, description="Other services.")
    heartbeat: HeartbeatTable | None = Field(default=None, description="A dead man's switch.")
    state: StateTable | None = Field(default=None, description="A file of open positions.")


def within(kind: Any, key: str) -> Any:
    """Return the type under a key of a table's type; None if there can be none."""
    if is_table(kind):
        field = kind.model_fields.get(key)
        return None if field is None else _present(field.annotation)
    if is_free(kind):
        return Any
    return get_args(kind)[1] if get_origin(kind) is dict else None


def _present(kind: Any) -> Any:
    """Return the table that a table or None may be, or the type as it is."""
    if type(None) not in get_args(kind):
        return kind
    return next((each for each in get_args(kind) if is_table(each)), kind)


def is_table(kind: Any) -> bool:
    """Tell whether a type is a table with fixed keys."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def is_free(kind: Any) -> bool:
    """Tell whether anything may be written below."""
    return kind is Any or kind == dict[str, Any]
