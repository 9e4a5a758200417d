"""What a venue lists, read from its exchangeInfo: the way back from `wire.exchange_info`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from surefoot.simulator.model import ZERO, Rules


def rules_of(row: Mapping[str, Any]) -> Rules:
    """Return the filters of one symbol.

    Raises:
        LookupError | ValueError | ArithmeticError: it is not in the shape that Binance documents.
    """
    filters: dict[str, Mapping[str, Any]] = {
        str(each["filterType"]): each for each in row["filters"]
    }
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    market = filters.get("MARKET_LOT_SIZE", {})
    notional = filters.get("NOTIONAL", {})
    percent = filters.get("PERCENT_PRICE_BY_SIDE", {})
    least = notional or filters.get("MIN_NOTIONAL", {})
    return Rules(
        symbol=str(row["symbol"]),
        base=str(row["baseAsset"]),
        quote=str(row["quoteAsset"]),
        price=ZERO,
        tick=Decimal(price["tickSize"]),
        price_min=Decimal(price["minPrice"]),
        price_max=Decimal(price["maxPrice"]),
        lot=Decimal(lot["stepSize"]),
        quantity_min=Decimal(lot["minQty"]),
        quantity_max=Decimal(lot["maxQty"]),
        market_quantity_min=_amount(market, "minQty"),
        market_quantity_max=_amount(market, "maxQty"),
        market_lot=_amount(market, "stepSize"),
        notional_min=_amount(least, "minNotional"),
        notional_max=_amount(notional, "maxNotional", Decimal(9_000_000)),
        apply_min_to_market=bool(least.get("applyMinToMarket", least.get("applyToMarket", True))),
        apply_max_to_market=bool(notional.get("applyMaxToMarket", False)),
        percent_bid_up=_amount(percent, "bidMultiplierUp"),
        percent_bid_down=_amount(percent, "bidMultiplierDown"),
        percent_ask_up=_amount(percent, "askMultiplierUp"),
        percent_ask_down=_amount(percent, "askMultiplierDown"),
        max_orders=int(filters.get("MAX_NUM_ORDERS", {}).get("maxNumOrders", 200)),
        max_algo_orders=int(filters.get("MAX_NUM_ALGO_ORDERS", {}).get("maxNumAlgoOrders", 5)),
        max_amends=int(filters.get("MAX_NUM_ORDER_AMENDS", {}).get("maxNumOrderAmends", 10)),
        trading=row["status"] == "TRADING",
    )


def _amount(found: Mapping[str, Any], name: str, default: Decimal = ZERO) -> Decimal:
    return Decimal(found[name]) if name in found else default
