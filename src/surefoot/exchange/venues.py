"""What each venue promises, as data: the facts that the protocol leans on.

A venue that is not in `VENUES` is refused: without these facts nobody can say when silence has
become proof. Sources are named beside the numbers.
"""

from __future__ import annotations

import re
from datetime import timedelta

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.core.values import ClientOrderId


class Venue(Struct, frozen=True, kw_only=True):
    """The capabilities of one venue.

    `request_lifetime` is how long a signed request may travel before the venue refuses it;
    `visibility` (V) is how late an accepted order may still be missing from every read;
    `definitive_codes` are the answers that prove non-acceptance, and nothing else does;
    `weights` price each question in the venue's request weight.
    """

    name: str
    client_id_prefix: str
    client_id_pattern: str
    request_lifetime: timedelta
    request_lifetime_max: timedelta
    visibility: timedelta
    page_size: int
    native_stop: bool
    definitive_codes: frozenset[str]
    weights: dict[str, int]
    weight_per_minute: int

    def encode(self, identity: bytes) -> ClientOrderId:
        """Write a 128-bit identity in this venue's alphabet and length.

        Raises:
            InvalidValue: the venue's own rule refuses the result (a mistake in this table).
        """
        text = f"{self.client_id_prefix}{identity.hex()}"
        if not re.fullmatch(self.client_id_pattern, text):
            raise InvalidValue(f"{self.name} does not allow the client order id {text}")
        return ClientOrderId(text)

    def is_marked(self, client_order_id: str, mark: bytes) -> bool:
        """Tell whether a client order id carries this epoch mark, i.e. whether it is ours."""
        return client_order_id.startswith(f"{self.client_id_prefix}{mark.hex()}")
