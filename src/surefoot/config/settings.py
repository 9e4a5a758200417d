"""What a configuration says, resolved and frozen: the only form the rest of the program sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from surefoot.config.document import LogTable, PaperTable, RecoveryTable
from surefoot.config.secret import Secret
from surefoot.core.exits import ExitPlan
from surefoot.core.sizing import Size
from surefoot.core.values import AccountName, BotName, Symbol
from surefoot.engine.limits import Caps, Limits
from surefoot.journal import journal_file
from surefoot.notify.settings import NotifySettings
from surefoot.web.settings import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One exchange login; `ccxt` may hold a password and is left out of the repr."""

    name: AccountName
    exchange: str
    environment: Literal["live", "simulated", "paper"]
    api_key: Secret
    secret: Secret
    ownership: Literal["shared", "exclusive"]
    visibility: timedelta | None
    allow_custom_host: bool
    caps: Caps | None
    ccxt: Mapping[str, Any] = field(repr=False)
    paper: PaperTable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """One strategy, on one symbol, on one account; `limits` are complete."""

    name: BotName
    account: AccountName
    symbol: Symbol
    strategy: str
    notional: Size
    max_slippage: Decimal | None
    plan: ExitPlan
    stop_at: Literal["exchange", "local", "either"]
    stop_step: Decimal
    params: Mapping[str, Any]
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole configuration; `directory` is where its file lies."""

    path: Path
    environment: Mapping[str, str] = field(repr=False)  # may hold keys
    directory: Path
    journal_url: str = field(repr=False)  # may hold a password
    accounts: Mapping[AccountName, Account]
    bots: Mapping[BotName, Bot]
    recovery: RecoveryTable
    log: LogTable
    web: WebSettings
    notify: NotifySettings

    @property
    def papers(self) -> tuple[AccountName, ...]:
        """Return the accounts on paper that some bot trades on."""
        used = {bot.account for bot in self.bots.values()}
        return tuple(
            each.name for each in self.accounts.values() if each.paper and each.name in used
        )

    @property
    def journal_path(self) -> Path | None:
        """Return the journal's file, or None if the journal is a server."""
        return journal_file(self.journal_url, self.directory)

    @property
    def journal_shown(self) -> str:
        """Return where the journal is, without a password."""
        if self.journal_path is not None:
            return str(self.journal_path)
        parts = urlsplit(self.journal_url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
