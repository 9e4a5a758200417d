"""The shape of `surefoot.toml`: every key, its type, its default and what it means.

The descriptions are the reference: `docs/configuration.md` repeats them, and a test compares.
Values are made exact here (amounts, percentages, durations); what depends on the outside, such
as keys and files, is resolved in `load`.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

from surefoot.config.written import (
    Address,
    Amount,
    Count,
    Distance,
    EventKinds,
    ExchangeName,
    Fraction,
    JournalUrl,
    ListenAddress,
    Name,
    Notional,
    ReadAddress,
    Span,
    StopDistance,
    StreamAddress,
    SymbolName,
    TakeProfits,
    UserIds,
)
from surefoot.core.exits import TakeProfit
from surefoot.web.settings import DEFAULT_LISTEN


class Table(BaseModel):
    """A table of the file: unknown keys are errors, and no error repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class JournalTable(Table):
    """Where everything is written down."""

    url: JournalUrl = Field(
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
        description="The most that one day (UTC) may lose: what was sold, also parts of what is "
        "still open, wins taken off. Then entries stop until the next day, or until "
        "`surefoot lift ACCOUNT`. What is open and under water at the last prices counts too, for "
        "as long as it is: entries wait for it. A holding whose symbol is not traded and has had "
        "no price since the start counts with all that it cost. Entries that rest are withdrawn.",
    )


class PaperTable(Table):
    """The simulated exchange of an account on paper."""

    balances: Annotated[dict[str, Amount], Field(min_length=1)] = Field(
        default_factory=lambda: {"USDT": Decimal(10_000)},
        description="What there is at the very beginning, by asset. Later it is what trading has "
        "made of it: delete the state file beside the journal to begin again.",
    )
    fee: Fraction = Field(
        default=Decimal("0.001"),
        description="What a trade costs, of what is received. Default: Binance's for everybody.",
    )
    latency: Span = Field(
        default=timedelta(milliseconds=100),
        description="How long a request about an order is on its way; the market of its arrival "
        "is what it meets.",
    )
    rest: ReadAddress = Field(
        default=None,
        description="Where public prices are read. Default: the exchange's own address for them.",
    )
    streams: StreamAddress = Field(
        default=None,
        description="Where public streams are heard, as combined streams. Default: as `rest`.",
    )


class AccountTable(Table):
    """One exchange login."""

    exchange: ExchangeName = Field(
        description="The exchange, by its ccxt id, such as `binance`.",
    )
    paper: bool = Field(
        default=False,
        description="Trade on paper: live prices, simulated fills, no keys. See "
        "[paper trading](paper.md). Its journal is one of its own: `surefoot-paper.db`.",
    )
    api_key: str | None = Field(
        default=None,
        description="The API key: `env:NAME`, or `file:PATH` to a file that only you can read. A "
        "key itself is refused here unless the exchange is simulated. Needed unless `paper`.",
    )
    secret: str | None = Field(
        default=None,
        description="The API secret, written like `api_key`. Needed unless `paper`.",
    )
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
    paper_exchange: PaperTable = Field(
        default_factory=PaperTable, description="What `paper` trades on."
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
    symbol: SymbolName = Field(
        description="The market in ccxt's unified spelling, such as `BTC/USDT`.",
    )
    strategy: str = Field(
        description="`package.module:Class`, or `my_bots.py:Class` for a file beside the "
        "configuration.",
    )
    notional: Notional = Field(
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
    take_profit: TakeProfits = Field(
        default=TakeProfit(),
        description="How far in favour of the entry to get out, at that price or better; written "
        "like `stop_loss`. Or a list of parts of what was bought, nearest first: "
        '`[{ at = "3%", fraction = 0.5 }, { at = "6%" }]`; the last one without a fraction is all '
        "that is left.",
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
    listen: ListenAddress = Field(
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
    allow: UserIds = Field(
        description="The Telegram user ids that it talks to and obeys, in their private chats. "
        "Anybody else is ignored; the log shows their id.",
    )
    least: Literal["info", "notice", "warning", "alarm"] = Field(
        default="info",
        description="From which weight on it tells: `info` is everything, `alarm` is what wants "
        "somebody.",
    )
    api: Address = Field(
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
    events: EventKinds = Field(
        default_factory=list,
        description="Which kinds of events: see [messengers](messengers.md). Empty: all.",
    )
    least: Literal["info", "notice", "warning", "alarm"] = Field(
        default="info", description="As `telegram.least`."
    )


class AppriseTable(Table):
    """A service that apprise reaches: Discord, Slack, e-mail and many more."""

    url: str = Field(description="Its apprise URL, written like `webhooks.url`.")
    events: EventKinds = Field(default_factory=list, description="As `webhooks.events`.")
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
