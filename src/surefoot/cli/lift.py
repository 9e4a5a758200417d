"""`surefoot lift`: an operator's word on the loss of a day."""

from __future__ import annotations

from surefoot.cli.options import Options
from surefoot.cli.post import post_to


def lift(account: str, *, options: Options | None = None) -> int:
    """Let an account enter again today, though it lost as much as `daily_loss` allows.

    Parameters
    ----------
    account
        The account's name. From now on it may lose as much once more.
    options
        Where the configuration is, and how to answer.
    """
    return post_to(options or Options(), "lift", account)
