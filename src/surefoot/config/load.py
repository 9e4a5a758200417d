"""Read a configuration once, at the edge, and find everything that is wrong with it.

file → environment over it → shape and types → keys, names and limits. A later step looks at
whatever the earlier one could read, so that one run shows all there is to change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from msgspec import Struct
from pydantic import ValidationError

from surefoot.config import overrides
from surefoot.config.accounts import (
    one_kind,
    paper_journal,
    read_account,
    shared_keys,
    without_keys,
)
from surefoot.config.document import BotTable, Document, LimitsTable
from surefoot.config.errors import ConfigError
from surefoot.config.messengers import read_messengers
from surefoot.config.problems import KeyPath, dotted, sentences
from surefoot.config.settings import Account, Bot, Settings
from surefoot.core.exits import ExitPlan
from surefoot.core.sizing import Amount
from surefoot.core.values import ZERO, AccountName, BotName, Symbol, plain
from surefoot.engine.limits import Limits
from surefoot.strategy.contract import Strategy
from surefoot.strategy.errors import InvalidParameters, StrategyNotLoaded
from surefoot.strategy.load import load_strategy, make_strategy
from surefoot.strategy.spelling import suggest
from surefoot.web.settings import WebSettings, read_listen

BYTES_MAX: Final = 1_048_576
DEFAULT_CAP: Final = 2  # times the bot's notional


def load(
    path: Path,
    environment: Mapping[str, str],
    *,
    keys: bool = True,
    messengers: bool = False,
) -> Settings:
    """Return what a configuration file and the environment say.

    Without `keys` no key of an account is looked for: for commands that only read the journal.
    With `messengers` theirs are: for the one command that writes to people.

    Raises:
        ConfigError: something is wrong with it; every problem is listed.
    """
    document = _read(path)
    set_by, problems = overrides.apply(document, environment)
    tables, wrong = _validated(document, set_by)
    problems += wrong + without_keys(document.get("accounts"))
    directory = path.resolve().parent
    accounts: dict[AccountName, Account] = {}
    for name, table in tables.accounts.items():
        account, wrong = read_account(
            name, table, environment=environment if keys else None, directory=directory
        )
        problems += wrong
        if account is not None:
            accounts[account.name] = account
    problems += shared_keys(accounts.values()) if keys else []
    problems += one_kind(accounts.values())
    on_paper = any(account.paper for account in accounts.values())
    bots: dict[BotName, Bot] = {}
    for name, written in tables.bots.items():
        bot = bots[BotName(name)] = _bot(name, written, tables.limits)
        problems += _doubts(bot, document)
    notify, wrong = read_messengers(
        tables, environment=environment if messengers else None, directory=directory
    )
    problems += wrong + _confusable(bots)
    if problems:
        raise ConfigError(str(path), problems)
    return Settings(
        path=path,
        environment=environment,
        directory=directory,
        journal_url=paper_journal(tables.journal.url) if on_paper else tables.journal.url,
        accounts=accounts,
        bots=bots,
        recovery=tables.recovery,
        log=tables.log,
        web=WebSettings(
            enabled=tables.web.enabled,
            host=read_listen(tables.web.listen)[0],
            port=read_listen(tables.web.listen)[1],
            names=tuple(name.lower() for name in tables.web.names),
        ),
        notify=notify,
    )


def keys(settings: Settings, name: AccountName) -> tuple[str, str]:
    """Return an account's key and secret as they are written now, and remember them.

    While the file cannot be read, or means another place, those that are known stay.
    """
    known = settings.accounts[name]
    with suppress(ConfigError, KeyError):
        now = load(settings.path, settings.environment).accounts[name]
        if (now.exchange, now.environment, now.ccxt) == (
            known.exchange,
            known.environment,
            known.ccxt,
        ):
            known.api_key.renew(now.api_key.reveal())
            known.secret.renew(now.secret.reveal())
    return known.api_key.reveal(), known.secret.reveal()


def strategies(settings: Settings) -> dict[BotName, Strategy]:
    """Make every bot's strategy. This runs their authors' code.

    Raises:
        ConfigError: some are missing, broken or have wrong parameters; all are listed.
    """
    made, refused = make_each(settings.bots.values(), settings.directory)
    problems = [problem for error in refused.values() for problem in error.sentences]
    if problems:
        raise ConfigError("the configuration", problems)
    return made


class Refused(Struct, frozen=True):
    """Why a strategy could not be made."""

    error: Exception
    sentences: list[str]


def make_each(
    bots: Iterable[Bot], directory: Path
) -> tuple[dict[BotName, Strategy], dict[BotName, Refused]]:
    """Make the strategy of each of these bots; a file that several name is imported once."""
    made: dict[BotName, Strategy] = {}
    refused: dict[BotName, Refused] = {}
    files: dict[str, ModuleType] = {}
    for bot in bots:
        where = dotted(("bots", bot.name))
        try:
            kind = load_strategy(bot.strategy, directory, files)
            made[bot.name] = make_strategy(kind, bot.params)
        except InvalidParameters as error:
            told = [f"{where}.params: {problem}" for problem in error.problems]
            refused[bot.name] = Refused(error, told)
        except StrategyNotLoaded as error:
            refused[bot.name] = Refused(error, [f"{where}.strategy: {error}"])
    return made, refused


def strategy(settings: Settings, bot: BotName) -> Strategy:
    """Make one bot's strategy from what is on disk now.

    Raises:
        StrategyNotLoaded: it is missing or broken, or has wrong parameters.
    """
    spec = settings.bots[bot]
    return make_strategy(load_strategy(spec.strategy, settings.directory), spec.params)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        problem = "there is no such file; `surefoot init` writes one"
    except OSError as error:
        problem = f"it cannot be read: {error.strerror}"
    else:
        if len(content) > BYTES_MAX:
            raise ConfigError(str(path), [f"it is larger than {BYTES_MAX} bytes"])
        try:
            return tomllib.loads(content.decode(), parse_float=Decimal)
        except UnicodeDecodeError as error:
            problem = f"it is not UTF-8 text (byte {error.start})"
        except tomllib.TOMLDecodeError as error:
            problem = f"it is not valid TOML: {error}"
        except overrides.TOO_LARGE:
            problem = "a number in it is too long, or its brackets are too deep"
    # Raised out here, so that no driver's exception with a piece of the file hangs on it.
    raise ConfigError(str(path), [problem])


def _validated(
    document: dict[str, Any], set_by: Mapping[KeyPath, str]
) -> tuple[Document, list[str]]:
    """Check the shape; return it without the accounts, bots and tables that are wrong."""
    try:
        return Document.model_validate(document), []
    except ValidationError as error:
        found = sentences(error, set_by)
    problems = [sentence for each in found.values() for sentence in each]
    return Document.model_validate(_without(document, found)), problems


def _without(document: dict[str, Any], paths: Iterable[KeyPath]) -> dict[str, Any]:
    kept = {
        key: dict(value) if isinstance(value, dict) else value for key, value in document.items()
    }
    for path in paths:
        if path[0] in {"accounts", "bots"} and len(path) > 1:
            kept[path[0]].pop(path[1], None)
        else:
            kept.pop(path[0], None)
    return kept


def _bot(name: str, table: BotTable, limits: LimitsTable) -> Bot:
    own = table.limits
    # Of a share nobody knows what it comes to: it needs a cap that is given, see `_doubts`.
    cap = table.notional.notional * DEFAULT_CAP if isinstance(table.notional, Amount) else ZERO
    order_notional = own.order_notional or limits.order_notional or cap
    return Bot(
        name=BotName(name),
        account=AccountName(table.account),
        symbol=Symbol(table.symbol),
        strategy=table.strategy,
        notional=table.notional,
        max_slippage=table.max_slippage,
        plan=ExitPlan(
            stop_loss=table.stop_loss,
            take_profit=table.take_profit.rest,
            parts=table.take_profit.parts,
            break_even=table.break_even,
            trailing_stop=table.trailing_stop,
        ),
        stop_at=table.stop_at,
        stop_step=table.stop_step,
        params=table.params,
        limits=Limits(
            order_notional=order_notional,
            position_notional=own.position_notional
            or limits.position_notional
            or (cap or order_notional),
            orders_per_minute=own.orders_per_minute or limits.orders_per_minute,
            price_band=own.price_band or limits.price_band,
        ),
    )


def _confusable(bots: Collection[BotName]) -> list[str]:
    """Return the bots that are called as a position of another one is: a close names either."""
    split = [(name, *name.rpartition("-")[::2]) for name in bots]
    return [
        f"{dotted(('bots', name))}: a position of {other} may be called so; choose another name"
        for name, other, number in split
        if number.isdecimal() and other in bots
    ]


def _doubts(bot: Bot, document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong between a bot and the rest of the file."""
    where = dotted(("bots", bot.name))
    problems = []
    # As written, not as understood: an account with mistakes of its own is not unknown.
    accounts = document.get("accounts", {})
    if isinstance(accounts, dict) and bot.account not in accounts:
        hint = suggest(bot.account, accounts)
        problems.append(f'{where}.account: there is no account "{bot.account}"{hint}')
    if not isinstance(bot.notional, Amount):
        if not bot.limits.order_notional:
            problems.append(
                f"{where}.limits.order_notional is missing: what a share of the balance comes to "
                "is not known, so say how large an order may be",
            )
        return problems
    notional = bot.notional.notional
    for cap in ("order_notional", "position_notional"):
        most: Decimal = getattr(bot.limits, cap)
        if notional > most:
            problems.append(
                f"{where}.notional: {plain(notional)} is over the cap {cap} of {plain(most)}"
            )
    return problems
