"""Whose account it is: a journal belongs to one account of one environment, for ever."""

from __future__ import annotations

from surefoot.core.errors import InvalidValue
from surefoot.core.records import AccountBound
from surefoot.core.values import AccountName
from surefoot.engine.login import Login
from surefoot.exchange.port import Identity
from surefoot.journal.port import Reader, account_stream


class WrongAccount(InvalidValue):
    """The keys belong to another account than the journal does."""


async def bind(login: Login, reader: Reader) -> None:
    """Make sure that the journal and the keys belong to the same account.

    Raises:
        WrongAccount: they do not.
    """
    identity = await login.exchange.identify()
    if await refuse_other(login.name, identity, reader):
        return
    await login.note(
        AccountBound(
            at=login.now(),
            account=login.name,
            exchange=identity.exchange,
            uid=identity.uid,
            environment=identity.environment,
        ),
    )


async def refuse_other(name: AccountName, identity: Identity, reader: Reader) -> bool:
    """Tell whether the journal is bound to this account; False: it is bound to none yet.

    Raises:
        WrongAccount: it is bound to another one.
    """
    entry = await reader.last(account_stream(name), "account-bound")
    if entry is None or not isinstance(entry.record, AccountBound):
        return False
    bound = entry.record
    who = Identity(exchange=bound.exchange, uid=bound.uid, environment=bound.environment)
    if who != identity:
        raise WrongAccount(
            f"this journal belongs to {bound.exchange} account {bound.uid} ({bound.environment}), "
            f"but the keys of accounts.{name} are of {identity.exchange} account {identity.uid} "
            f"({identity.environment}); use the right keys, or another journal",
        )
    return True
