"""One account: where it leads, and its keys.

Keys are looked for only here. Whether a literal key is allowed depends on where the urls lead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, Final
from urllib.parse import urlsplit

from surefoot.config.document import AccountTable, CapsTable
from surefoot.config.problems import KeyPath, dotted
from surefoot.config.secret import Secret, resolve
from surefoot.config.settings import Account
from surefoot.core.errors import InvalidValue
from surefoot.core.values import AccountName
from surefoot.engine.limits import Caps
from surefoot.exchange.errors import Misconfigured
from surefoot.exchange.hosts import environment as environment_of
from surefoot.exchange.venues import venue

# ccxt's own names of credentials: the first two have keys of their own, none is ever literal.
_ACCOUNT_KEYS: Final = {"apiKey": "api_key", "secret": "secret"}
_SQLITE: Final = "sqlite:///"
_CREDENTIALS: Final = {*_ACCOUNT_KEYS, "password", "privateKey", "token", "twofa", "login"}


def read_account(
    name: str, table: AccountTable, *, environment: Mapping[str, str] | None, directory: Path
) -> tuple[Account | None, list[str]]:
    """Return an account with its keys, or None and what is wrong with it.

    Without an environment no key is looked for.
    """
    where: KeyPath = ("accounts", name)
    if table.paper:
        return _on_paper(name, table)
    if table.api_key is None or table.secret is None:
        return None, []  # `without_keys` says so
    if _has_unreadable(table.ccxt.get("urls")):
        return None, [
            f"{dotted((*where, 'ccxt', 'urls'))}: expected urls such as https://HOST/PATH"
        ]
    try:
        place = environment_of(
            venue(table.exchange), table.ccxt, allow_custom_host=table.allow_custom_host
        )
    except Misconfigured as error:
        return None, [f"{dotted((*where, 'ccxt', 'urls'))}: {error}"]
    simulated = place == "simulated"
    keyring = _Keyring(environment=environment, directory=directory, allow_literal=simulated)
    account = Account(
        name=AccountName(name),
        exchange=table.exchange,
        environment="simulated" if simulated else "live",
        api_key=Secret(keyring.find(table.api_key, (*where, "api_key")), table.api_key),
        secret=Secret(keyring.find(table.secret, (*where, "secret")), table.secret),
        ownership=table.ownership,
        visibility=table.visibility,
        allow_custom_host=table.allow_custom_host,
        caps=_caps(table.caps),
        ccxt=keyring.fill_in(table.ccxt, (*where, "ccxt")),
    )
    return (None if keyring.problems else account), keyring.problems


def _caps(table: CapsTable) -> Caps | None:
    caps = Caps(exposure=table.exposure, positions=table.positions, daily_loss=table.daily_loss)
    return None if caps == Caps() else caps


def _on_paper(name: str, table: AccountTable) -> tuple[Account | None, list[str]]:
    """Return an account on paper: no key is looked for, and it leads nowhere until it is placed."""
    if "urls" in table.ccxt:
        path = dotted(("accounts", name, "ccxt", "urls"))
        return None, [f"{path}: on paper, prices come from paper_exchange.rest and .streams"]
    paper = table.paper_exchange
    if (paper.rest is None) != (paper.streams is None):
        path = dotted(("accounts", name, "paper_exchange"))
        return None, [f"{path}: give both rest and streams, or neither"]
    key = Secret(f"key-of-paper-{name}")  # of an exchange that is worth nothing
    return Account(
        name=AccountName(name),
        exchange=table.exchange,
        environment="paper",
        api_key=key,
        secret=key,
        ownership=table.ownership,
        visibility=table.visibility,
        allow_custom_host=False,
        ccxt=_plain(table.ccxt),
        caps=_caps(table.caps),
        paper=paper,
    ), []


def _plain(value: Any) -> Any:
    """Return ccxt's settings without credentials: nothing is looked up for an account on paper."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items() if key not in _CREDENTIALS}
        case Decimal():
            return float(value)
        case _:
            return value


def without_keys(accounts: object) -> list[str]:
    """Return a sentence for every key that an account, as it is written, should have."""
    tables, described = accounts if isinstance(accounts, dict) else {}, AccountTable.model_fields
    return [
        f"{dotted(('accounts', name, key))} is missing. {described[key].description}"
        for name, table in tables.items()
        if isinstance(table, dict) and table.get("paper") is not True
        for key in _ACCOUNT_KEYS.values()
        if key not in table
    ]


def one_kind(accounts: Iterable[Account]) -> list[str]:
    """Return a sentence if some accounts are on paper and others are not: a journal is one kind."""
    kinds = {True: list[str](), False: list[str]()}
    for account in accounts:
        kinds[account.paper is not None].append(account.name)
    if all(kinds.values()):
        paper, real = ", ".join(kinds[True]), ", ".join(kinds[False])
        why = "what is on paper has a journal, so a directory and a configuration of its own"
        return [f"accounts: {paper} on paper and {real} not: {why}"]
    return []


def paper_journal(url: str) -> str:
    """Return the journal of what is on paper, beside that of what is real."""
    if not url.startswith(_SQLITE):
        return url
    path = PurePath(url.removeprefix(_SQLITE))
    return f"{_SQLITE}{path.with_stem(f'{path.stem}-paper')}"


def shared_keys(accounts: Iterable[Account]) -> list[str]:
    """Return a sentence for every account whose key another one has: each is a login of its own."""
    problems: list[str] = []
    seen: dict[tuple[str, str, str], Account] = {}
    for account in accounts:
        key = (account.exchange, account.api_key.reveal(), repr(account.ccxt.get("urls")))
        other = seen.setdefault(key, account)
        if other is not account and account.api_key.reveal():
            problems.append(
                f"accounts.{account.name}: it has the key of accounts.{other.name}; an account is "
                f"a login of its own: put their bots under one name",
            )
    return problems


def _has_unreadable(urls: Any) -> bool:
    # Asked first: later messages name the host, and without one they would repeat the whole url,
    # password included.
    match urls:
        case dict():
            return any(_has_unreadable(each) for each in urls.values())
        case list():
            return any(_has_unreadable(each) for each in urls)
        case str():
            try:
                return "://" in urls and not urlsplit(urls).hostname
            except ValueError:
                return True
        case _:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keyring:
    """Finds keys, and collects what is wrong with them."""

    environment: Mapping[str, str] | None
    directory: Path
    allow_literal: bool
    problems: list[str] = field(default_factory=list)

    def find(self, text: str, path: KeyPath) -> str | None:
        """Return the key that a setting stands for, or None."""
        if self.environment is None:
            return None
        try:
            return resolve(
                text,
                environment=self.environment,
                directory=self.directory,
                allow_literal=self.allow_literal,
            )
        except InvalidValue as error:
            self.problems.append(f"{dotted(path)}: {error}")
            return None

    def fill_in(self, value: Any, path: KeyPath) -> Any:
        """Return ccxt's settings as ccxt wants them: keys found, and no Decimal."""
        match value:
            case dict():
                for wrong in sorted(_ACCOUNT_KEYS.keys() & value.keys()):
                    right = dotted((*path[:2], _ACCOUNT_KEYS[wrong]))
                    self.problems.append(f"{dotted((*path, wrong))}: write it as {right}")
                return {key: self.fill_in(each, (*path, key)) for key, each in value.items()}
            case list():
                return [self.fill_in(each, path) for each in value]
            case _ if path[-1] in _CREDENTIALS and not isinstance(value, str):
                self.problems.append(f"{dotted(path)}: expected text in quotes")
                return None
            case Decimal():
                return float(value)
            case str() if path[3:4] == ("urls",):
                return value  # as it was judged: never from elsewhere
            case str() if path[-1] in _CREDENTIALS or value.startswith(("env:", "file:")):
                return self.find(value, path)
            case _:
                return value
