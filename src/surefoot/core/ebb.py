"""How low the coins of others have been between two balances, as far as their trades tell.

What they sold beyond what was theirs was the bots', also if they have bought as much since and the
balance is what it was. Trades tell it where they account for the balance: what came or went by no
trade did so at a moment that nobody knows, and then it is one figure or another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import accumulate

from msgspec import Struct

from surefoot.core.values import ZERO


class Ebb(Struct, frozen=True, kw_only=True):
    """So much of what the bots hold others have sold for certain, and so much perhaps."""

    certain: Decimal = ZERO
    possible: Decimal = ZERO

    @property
    def unsure(self) -> bool:
        """Tell whether nobody can say how much it was."""
        return self.possible > self.certain


def ebb(
    before: Decimal,
    now: Decimal,
    held: Decimal,
    moves: Sequence[Decimal],
    *,
    lot: Decimal,
    fees: Decimal = ZERO,
) -> Ebb:
    """Say how far others went below nothing, from what they had `before` to what they have `now`.

    `moves` are what their trades brought and took, oldest first, `fees` what ours took meanwhile.
    Less than a lot is no trade of anybody's.
    """
    lacks = _depth([now], held)
    net = sum(moves, ZERO)
    trades_first = _depth([*accumulate(moves, initial=before), now], held)
    if abs(now - before - net) < lot + fees:
        found = trades_first if trades_first >= lot else lacks
        return Ebb(certain=found, possible=found)
    trades_last = _depth(accumulate(moves, initial=now - net), held)
    possible = max(trades_first, trades_last)
    return Ebb(certain=lacks, possible=possible if possible - lacks >= lot else lacks)


def _depth(course: Iterable[Decimal], held: Decimal) -> Decimal:
    return min(max(-min(course), ZERO), max(held, ZERO))
