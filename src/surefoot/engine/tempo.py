"""How often the engine looks by itself, beside everything that it is told at once.

Nothing that is decided hangs on it, only how soon a silence is noticed. Where nobody can be silent,
as in a replay, looking seldom costs nothing and is many times faster.
"""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.exchange.port import PULSE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Seconds from one look to the next; the defaults are those of live trading."""

    # What operators have posted.
    commands_s: float = 0.25
    # Which orders are due to be asked about, and how often one that rests is at most.
    orders_s: float = 0.25
    resting_s: float = 10.0
    # Lifetimes that are over, and retries that are due.
    time_s: float = 1.0
    # How the account stands, and what is stuck.
    vitals_s: float = 1.0
    # Everything against the exchange.
    everything_s: float = 30.0
    # Prices that no stream tells, candles that are overdue, the exchange's clock.
    prices_s: float = 5.0
    candles_s: float = 5.0
    clock_s: float = 60.0
    # Whether a socket on which nothing comes is still alive.
    pulse_s: float = PULSE_S
