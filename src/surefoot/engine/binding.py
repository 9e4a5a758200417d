"""Whose account it is: a journal belongs to one account of one environment, for ever."""

from __future__ import annotations

from typing import NoReturn

from surefoot.core.account_records import AccountBound, LifeBegan
from surefoot.core.errors import InvalidValue
from surefoot.core.values import AccountName
from surefoot.engine.login import Login
from surefoot.exchange.port import Identity
from surefoot.journal.port import Journal, Reader, account_stream


class WrongAccount(InvalidValue):
    """The keys belong to another account than the journal does."""


async def bind(login: Login, journal: Journal) -> None:
    """Make sure that the journal and the keys belong to the same account, and to no other.

    From then on this life may name orders of the account: that it began is written down first.

    Raises:
        WrongAccount: they do not.
    """
    await _bind(login, journal)
    entry = await journal.last(account_stream(login.name), "life-began")
    last = None if entry is None else entry.record
    if not isinstance(last, LifeBegan) or last.generation != journal.generation:
        life = {"epoch": journal.epoch, "generation": journal.generation}
        await login.note(LifeBegan(at=login.now(), account=login.name, **life))


async def _bind(login: Login, reader: Reader) -> None:
    identity = await login.arrive()
    await _refuse_shared(login.name, identity, reader)
    if await refuse_other(login.name, identity, reader):
        return
    # Who said whose the keys are has said this as well.
    balances = await login.exchange.balances(since=login.serving)
    await login.note(
        AccountBound(
            at=login.now(),
            account=login.name,
            exchange=identity.exchange,
            uid=identity.uid,
            environment=identity.environment,
            balances={asset: amount for asset, amount in balances.items() if amount},
        ),
    )
    # Another one may have been bound meanwhile.
    await _refuse_shared(login.name, identity, reader)


async def recognise(
    name: AccountName,
    identity: Identity,
    logins: dict[Identity, AccountName],
    reader: Reader | None,
) -> None:
    """Make sure that a login is the one the journal knows, and that no other account has it.

    Raises:
        WrongAccount: it is not, or one of `logins` has it already.
    """
    if (other := logins.setdefault(identity, name)) != name:
        _refuse_one_login(name, other, identity)
    if reader is not None:
        await refuse_other(name, identity, reader)


async def _refuse_shared(name: AccountName, identity: Identity, reader: Reader) -> None:
    for other in await reader.accounts():
        if other != name and await _bound(other, reader) == identity:
            _refuse_one_login(name, other, identity)


def _refuse_one_login(name: AccountName, other: AccountName, identity: Identity) -> NoReturn:
    # Each would take the orders of the other for orphans, and cancel them.
    raise WrongAccount(
        f"accounts.{name} and accounts.{other} are one login: {identity.exchange} account "
        f"{identity.uid} ({identity.environment}); put their bots under one name",
    )


async def _bound(name: AccountName, reader: Reader) -> Identity | None:
    entry = await reader.last(account_stream(name), "account-bound")
    if entry is None or not isinstance(entry.record, AccountBound):
        return None
    bound = entry.record
    return Identity(exchange=bound.exchange, uid=bound.uid, environment=bound.environment)


async def refuse_other(name: AccountName, identity: Identity, reader: Reader) -> bool:
    """Tell whether the journal is bound to this account; False: it is bound to none yet.

    Raises:
        WrongAccount: it is bound to another one.
    """
    who = await _bound(name, reader)
    if who is None:
        return False
    if who != identity:
        raise WrongAccount(
            f"this journal belongs to {who.exchange} account {who.uid} ({who.environment}), "
            f"but the keys of accounts.{name} are of {identity.exchange} account {identity.uid} "
            f"({identity.environment}); use the right keys, or another journal",
        )
    return True
