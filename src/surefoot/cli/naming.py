"""A bot or a position, by either name: every command takes both, and a typo names the nearest."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.core.values import BotName, PositionId, natural
from surefoot.journal.port import Reader


class Named(Struct, frozen=True, kw_only=True):
    """What a name means: a bot, and one position of it if the name was a position's."""

    bot: BotName
    position: PositionId | None = None


async def find(reader: Reader, name: str, configured: Iterable[str] = ()) -> Named:
    """Return what a name means; a bot that is configured may not be in the journal yet.

    Raises:
        InvalidValue: nothing is called so; the message names the nearest.
    """
    bots = {*await reader.bot_names(), *configured}
    if name in bots:
        return Named(bot=BotName(name))
    position = await reader.position(name)
    if position is not None:
        return Named(bot=position.bot, position=position.position_id)
    known = [*sorted(bots, key=natural), *await reader.position_ids()]
    raise InvalidValue(f"there is no bot or position {name}{nearest(name, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question about the nearest known name, or what there is."""
    known = tuple(known)
    near = get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    listed = ", ".join(known[:5]) or "none yet"
    return f"; there are {listed}" + (" …" if len(known) > 5 else "")  # noqa: PLR2004
