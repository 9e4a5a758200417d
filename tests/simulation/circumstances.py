"""What a world is like: the venue's rules, how the bots are configured, what the owner has.

Drawn of a luck of its own, or told like trouble (`--told local=1,jump=20`), but nothing that
happens: it is so from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.simulation.plan import Bot, Plan


def _local(plan: Plan, _value: float) -> Plan:
    """Let every stop be watched by the program alone."""
    return replace(plan, bots=tuple(replace(bot, stop_at="local") for bot in plan.bots))


def _plain(plan: Plan, _value: float) -> Plan:
    """Let the venue neither replace nor amend an order."""
    rules = tuple(replace(each, replaces=False) for each in plan.settings.rules)
    return replace(plan, settings=replace(plan.settings, rules=rules))


def _adding(plan: Plan, _value: float) -> Plan:
    """Let every bot buy more of what it holds."""
    return replace(plan, bots=tuple(replace(bot, adds=True) for bot in plan.bots))


def _whole(plan: Plan, _value: float) -> Plan:
    """Let no bot buy more, or sell a part."""
    bots = tuple(replace(bot, adds=False, parts=False) for bot in plan.bots)
    return replace(plan, bots=bots)


def _gaining(plan: Plan, value: float) -> Plan:
    """Let every bot take its gain at so many per cent."""
    bots = (replace(bot, take_profit=f"{value:g}%", parts=False) for bot in plan.bots)
    return replace(plan, bots=tuple(bots))


def _trailing(plan: Plan, value: float) -> Plan:
    """Let every stop follow the price at so many per cent."""
    return replace(plan, bots=tuple(replace(b, trailing_stop=f"{value:g}%") for b in plan.bots))


def _eager(plan: Plan, value: float) -> Plan:
    """Let bots wish something at so large a part of all prices."""
    return replace(plan, bots=tuple(replace(bot, eagerness=value) for bot in plan.bots))


def _daily(plan: Plan, value: float) -> Plan:
    """Let a day lose so much at most."""
    return replace(plan, daily_loss=value)


def _orders(plan: Plan, value: float) -> Plan:
    """Let a strategy cause so many orders a minute at most."""
    return replace(plan, orders_per_minute=int(value))


def _beside(plan: Plan, value: float) -> Plan:
    """Let coins of the owner lie on the account: so many times a little."""
    coins = {"BTC": Decimal("0.02"), "ETH": Decimal("0.5")}
    there = {asset: amount * Decimal(repr(value)) for asset, amount in coins.items()}
    return replace(plan, settings=replace(plan.settings, balances=plan.settings.balances | there))


CIRCUMSTANCES: Final[Mapping[str, Callable[[Plan, float], Plan]]] = {
    "local": _local,
    "plain": _plain,
    "adding": _adding,
    "whole": _whole,
    "gaining": _gaining,
    "trailing": _trailing,
    "eager": _eager,
    "daily": _daily,
    "orders": _orders,
    "beside": _beside,
}
# How likely a world is like that, and which values there are to choose from.
_ODDS: Final[Mapping[str, tuple[float, tuple[float, ...]]]] = {
    "plain": (0.15, (1,)),
    "adding": (0.08, (1,)),
    "whole": (0.2, (1,)),
    "gaining": (0.15, (0.3,)),
    "trailing": (0.15, (0.3,)),
    "eager": (0.1, (0.5,)),
    "daily": (0.15, (5, 30)),
    "orders": (0.1, (3,)),
    "beside": (0.4, (0.5, 1, 2)),
}
# Of each bot alone: beside it there are others whose stops rest, or that leave sooner.
_LOCAL_ODDS: Final = 0.15
_STAYS_ODDS: Final = 0.5
_STAYS: Final = 0.97


def under(plan: Plan, told: Mapping[str, float]) -> Plan:
    """Return a plan under the circumstances that are told."""
    for name, value in told.items():
        if name in CIRCUMSTANCES:
            plan = CIRCUMSTANCES[name](plan, value)
    return plan


def drawn(plan: Plan) -> Plan:
    """Return a plan under circumstances that its seed draws."""
    luck = Random(f"{plan.seed} circumstances")
    for name, (odds, values) in _ODDS.items():
        takes, value = luck.random() < odds, luck.choice(values)
        if takes and (name != "beside" or plan.ownership == "shared"):
            plan = CIRCUMSTANCES[name](plan, value)
    return replace(plan, bots=tuple(_drawn(bot, luck) for bot in plan.bots))


def _drawn(bot: Bot, luck: Random) -> Bot:
    local, stays = luck.random() < _LOCAL_ODDS, luck.random() < _STAYS_ODDS
    return replace(
        bot, stop_at="local" if local else bot.stop_at, stays=_STAYS if stays else bot.stays
    )
