"""What one seed draws: a world, who lives in it, and a subset of what can go wrong, with rates."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Final, Literal

from tests.simulation.world import BEAT_S

from surefoot.simulator import Settings

# Everything that goes wrong; a seed takes each with even odds, or is told what to take.
KINDS: Final = (
    "crash", "double-crash", "request", "stream", "break", "latency", "outage", "ban", "clock",
    "lag", "partial", "expire", "jump", "graceful",
)  # fmt: skip
# Who else acts on the account; a world without them freezes nothing for long.
PEOPLE: Final = ("owner", "operator", "restore")
_RATES_S: Final = (20.0, 1500.0)


@dataclass(frozen=True, kw_only=True)
class Bot:
    """One bot of the configuration."""

    name: str
    symbol: str
    notional: int
    stop_loss: str
    take_profit: str
    break_even: str
    trailing_stop: str
    stop_at: Literal["exchange", "local"] = "exchange"
    eagerness: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One world, and what will happen in it."""

    seed: int
    lasts_s: float
    visibility_s: int
    ownership: str
    bots: tuple[Bot, ...]
    # What goes wrong, and how long it takes from one time to the next, on average.
    kinds: dict[str, float] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    delay_s: float = 0.001

    @property
    def innocent(self) -> bool:
        """Tell whether nobody but the bots acts on the account: nothing may stay frozen then."""
        return not set(self.kinds) & {*PEOPLE, "expire", "ban"}

    def without(self, *kinds: str) -> Plan:
        """Return the same plan with fewer kinds of trouble."""
        return replace(
            self, kinds={name: rate for name, rate in self.kinds.items() if name not in kinds}
        )

    def configuration(self) -> str:
        """Return the tables of the bots."""
        return "\n".join(
            f"""
[bots.{bot.name}]
account = "main"
symbol = "{bot.symbol}"
strategy = "tests.simulation.traders:Impatient"
notional = {bot.notional}
stop_at = "{bot.stop_at}"
stop_loss = "{bot.stop_loss}"
take_profit = "{bot.take_profit}"
break_even = "{bot.break_even}"
trailing_stop = "{bot.trailing_stop}"
params = {{ eagerness = {bot.eagerness} }}
"""
            for bot in self.bots
        )


def draw(seed: int) -> Plan:
    """Draw everything from a seed."""
    luck = Random(f"{seed} plan")
    kinds = {
        kind: _log_uniform(luck, *_RATES_S) for kind in (*KINDS, *PEOPLE) if luck.random() < 0.5
    }
    for person in PEOPLE:  # half of the worlds have nobody but bots in them
        if luck.random() < 0.5:
            kinds.pop(person, None)
    bots = tuple(_bot(luck, number) for number in range(1, luck.choice((1, 2, 2, 3, 4, 5)) + 1))
    return Plan(
        seed=seed,
        lasts_s=_log_uniform(luck, 300.0, 2400.0),
        visibility_s=luck.choice((5, 20, 60)),
        ownership="shared" if "owner" in kinds else luck.choice(("shared", "shared", "exclusive")),
        bots=bots,
        kinds=kinds,
        settings=Settings(
            beat_s=BEAT_S,
            fee_mode=luck.choice(("received", "received", "quote", "bnb", "mixed")),
            slices=luck.choice((1, 1, 2, 3)),
            cancels_rename=luck.random() < 0.3,
            balances={"USDT": Decimal(100_000), "BNB": Decimal(10)},
        ),
        delay_s=luck.choice((0.001, 0.01, 0.1)),
    )


def _bot(luck: Random, number: int) -> Bot:
    return Bot(
        name=f"bot{number}",
        symbol=luck.choice(("BTC/USDT", "BTC/USDT", "ETH/USDT")),
        notional=luck.choice((20, 100, 1000)),
        stop_loss=luck.choice(("0.3%", "1%", "3%")),
        take_profit=luck.choice(("off", "0.5%", "2%")),
        break_even=luck.choice(("off", "0.2%")),
        trailing_stop=luck.choice(("off", "0.4%")),
        eagerness=luck.choice((0.02, 0.1, 0.3)),
    )


def _log_uniform(luck: Random, low: float, high: float) -> float:
    return math.exp(luck.uniform(math.log(low), math.log(high)))
