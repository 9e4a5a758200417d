"""Names that prove themselves: client order ids derived from what they are for.

    128 bits = 32 bits of mark(epoch, account)
             + 72 bits of hash(epoch, generation, account, position, role, attempt)
             + 24 bits of check(all of the above)

The epoch is drawn when a journal is created or restored, the generation by every life of a server:
so an id is never used again, even if position numbers start over, and even if an older file is put
back behind everybody's back. The mark tells whose an order is without telling anybody else. The
check is the product's own form: an order that has it and that no record explains is of a journal
that is lost. An id is an identity, not an idempotency key: Binance accepts a used id again once the
first order has filled. Nothing is ever sent twice under it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct

from surefoot.core.values import AccountName, PositionId

_MARK_BYTES = 4
_HASH_BYTES = 9
_CHECK_BYTES = 3


class Origin(Struct, frozen=True, kw_only=True):
    """Where ids come from: one life of one journal, on one account."""

    epoch: str
    generation: str
    account: AccountName

    @property
    def mark(self) -> bytes:
        """Return the 4 bytes that begin every id of this epoch and account."""
        return _mark(self.epoch, self.account)


def order_identity(origin: Origin, position_id: PositionId, role: str, attempt: int) -> bytes:
    """Return the 16 bytes that name one attempt at one order; venues encode them their way."""
    hashed = blake2b(
        f"{position_id}\n{role}\n{attempt}".encode(),
        digest_size=_HASH_BYTES,
        key=_key(origin.epoch, origin.generation, origin.account),
        person=b"surefoot-order",
    ).digest()
    return origin.mark + hashed + _check(origin.mark + hashed)


# Every order of a journal begins with the same two.
@lru_cache(maxsize=256)
def _mark(epoch: str, account: str) -> bytes:
    text = f"{epoch}\n{account}".encode()
    return blake2b(text, digest_size=_MARK_BYTES, person=b"surefoot-mark").digest()


@lru_cache(maxsize=256)
def _key(epoch: str, generation: str, account: str) -> bytes:
    return blake2b(f"{epoch}\n{generation}\n{account}".encode(), digest_size=32).digest()


def has_our_form(identity: bytes) -> bool:
    """Tell whether some Surefoot made these 16 bytes, of whatever epoch."""
    rest, check = identity[:-_CHECK_BYTES], identity[-_CHECK_BYTES:]
    return len(rest) == _MARK_BYTES + _HASH_BYTES and _check(rest) == check


def _check(rest: bytes) -> bytes:
    return blake2b(rest, digest_size=_CHECK_BYTES, person=b"surefoot-check").digest()
