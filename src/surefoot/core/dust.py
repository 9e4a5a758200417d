"""Dust: what is held, and is too little for the venue to trade. It belongs to its bot.

It goes at cost into the bot's next position, whose exit sells it with coins of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from surefoot.core.position import Dust, Position, State
from surefoot.core.records import DustLeft
from surefoot.core.terms import Terms
from surefoot.core.values import ZERO

# What the market made of a holding is judged by the exchange only, when it refuses to sell it. So
# many times its minimum may have been paid for what is let go on that word; more is for a person.
SHRUNK: Final = 4


def as_entered(position: Position, terms: Terms) -> Terms:
    """Return terms with no larger minimum than there was at the entry.

    What was bought in good faith does not become dust because the venue has raised it: it is
    watched and tried on, and its worth may have risen as well.
    """
    instrument, least = terms.instrument, position.least
    if least is None or instrument.notional_min <= least:
        return terms
    return replace(terms, instrument=replace(instrument, notional_min=least), raised=True)


def is_dust(position: Position, terms: Terms) -> bool:
    """Tell whether what is held is too little to trade: at its cost, or in the exchange's word.

    Where the exchange has raised its minimum, that word does not say that it is worth little.
    """
    price, instrument = position.entry_price or ZERO, terms.instrument
    if instrument.is_dust(position.quantity, price):
        return True
    if terms.raised:
        return False
    if instrument.sellable(position.quantity) > position.too_small:
        return False
    return position.quantity * price < SHRUNK * instrument.notional_min


def outlawed(position: Position, terms: Terms) -> bool:
    """Tell whether the venue sells so little no more: a stop that rests from before still does."""
    refused = terms.instrument.sellable(position.quantity) <= position.too_small
    return refused and not is_dust(position, terms)


def leave_dust(position: Position, now: datetime, terms: Terms) -> DustLeft | None:
    """Leave what cannot be sold to the next position, whose exit sells it with its own coins."""
    if position.state is not State.CLOSING or not position.is_counted:
        return None
    if not position.present or not is_dust(position, terms):
        return None
    dust = Dust(quantity=position.present, cost=position.held_cost)
    return DustLeft(at=now, dust=dust)
