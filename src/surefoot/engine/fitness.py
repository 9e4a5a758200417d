"""Whether a bot can run as it is configured, beside what it still has; and if not, why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from surefoot.core.instrument import Instrument
from surefoot.core.position import Position
from surefoot.core.values import Asset, BotName
from surefoot.engine.specs import BotSpec, length_of
from surefoot.exchange.errors import Misconfigured
from surefoot.exchange.port import Exchange


class HeldElsewhere(Misconfigured):
    """A bot still has something on another account."""


def fitting(
    spec: BotSpec,
    exchange: Exchange,
    here: Iterable[Position],
    elsewhere: Iterable[Position],
    traded: Mapping[Asset, BotName],
) -> Instrument:
    """Return what a bot is to trade, if it can run as it is configured.

    `traded` are the assets that bots of the account trade, and by whom.

    Raises:
        HeldElsewhere: it could, if it had nothing on another account.
        Misconfigured: it cannot; the message says what to change.
    """
    instrument = exchange.instrument(spec.symbol)
    refuse_shared_quote(instrument, traded)
    _refuse_candles(spec, exchange)
    _refuse_two_symbols(spec, here, exchange.now())
    _refuse_two_accounts(spec, elsewhere)
    return instrument


def bases_of(
    specs: Iterable[BotSpec], exchange: Exchange, held: Iterable[Position] = ()
) -> dict[Asset, BotName]:
    """Return which assets bots of one account trade, and by whom; also what is only held still."""
    traded: dict[Asset, BotName] = {p.base: p.bot for p in held if p.needs_watching}
    on_symbol = {spec.symbol: spec.bot for spec in specs}  # filters are read once a symbol
    for symbol, bot in on_symbol.items():
        try:
            traded[exchange.instrument(symbol).base] = bot
        except Misconfigured:
            continue  # It does not run, and says so itself.
    return traded


def refuse_shared_quote(instrument: Instrument, traded: Mapping[Asset, BotName]) -> None:
    """Refuse a bot that would pay with what another one of its account holds.

    An entry would spend those coins wherever no stop locks them, and no balance could say whose
    went.

    Raises:
        Misconfigured: it would.
    """
    other = traded.get(instrument.quote)
    if other is not None:
        raise Misconfigured(
            f"{instrument.symbol} is paid for with {instrument.quote}, which {other} trades on the "
            f"same account: whose coins went could not be told; give one of them another account",
        )


def _refuse_candles(spec: BotSpec, exchange: Exchange) -> None:
    frames = exchange.venue.timeframes
    for symbol, timeframe in spec.pairs:
        exchange.instrument(symbol)
        if timeframe not in frames:
            known = ", ".join(sorted(frames, key=length_of))
            raise Misconfigured(f"there are no candles of {timeframe} here; there are {known}")


def _refuse_two_symbols(spec: BotSpec, positions: Iterable[Position], now: datetime) -> None:
    """Refuse a bot that still has something in a former symbol, an older one that is frozen too.

    Or may have: a NEVER of it that is still looked for, which only who trades that symbol books.

    Raises:
        Misconfigured: it has.
    """
    for position in positions:
        if position.symbol != spec.symbol and position.needs_watching:
            raise Misconfigured(
                f"{_standing(position)} in {position.symbol}, but the configuration says "
                f"{spec.symbol}; {_way_out(position)} it first, then start again",
            )
        sought = max((o.sought_until for o in position.orders if o.sought_until), default=now)
        if position.symbol != spec.symbol and sought > now:
            raise Misconfigured(
                f"an order of {position.position_id} in {position.symbol} that nobody has seen may "
                f"still turn up, and is looked for until {sought:%Y-%m-%d %H:%M} UTC; start again "
                f"then, or go on with {position.symbol}",
            )


def _refuse_two_accounts(spec: BotSpec, elsewhere: Iterable[Position]) -> None:
    """Refuse a bot that still has something on another account: one word holds it everywhere.

    Raises:
        HeldElsewhere: it has.
    """
    for position in elsewhere:
        if position.needs_watching:
            raise HeldElsewhere(
                f"{_standing(position)} on {position.account}, but the configuration says "
                f"{spec.account}; {_way_out(position)} it, then: surefoot resume {spec.bot}",
            )


def _standing(position: Position) -> str:
    return f"{position.position_id} is {'frozen' if position.frozen else position.state}"


def _way_out(position: Position) -> str:
    return "resolve" if position.frozen else "close"
