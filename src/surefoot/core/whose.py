"""Whose the coins of the account are, and what others do with theirs: the policy.

A balance raises the question; trades, and what was locked at the time, answer it.

    the bots hold h, the account t; t - h are the coins of others, which were b when last weighed

    t - h = b                        nothing happened
    t - h > b                        others brought coins: noted, theirs for ever
    0 <= t - h < b                   others took coins, which were
        every stop of ours rested      theirs, nothing else was free: noted
        nothing of ours is held        theirs: noted
      our fees took as much          theirs: noted; fees may be paid in what a bot trades
        otherwise                      perhaps ours: frozen, and somebody is asked
    t - h < 0                        something that was ours is not there
        one bot, trades explain it     booked as sold, at once if nothing of ours may have sold it,
                                       else after V; what was frozen for lack of this goes on
        no trades, and V has passed    frozen, and somebody is asked; what is there can be sold
    whatever it is, where coins came or went by no trade, and others may have sold what was ours:
                                       for longer than V: frozen, and somebody is asked

Dust that waits for its bot's next entry counts among what the bots hold. What lacks and is no more
than that is written off, so that no later exit asks for it: coins that nobody trades freeze nobody.

What others brought or took of their own is a finding in the record and in the log, not in `review`:
that is what wants somebody, and a list of what nobody has to act on would hide it.

What others buy after they had sold more than was theirs is theirs: coins that were bought by hand
make no holding whole that was sold by hand before. What the exchange refused to sell was not there
then: whatever may have gone before, went; and nothing of it is sold before this page has spoken.

Others use their own free coins first. What no software can know: whether a sale of as many coins as
both have was meant for the one or the other; whether coins that come back after a withdrawal are
the same; whether coins came by no trade before others sold as many, or after. Then the holding
stays short of what was missing until an operator speaks. Trades that account for a balance are
believed: what came and went in between by no trade, to the last coin, nobody can see.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypeAlias

from msgspec import Struct

from surefoot.core.values import ZERO


class Seen(Struct, frozen=True, kw_only=True):
    """What is seen of one asset while nothing of ours is under way.

    `there` is the balance, `held` what `holders` positions add up to less what is known to be
    missing, `before` what others had when it was last weighed. `guarded` tells that stops of ours
    locked all of it while others traded, `out` that one of them may have sold. `sold` is what
    others sold since, `kept` what they bought after all of theirs was sold, `perhaps` what of the
    bots' they may have sold beside, `known` that all those trades are known not to be ours, `fees`
    what our own trades took since, `waited` that it has been unexplained for longer than V.
    """

    there: Decimal
    held: Decimal
    before: Decimal | None
    missing: Decimal = ZERO
    holders: int = 1
    guarded: bool = False
    out: bool = False
    sold: Decimal = ZERO
    kept: Decimal = ZERO
    perhaps: Decimal = ZERO
    fees: Decimal = ZERO
    known: bool = True
    waited: bool = False


class Unchanged(Struct, frozen=True):
    """Nothing happened."""


class Theirs(Struct, frozen=True):
    """Others moved coins of their own; they have so much now."""

    amount: Decimal


class Ours(Struct, frozen=True):
    """So much of what a bot held was sold by others, and their trades prove it."""

    quantity: Decimal


class Unclear(Struct, frozen=True):
    """It cannot be proven whose the coins were: somebody must say it. So much is not there."""

    why: str
    missing: Decimal = ZERO


class Early(Struct, frozen=True):
    """Something is not explained, and a fill that is not visible yet may explain it."""


Verdict: TypeAlias = Unchanged | Theirs | Ours | Unclear | Early


_MIXED: Final = "and coins came or went by no trade: were they theirs?"


def judge(seen: Seen) -> Verdict:
    """Say what a balance means: the table of this page."""
    others = seen.there - seen.held
    lacks = seen.missing - min(others - seen.kept, ZERO)
    proven = seen.waited or (seen.known and not seen.out)
    if seen.perhaps:
        return Unclear(_MIXED, lacks) if seen.waited else Early()
    if lacks and proven and seen.holders == 1 and seen.sold >= lacks:
        return Ours(lacks)
    if others < seen.kept:
        why = "and no trades explain it" if others < ZERO else "and what is there came after it"
        return Unclear(why, lacks) if seen.waited else Early()
    if seen.before is None or others > seen.before:
        return Theirs(others)
    if others == seen.before:
        return Unchanged()
    if seen.guarded or not seen.held or seen.before - others <= seen.fees:
        return Theirs(others)
    return Unclear("while nothing locked what the bots hold: were they theirs?")
