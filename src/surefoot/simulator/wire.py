"""The truth in Binance's shapes. Source: Binance spot API, REST and user data stream."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from surefoot.simulator.counts import Window
from surefoot.simulator.exchange import Exchange, Execution
from surefoot.simulator.model import Amendment, Order, Rules, Trade


def amount(value: Decimal) -> str:
    """Write an amount as Binance does: eight decimals."""
    return f"{value:.8f}"


def _lasting(order: Order) -> str:
    return "IOC" if order.at_once else "GTC"


def order_row(order: Order) -> dict[str, Any]:
    """Return one order as queries and lists show it."""
    reason = {"expiryReason": order.expiry_reason} if order.expiry_reason else {}
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.name,
        "price": amount(order.price),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.executed),
        "cummulativeQuoteQty": amount(order.spent),
        "status": order.status,
        "timeInForce": _lasting(order),
        "type": order.type,
        "side": order.side,
        "stopPrice": amount(order.stop_price),
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.type != "STOP_LOSS" or order.triggered,
        "origQuoteOrderQty": "0.00000000",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        **reason,
    }


def placed(order: Order, trades: Iterable[Trade], response_type: str) -> dict[str, Any]:
    """Return the answer to a new order: ACK, RESULT or FULL."""
    if response_type == "ACK":
        return {
            "symbol": order.symbol,
            "orderId": order.order_id,
            "orderListId": -1,
            "clientOrderId": order.name,
            "transactTime": order.updated_ms,
        }
    if response_type == "RESULT":
        return result(order)
    return {**result(order), "fills": [_fill(trade) for trade in trades]}


def _fill(trade: Trade) -> dict[str, Any]:
    return {
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "commission": amount(trade.fee),
        "commissionAsset": trade.fee_asset,
        "tradeId": trade.trade_id,
    }


def result(order: Order) -> dict[str, Any]:
    """Return an order as answers to requests show it."""
    row = order_row(order)
    for absent in ("time", "updateTime", "isWorking", "icebergQty", "origQuoteOrderQty"):
        del row[absent]
    return {**row, "transactTime": order.updated_ms, "workingTime": order.created_ms}


def cancellation(order: Order, was: str) -> dict[str, Any]:
    """Return the answer to a cancel; `clientOrderId` names the cancel request, `was` the order."""
    row = result(order)
    row["origClientOrderId"] = was
    row["clientOrderId"] = order.cancel_client_id
    return row


def amended(order: Order, amendment: Amendment) -> dict[str, Any]:
    """Return the answer to an amendment."""
    row = result(order)
    row["qty"] = row.pop("origQty")
    row["cumulativeQuoteQty"] = row.pop("cummulativeQuoteQty")
    return {
        "transactTime": amendment.at_ms,
        "executionId": amendment.execution_id,
        "amendedOrder": {
            **row,
            "origClientOrderId": amendment.was,
            "clientOrderId": amendment.name,
            "preventedQty": "0.00000000",
            "quoteOrderQty": "0.00000000",
        },
    }


def amendment_row(order: Order, amendment: Amendment) -> dict[str, Any]:
    """Return one row of an order's amendments."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "executionId": amendment.execution_id,
        "origClientOrderId": amendment.was,
        "newClientOrderId": amendment.name,
        "origQty": amount(amendment.old_quantity),
        "newQty": amount(amendment.new_quantity),
        "time": amendment.at_ms,
    }


def trade_row(trade: Trade) -> dict[str, Any]:
    """Return one row of myTrades; it carries no client order id."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "quoteQty": amount(trade.price * trade.quantity),
        "commission": amount(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def balances(exchange: Exchange) -> list[dict[str, str]]:
    """Return every balance that was ever touched."""
    names = sorted({*exchange.free, *exchange.locked})
    return [
        {
            "asset": name,
            "free": amount(exchange.free.get(name, Decimal(0))),
            "locked": amount(exchange.locked.get(name, Decimal(0))),
        }
        for name in names
    ]


def account(exchange: Exchange, now_ms: int) -> dict[str, Any]:
    """Return the account: who it is and what it holds."""
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": True,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": balances(exchange),
        "permissions": ["SPOT"],
        "uid": exchange.uid,
    }


def restrictions(exchange: Exchange, now_ms: int) -> dict[str, Any]:
    """Return what the keys may do."""
    return {
        "ipRestrict": False,
        "createTime": now_ms,
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": exchange.withdraws,
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
    }


def rate_limits(weight: int, windows: Iterable[Window]) -> list[dict[str, Any]]:
    """Return what may be asked, and how often."""
    rows: list[dict[str, Any]] = [
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": weight,
        }
    ]
    rows += [
        {
            "rateLimitType": "ORDERS",
            "interval": window.interval,
            "intervalNum": window.number,
            "limit": window.limit,
        }
        for window in windows
    ]
    return rows


def exchange_info(
    listed: Iterable[Rules], now_ms: int, limits: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the symbols with their filters, and the limits."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": limits,
        "exchangeFilters": [],
        "symbols": [_symbol(rules) for rules in listed],
    }


def _symbol(rules: Rules) -> dict[str, Any]:
    return {
        "symbol": rules.symbol,
        "status": "TRADING" if rules.trading else "BREAK",
        "baseAsset": rules.base,
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "cancelReplaceAllowed": rules.replaces,
        "amendAllowed": rules.replaces,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": amount(rules.price_min or rules.tick),
                "maxPrice": amount(rules.price_max),
                "tickSize": amount(rules.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": amount(rules.quantity_min),
                "maxQty": amount(rules.quantity_max),
                "stepSize": amount(rules.lot),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": amount(rules.market_quantity_min),
                "maxQty": amount(rules.market_quantity_max or rules.quantity_max),
                "stepSize": amount(rules.market_lot),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": amount(rules.notional_min),
                "applyMinToMarket": rules.apply_min_to_market,
                "maxNotional": amount(rules.notional_max),
                "applyMaxToMarket": rules.apply_max_to_market,
                "avgPriceMins": 0,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": rules.max_algo_orders},
            {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": rules.max_amends},
            *_percent_filter(rules),
        ],
    }


def _percent_filter(rules: Rules) -> list[dict[str, Any]]:
    multipliers = {
        "bidMultiplierUp": rules.percent_bid_up,
        "bidMultiplierDown": rules.percent_bid_down,
        "askMultiplierUp": rules.percent_ask_up,
        "askMultiplierDown": rules.percent_ask_down,
    }
    if not any(multipliers.values()):
        return []
    shown = {name: str(value) for name, value in multipliers.items()}
    return [{"filterType": "PERCENT_PRICE_BY_SIDE", **shown, "avgPriceMins": 0}]


def execution_report(
    execution: Execution, order: Order, trade: Trade | None, now_ms: int
) -> dict[str, Any]:
    """Return one event of the user data stream; `C` is the order's own id after a cancel."""
    cancelled = execution == "CANCELED"
    return {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol,
        "c": order.cancel_client_id if cancelled else order.name,
        "S": order.side,
        "o": order.type,
        "f": _lasting(order),
        "q": amount(order.quantity),
        "p": amount(order.price),
        "P": amount(order.stop_price),
        "F": "0.00000000",
        "g": -1,
        "C": _former_name(execution, order),
        "x": execution,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": amount(trade.quantity) if trade else "0.00000000",
        "z": amount(order.executed),
        "L": amount(trade.price) if trade else "0.00000000",
        "n": amount(trade.fee) if trade else "0",
        "N": trade.fee_asset if trade else None,
        "T": order.updated_ms,
        "t": trade.trade_id if trade else -1,
        "v": 0,
        "I": order.order_id * 2,
        "w": order.open,
        "m": trade.maker if trade else False,
        "M": False,
        "O": order.created_ms,
        "Z": amount(order.spent),
        "Y": amount(trade.price * trade.quantity) if trade else "0.00000000",
        "Q": "0.00000000",
        "V": "EXPIRE_MAKER",
        **({"eR": order.expiry_reason} if order.expiry_reason else {}),
    }


def _former_name(execution: Execution, order: Order) -> str:
    """Return the name that an order had before a request gave it another."""
    if execution == "CANCELED":
        return order.name
    return order.amendments[-1].was if execution == "REPLACED" else ""


def account_position(exchange: Exchange, order: Order, now_ms: int) -> dict[str, Any]:
    """Return the balances that an execution touched, as the user data stream shows them."""
    rules = exchange.rules[order.symbol]
    touched = {rules.base, rules.quote, "BNB"}
    rows = [row for row in balances(exchange) if row["asset"] in touched]
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": now_ms,
        "B": [{"a": row["asset"], "f": row["free"], "l": row["locked"]} for row in rows],
    }
