"""`surefoot pause`: an operator's command."""

from __future__ import annotations

from surefoot.cli.options import Options
from surefoot.cli.post import post


def pause(bot: str, *, options: Options | None = None) -> int:
    """Stop a bot from entering; its position is kept, its exits and stops work on.

    Parameters
    ----------
    bot
        The bot's name, or that of its position.
    options
        Where the configuration is, and how to answer.
    """
    return post(options or Options(), "pause", bot)
