"""`surefoot close`: an operator's command."""

from __future__ import annotations

from surefoot.cli.options import Options
from surefoot.cli.post import post


def close(bot: str, *, options: Options | None = None) -> int:
    """Close a bot's position at the market, through the same lane as everybody else.

    Parameters
    ----------
    bot
        The bot's name, or that of its position.
    options
        Where the configuration is, and how to answer.
    """
    return post(options or Options(), "close", bot)
