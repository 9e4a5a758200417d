"""Names that prove themselves: client order ids derived from what they are for.

    128 bits = 32 bits of epoch mark + 96 bits of hash(epoch, position, role, attempt)

The epoch is drawn once, when a journal is created or restored, so an id is never used again even
if the position numbers start over. The mark proves that an order on the exchange is ours without
telling anybody whose. It is an identity, not an idempotency key: Binance accepts a used id again
once the first order has filled. Nothing is ever sent twice under it.
"""

from __future__ import annotations

from hashlib import blake2b

from surefoot.core.values import PositionId

_MARK_BYTES = 4
_HASH_BYTES = 12


def epoch_mark(epoch: str) -> bytes:
    """Return the 4 bytes that begin every id of this epoch."""
    return blake2b(epoch.encode(), digest_size=_MARK_BYTES, person=b"surefoot-mark").digest()


def order_identity(epoch: str, position_id: PositionId, role: str, attempt: int) -> bytes:
    """Return the 16 bytes that name one attempt at one order; venues encode them their way."""
    text = f"{position_id}\n{role}\n{attempt}".encode()
    hashed = blake2b(
        text,
        digest_size=_HASH_BYTES,
        key=blake2b(epoch.encode(), digest_size=32).digest(),
        person=b"surefoot-order",
    ).digest()
    return epoch_mark(epoch) + hashed
