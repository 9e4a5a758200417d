"""Whether another program takes the updates that are meant for our Telegram bot.

Telegram gives each update to one that asks. Two programs with one token take them from each other,
so that a command is heard by the wrong one, or by none.
"""

from __future__ import annotations

from importlib.util import find_spec

from surefoot.config import Settings
from surefoot.journal.tenancy import Tenancy
from surefoot.notify.errors import Later
from surefoot.notify.telegram import Conflict, Wire
from surefoot.web.answers import Symptom


async def polled(settings: Settings) -> list[Symptom]:
    """Ask Telegram, unless our own messenger is the one that asks, or nothing is configured."""
    telegram, journal = settings.notify.telegram, settings.journal_path
    if telegram is None or journal is None or find_spec("telegram") is None:
        return []
    tenant = Tenancy(journal, "notify").tenant()
    if tenant is not None:
        said = f"process {tenant.pid} asks for its updates, and says in its log what it is refused"
        return [Symptom(what="Telegram", well=True, said=said)]
    wire = Wire(telegram)
    try:
        await wire.alone()
    except Conflict:
        said = "another program asks for this bot's updates; its commands get lost. Use a new token"
        return [Symptom(what="Telegram", well=False, said=said)]
    except Later as error:
        return [Symptom(what="Telegram", well=False, said=str(error))]
    finally:
        await wire.close()
    return [Symptom(what="Telegram", well=True, said="the token is known, and nobody else uses it")]
