"""What one seed draws: a world, who lives in it, and a subset of what can go wrong, with rates."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Final, Literal, TypeAlias

from tests.simulation.circumstances import CIRCUMSTANCES, drawn, under
from tests.simulation.world import BEAT_S

from surefoot.engine.tempo import Tempo
from surefoot.simulator import Settings

# Everything that goes wrong; a seed takes each with even odds, or is told what to take.
KINDS: Final = (
    "crash", "double-crash", "request", "stream", "break", "latency", "outage", "ban", "clock",
    "lag", "partial", "expire", "jump", "graceful",
)  # fmt: skip
# Who else acts on the account; a world without them freezes nothing for long.
PEOPLE: Final = ("owner", "operator", "restore")
# What happens to the journal's files besides; each has a luck of its own, drawn after all else.
LOSSES: Final = ("deleted", "log-lost", "snapshot")
# Somebody at a terminal, who only looks or says something; of a luck of its own as well.
READERS: Final = ("reads", "types")
# What luck would seldom make, and how likely a mixed world has it made.
_ARRANGED_ODDS: Final = {
    "hush": 0.15, "still": 0.12, "unmet": 0.12, "late": 0.12, "moved": 0.06, "forged": 0.06,
}  # fmt: skip
# These break what the venue promises (V; coins that lie there): only where they are told to.
_BROKEN_PROMISES: Final = ("hidden", "unlock")
ARRANGED: Final = (*_ARRANGED_ODDS, *_BROKEN_PROMISES)
# What leaves nothing behind that anybody has to look at.
_WITHOUT_A_TRACE: Final = frozenset({"still", "unmet", "late"})
# What makes a world a storm.
STORMS: Final = ("storm",)
_RATES_S: Final = (20.0, 1500.0)
_ARRANGED_RATES_S: Final = (60.0, 1000.0)
_LOSSES_ODDS: Final = 0.15
# How much of what was drawn is left: with everything at once one trouble hides what another shows.
_THINNED: Final = (0.2, 0.5, 1.0)
# A look costs what a virtual minute costs, and more than half of the worlds shall have none.
_READERS_S: Final = (40.0, 600.0)
_READERS_ODDS: Final = 0.2
# What a storm of deaths takes turns with: what leaves something in the air when a life ends.
_BESIDE_STORMS: Final = ("request", "stream", "latency", "lag", "partial", "expire", "jump")
_STORM_RATES_S: Final = (5.0, 60.0)
_QUIET_RATES_S: Final = (20_000.0, 400_000.0)
_SYMBOLS: Final = ("BTC/USDT", "BTC/USDT", "ETH/USDT")
_QUIET_SYMBOLS: Final = ("BTC/USDT", "ETH/USDT", "BNB/USDT", "SOL/USDT")
# How likely a bot wishes something at a price, or, in quiet worlds, when an hour's candle closes.
_EAGERNESS: Final = (0.02, 0.1, 0.3)
_QUIET_EAGERNESS: Final = (0.002, 0.01, 0.03)
# How many times longer the program waits in a quiet world before it looks by itself: days of
# nothing would be spent on looking whether there is anything to do.
QUIET: Final = Tempo(
    commands_s=20.0, orders_s=10.0, resting_s=200.0, time_s=20.0, vitals_s=20.0,
    everything_s=600.0, prices_s=20.0, candles_s=100.0, clock_s=600.0, pulse_s=60.0,
)  # fmt: skip
# How often the exchange repeats quiet prices: a little more often than a silent stream is given up.
_QUIET_BEAT_S: Final = 7.0


# Mixed: an hour of anything. Storm: minutes in which hardly a life gets as far as it wants to.
# Quiet: days of many bots in which little happens.
Sort: TypeAlias = Literal["mixed", "storm", "quiet"]
# Which sort a seed is drawn from: the first quiet one, which takes a minute, is 18.
_SORTS: Final[tuple[Sort, ...]] = (
    "mixed", "mixed", "mixed", "storm", "mixed", "mixed", "quiet", "storm", "storm", "mixed",
)  # fmt: skip


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
    strategy: str = "Impatient"
    eagerness: float = 0.2
    adds: bool = False
    # How likely it holds on to what it has when it would wish something.
    stays: float = 0.0
    # Whether a part of the gain is taken on the way.
    parts: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One world, and what will happen in it."""

    seed: int
    sort: Sort = "mixed"
    lasts_s: float
    visibility_s: int
    ownership: str
    bots: tuple[Bot, ...]
    # What goes wrong, and how long it takes from one time to the next, on average.
    kinds: dict[str, float] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    delay_s: float = 0.001
    # How many times longer the program waits before it looks whether there is anything to do.
    tempo: Tempo = field(default_factory=Tempo)
    # What the bots of the account may lose in a day; None: as they like.
    daily_loss: float | None = None
    # What a strategy may cause in a minute.
    orders_per_minute: int = 20

    @property
    def innocent(self) -> bool:
        """Tell whether nobody but the bots acts on the account: nothing may stay frozen then."""
        guilty = {*PEOPLE, *LOSSES, *ARRANGED, "types", "expire"} - _WITHOUT_A_TRACE
        return not set(self.kinds) & guilty

    def without(self, *kinds: str) -> Plan:
        """Return the same plan with fewer kinds of trouble."""
        return replace(
            self, kinds={name: rate for name, rate in self.kinds.items() if name not in kinds}
        )

    def only(self, bots: Collection[str] | None, lasts_s: float | None) -> Plan:
        """Return the same plan with these bots (None: all), ended earlier if a time is given."""
        kept = tuple(bot for bot in self.bots if bots is None or bot.name in bots)
        return replace(self, bots=kept, lasts_s=lasts_s or self.lasts_s)

    def account(self) -> str:
        """Return what the configuration says of the account."""
        caps = "" if self.daily_loss is None else f"\ncaps = {{ daily_loss = {self.daily_loss:g} }}"
        return f'visibility = "{self.visibility_s}s"\nownership = "{self.ownership}"{caps}'

    def _rate(self) -> str:
        usual = self.orders_per_minute == Plan.orders_per_minute
        return "" if usual else f", orders_per_minute = {self.orders_per_minute}"

    def configuration(self) -> str:
        """Return the tables of the bots."""
        return "\n".join(
            f"""
[bots.{bot.name}]
account = "main"
symbol = "{bot.symbol}"
strategy = "tests.simulation.traders:{bot.strategy}"
notional = {bot.notional}
stop_at = "{bot.stop_at}"
stop_loss = "{bot.stop_loss}"
take_profit = {_gains(bot)}
break_even = "{bot.break_even}"
trailing_stop = "{bot.trailing_stop}"
params = {{ eagerness = {bot.eagerness}, adds = {str(bot.adds).lower()}{_stays(bot)} }}
limits = {{ position_notional = {5 * bot.notional}{self._rate()} }}
"""
            for bot in self.bots
        )


def draw(seed: int, told: Mapping[str, float] | None = None) -> Plan:
    """Draw everything from a seed; what goes wrong may be told, in a world that is mixed then."""
    luck = Random(f"{seed} plan")
    sort: Sort = luck.choice(_SORTS)
    sort = "mixed" if told else sort
    match sort:
        case "mixed":
            kinds = _kinds(luck, (*KINDS, *PEOPLE), _RATES_S) | _losses(seed)
            kinds = _thinned(kinds, seed) | _arranged(seed)
            lasts_s, count = _log_uniform(luck, 300.0, 2400.0), luck.choice((1, 2, 2, 3, 4, 5))
        case "storm":
            kinds = _kinds(luck, (*_BESIDE_STORMS, "operator"), _STORM_RATES_S)
            kinds = _thinned(kinds, seed)
            kinds["storm"] = _log_uniform(luck, 10.0, 60.0)
            lasts_s, count = _log_uniform(luck, 120.0, 600.0), luck.choice((1, 2, 3, 4))
        case "quiet":
            kinds = _kinds(luck, KINDS, _QUIET_RATES_S)
            lasts_s, count = _log_uniform(luck, 86_400.0, 345_600.0), luck.randint(200, 600)
    if sort != "quiet":
        kinds |= _readers(seed)
    if told:
        kinds = {kind: rate for kind, rate in told.items() if kind not in CIRCUMSTANCES}
    plan = Plan(
        seed=seed,
        sort=sort,
        lasts_s=lasts_s,
        visibility_s=luck.choice((5, 20, 60)),
        ownership="shared" if "owner" in kinds else luck.choice(("shared", "shared", "exclusive")),
        bots=tuple(_scaling(_bot(luck, number, sort), seed) for number in range(1, count + 1)),
        kinds=kinds,
        settings=Settings(
            beat_s=_QUIET_BEAT_S if sort == "quiet" else BEAT_S,
            fee_mode=luck.choice(("received", "received", "quote", "bnb", "mixed")),
            slices=luck.choice((1, 1, 2, 3)),
            cancels_rename=luck.random() < 0.3,
            balances={"USDT": Decimal(100_000), "BNB": Decimal(10)},
        ),
        delay_s=luck.choice((0.001, 0.01, 0.1)),
        tempo=QUIET if sort == "quiet" else Tempo(),
    )
    if told:
        return under(plan, told)
    return plan if sort == "quiet" else drawn(plan)


def _kinds(luck: Random, among: tuple[str, ...], rates: tuple[float, float]) -> dict[str, float]:
    """Draw what goes wrong, each kind with even odds; in half of the worlds only bots live."""
    kinds = {kind: _log_uniform(luck, *rates) for kind in among if luck.random() < 0.5}
    for person in PEOPLE:
        if luck.random() < 0.5:
            kinds.pop(person, None)
    return kinds


def read(text: str) -> dict[str, float]:
    """Read what is to go wrong, and how often."""
    pairs = (each.partition("=") for each in text.split(","))
    return {kind: float(seconds) for kind, _, seconds in pairs}


def _losses(seed: int) -> dict[str, float]:
    """Draw what happens to the files, of a luck of its own: the other draws stay as they were."""
    luck = Random(f"{seed} losses")
    return {k: _log_uniform(luck, *_RATES_S) for k in LOSSES if luck.random() < _LOSSES_ODDS}


def _thinned(kinds: dict[str, float], seed: int) -> dict[str, float]:
    """Leave out some of what goes wrong, of a luck of its own, but not all."""
    luck = Random(f"{seed} thinned")
    left = luck.choice(_THINNED)
    return {k: rate for k, rate in kinds.items() if luck.random() < left} or kinds


def _arranged(seed: int) -> dict[str, float]:
    """Draw which situations are made, of a luck of its own."""
    luck = Random(f"{seed} arranged")
    return {
        kind: _log_uniform(luck, *_ARRANGED_RATES_S)
        for kind, odds in _ARRANGED_ODDS.items()
        if luck.random() < odds
    }


def _readers(seed: int) -> dict[str, float]:
    """Draw who sits at a terminal, of a luck of its own."""
    luck = Random(f"{seed} readers")
    return {k: _log_uniform(luck, *_READERS_S) for k in READERS if luck.random() < _READERS_ODDS}


def _bot(luck: Random, number: int, sort: Sort) -> Bot:
    return Bot(
        name=f"bot{number}",
        symbol=luck.choice(_QUIET_SYMBOLS if sort == "quiet" else _SYMBOLS),
        notional=luck.choice((20, 100, 1000)),
        stop_loss=luck.choice(("0.3%", "1%", "3%")),
        take_profit=luck.choice(("off", "0.5%", "2%")),
        break_even=luck.choice(("off", "0.2%")),
        trailing_stop=luck.choice(("off", "0.4%")),
        strategy="Patient" if sort == "quiet" else "Impatient",
        eagerness=luck.choice(_QUIET_EAGERNESS if sort == "quiet" else _EAGERNESS),
    )


def _scaling(bot: Bot, seed: int) -> Bot:
    """Let some bots add and sell in parts, of their own luck: the other draws stay as they were."""
    luck = Random(f"{seed} {bot.name} scales")
    return replace(bot, adds=luck.random() < 0.4, parts=luck.random() < 0.4)


def _stays(bot: Bot) -> str:
    return f", stays = {bot.stays}" if bot.stays else ""


def _gains(bot: Bot) -> str:
    if not bot.parts:
        return f'"{bot.take_profit}"'
    return '[{ at = "0.2%", fraction = 0.4 }, { at = "0.3%", fraction = 0.01 }, { at = "0.5%" }]'


def _log_uniform(luck: Random, low: float, high: float) -> float:
    return math.exp(luck.uniform(math.log(low), math.log(high)))
