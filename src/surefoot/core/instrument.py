"""What a venue lets be traded: the steps and minimums of one symbol.

Sizing happens here, before an intent exists, so that what is written down is what the venue
can accept. Rounding is always to the cautious side: quantities down, and prices away from
the market.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.core.values import ZERO, Asset, Side, Symbol, ceil_to, floor_to, plain


class Instrument(Struct, frozen=True, kw_only=True):
    """One tradable symbol and its filters (Binance: PRICE_FILTER, LOT_SIZE, NOTIONAL).

    `market_quantity_max` is the largest market order (Binance: MARKET_LOT_SIZE); None is none.
    `replaces`: the venue cancels an untouched order and places another in one request.
    `amends`: it makes an order smaller where it stands.
    `stops_max` is how many stops an account may have resting here (MAX_NUM_ALGO_ORDERS); None: any.
    """

    symbol: Symbol
    base: Asset
    quote: Asset
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    notional_min: Decimal
    quantity_max: Decimal | None = None
    market_quantity_max: Decimal | None = None
    replaces: bool = False
    amends: bool = False
    stops_max: int | None = None

    @property
    def stop_places(self) -> int | None:
        """Return how many bots may have a stop here; one place stays free to move a stop in.

        The venue counts the new one before it cancels the old one.
        """
        if not self.stops_max or not self.replaces:
            return self.stops_max  # None: any number of them. None at all: there is none to move.
        return max(self.stops_max - 1, 1)

    @property
    def largest(self) -> Decimal | None:
        """Return the most that one order may carry, also at the market; None: nobody said."""
        return min(filter(None, (self.quantity_max, self.market_quantity_max)), default=None)

    def price(self, price: Decimal, side: Side) -> Decimal:
        """Round a limit price to the tick: down to buy, up to sell."""
        return floor_to(price, self.tick) if side is Side.BUY else ceil_to(price, self.tick)

    def sellable(self, quantity: Decimal) -> Decimal:
        """Return what of a holding an order can carry: the quantity floored to the lot."""
        return floor_to(quantity, self.lot)

    def is_dust(self, quantity: Decimal, price: Decimal) -> bool:
        """Tell whether a holding is too small for the venue to trade at this price."""
        sellable = self.sellable(quantity)
        return sellable <= 0 or sellable < self.quantity_min or sellable * price < self.notional_min

    def size(self, notional: Decimal, price: Decimal) -> Decimal:
        """Turn an amount of quote currency into an order quantity.

        Raises:
            InvalidValue: the venue's minimums or maximums do not allow it.
        """
        if price <= 0:
            raise InvalidValue(f"{self.symbol}: cannot size an order at price {plain(price)}")
        quantity = floor_to(notional / price, self.lot)
        if quantity < self.quantity_min or quantity <= ZERO:
            raise InvalidValue(
                f"{self.symbol}: {plain(notional)} {self.quote} buys {plain(quantity)} "
                f"{self.base}, under the venue's minimum of {plain(self.quantity_min)}; "
                f"raise the bot's notional",
            )
        if quantity * price < self.notional_min:
            raise InvalidValue(
                f"{self.symbol}: {plain(quantity)} {self.base} at {plain(price)} is worth less "
                f"than the venue's minimum of {plain(self.notional_min)} {self.quote}; "
                f"raise the bot's notional",
            )
        # A stop and an exit have to be able to carry in one order what was entered.
        largest = self.largest
        if largest is not None and quantity > largest:
            raise InvalidValue(
                f"{self.symbol}: {plain(quantity)} {self.base} is over the venue's maximum of "
                f"{plain(largest)}; lower the bot's notional",
            )
        return quantity
