"""`surefoot resume`: an operator's command."""

from __future__ import annotations

from surefoot.cli.options import Options
from surefoot.cli.post import post


def resume(bot: str, *, options: Options | None = None) -> int:
    """Let a bot enter again; a strategy that had failed is loaded afresh.

    Parameters
    ----------
    bot
        The bot's name, or that of its position.
    options
        Where the configuration is, and how to answer.
    """
    return post(options or Options(), "resume", bot)
