"""What every page shows, worked out from the tables of a journal by plain arithmetic.

A whole region of a page is expected, so no figure is left out of it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

from tests.browser.ledger import ETHER, FROZEN_FOR, PRICE, PRICED, Sums, asked, levels

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


class Truth:
    """What the journal of a directory comes to, and how long ago its prices came."""

    def __init__(
        self, directory: Path, ago: timedelta, *, unwatched: bool = False, part: D | None = None
    ) -> None:
        self.directory = directory
        self.part = part
        self.unwatched = unwatched
        self.beta, self.gamma, self.delta = (
            Sums(directory, each) for each in ("beta-1", "gamma-1", "delta-1")
        )
        self.closed = [Sums(directory, f"alpha-{n}") for n in (1, 2, 3)]
        self.price_age, self.ether_age = (aged(each + ago) for each in PRICED)
        self.heard = aged(timedelta(seconds=130) + ago)
        self.ago = ago

    def level(self, position: str, name: str) -> str:
        return number(D(levels(self.directory, position)[name]))

    @property
    def to_lose(self) -> D:
        """Return what may still be lost before the stops that work: delta's is watched here."""
        stopped = {"beta-1": self.beta} | ({} if self.unwatched else {"delta-1": self.delta})
        return sum(
            (PRICE - D(levels(self.directory, name)["stop"]))
            * (self.part if self.part and name == "beta-1" else each.left)
            for name, each in stopped.items()
        )


def number(value: D) -> str:
    """Return an amount as pages show it: exact, but never more digits than an eye can use."""
    digits = 2 if abs(value) >= 1000 else 4 if abs(value) >= 1 else 8
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: D, *, signed: bool = True, digits: int = 2) -> str:
    text = f"{abs(value):,.{digits}f}"
    whole, _, cents = text.partition(".")
    text = f"{whole}.{cents.rstrip('0').ljust(2, '0')}"
    if not float(text.replace(",", "")):
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def bitcoin(value: D, *, signed: bool = True) -> str:
    return money(value, signed=signed, digits=6)


def aged(age: timedelta) -> str:
    """Return an age as pages show it, in minutes or hours: a second more or less is the same."""
    minutes = age.total_seconds() / 60
    return f"{round(minutes)} min" if minutes < 90 else f"{round(minutes / 60)} h"


Figures = Callable[[Truth], dict[str, str]]


def overview(t: Truth) -> dict[str, str]:
    held = t.beta.left * PRICE + t.delta.left * PRICE
    floating = t.beta.open(PRICE) + t.delta.open(PRICE)
    long_ago, lately, today = (each.realized for each in t.closed)
    ether = t.gamma.left * ETHER
    lacking = f"{2 if t.unwatched else 1} without a working stop"
    lacking += "; 1 with a stop for a part only" if t.part else ""
    return {
        "[aria-label=Money]": f"Held {money(held, signed=False)} USDT "
        f"{bitcoin(ether, signed=False)} BTC 3 positions, oldest price "
        f"{t.ether_age} Open result {money(floating)} USDT "
        f"{bitcoin(t.gamma.open(ETHER))} BTC {money(t.to_lose, signed=False)} USDT more to lose "
        f"before the stops; {lacking} Closed today {money(today)} USDT 0.00 "
        f"BTC since midnight UTC Seven days · all {money(today + lately)} · "
        f"{money(today + lately + long_ago)} USDT 0.00 · 0.00 BTC 3 closed positions",
    }


def cards(t: Truth, kept: tuple[str, str]) -> dict[str, str]:
    at_exchange, here = kept
    return {
        '[aria-label="Open positions"]': f"beta BTC/USDT open {money(t.beta.open(PRICE))} "
        f"{number(PRICE)} {t.price_age} stop {t.level('beta-1', 'stop')} {at_exchange} "
        f"delta BTC/USDT frozen {money(t.delta.open(PRICE))} {number(PRICE)} {t.price_age} "
        f"stop {t.level('delta-1', 'stop')} {here} "
        f"gamma ETH/BTC open {bitcoin(t.gamma.open(ETHER))} {number(ETHER)} {t.ether_age} no stop",
    }


def bots(t: Truth) -> dict[str, str]:
    row = '[role=rowgroup] [role=row]:has-text("{}")'
    acts = "Pause Close"
    price = f"{number(PRICE)} {t.price_age}"
    beta, delta, gamma = t.beta, t.delta, t.gamma
    return {
        row.format(
            "alpha"
        ): "alpha BTC/USDT · waits for a dip of 2 % · refused: the cap is reached "
        f"running closed {DASH} {DASH} {price} {acts}",
        row.format("beta"): f"beta BTC/USDT running open {money(beta.left * PRICE, signed=False)} "
        f"{money(beta.open(PRICE))} {price} {acts}",
        row.format("delta"): "delta BTC/USDT running frozen "
        f"{money(delta.left * PRICE, signed=False)} {money(delta.open(PRICE))} {price} {acts}",
        row.format("gamma"): "gamma ETH/BTC running open "
        f"{bitcoin(gamma.left * ETHER, signed=False)} {bitcoin(gamma.open(ETHER))} "
        f"{number(ETHER)} {t.ether_age} {acts}",
    }


def position(name: str, sums: Sums, t: Truth, tiles: str) -> dict[str, str]:
    """Return the regions that each page of a position has."""
    return {
        "[aria-label=Figures]": tiles,
        "[aria-label=Orders] tbody": words(
            f"{role} {side} {status.lower()} {number(D(quantity))} {number(D(filled))} "
            f"{f'at {number(D(trigger))}' if trigger else 'market'} {name} {exchange}"
            for role, side, status, quantity, filled, trigger, name, exchange in asked(
                t.directory,
                "SELECT role, side, status, quantity, filled, trigger_price, client_order_id, "
                "exchange_order_id FROM orders WHERE position_id = ? ORDER BY attempt DESC",
                name,
            )
        ),
        "[aria-label=Fills] tbody": words(
            f"{clock(at)} {side} {number(D(quantity))} {number(D(price))} {number(D(fee))} {asset}"
            for side, price, quantity, fee, asset, at in reversed(sums.rows)
        ),
        "[aria-label='Its life'] .head": f"Its life {lived(t, name)} records",
    }


def open_position(t: Truth) -> dict[str, str]:
    sums, stop = t.beta, t.level("beta-1", "stop")
    target = t.level("beta-1", "take_profit")
    return position(
        "beta-1", sums, t,
        f"Open result {money(sums.open(PRICE))} USDT realized {money(sums.realized)}, fees "
        f"{number(sums.fees('BTC'))} BTC Held {number(sums.left)} BTC entry {number(sums.entry)} "
        f"Price {number(PRICE)} {t.price_age} old Stop · target {stop} · {target} monitoring",
    ) | {
        ".guard": f"If this server dies, the stop at {stop} rests at the exchange and sells by "
        "itself."
    }  # fmt: skip


def part_left(t: Truth) -> dict[str, str]:
    sums = t.delta
    return position(
        "delta-1", sums, t,
        f"Open result {money(sums.open(PRICE))} USDT realized {money(sums.realized)}, fees "
        f"{number(sums.fees('USDT'))} USDT Held {number(sums.left)} BTC entry "
        f"{number(sums.entry)} Price {number(PRICE)} {t.price_age} old Stop · target "
        f"{t.level('delta-1', 'stop')} · {t.level('delta-1', 'take_profit')} monitoring",
    )  # fmt: skip


def closed_position(t: Truth) -> dict[str, str]:
    sums, name = t.closed[2], "alpha-3"
    return position(
        name, sums, t,
        f"Result {money(sums.realized)} USDT final, fees {number(sums.fees('BTC'))} BTC, "
        f"{number(sums.fees('USDT'))} USDT Dust left {number(sums.left)} BTC too little to trade: "
        f"it went into the next position Price {number(PRICE)} {t.price_age} old Last stop · "
        f"target {t.level(name, 'stop')} · {t.level(name, 'take_profit')} monitoring",
    ) | {
        "[aria-label='Positions of this bot'] tbody": words(
            f"alpha-{n} closed {money(t.closed[n - 1].realized)}" for n in (3, 2, 1)
        )
    }  # fmt: skip


def recovery(t: Truth) -> dict[str, str]:
    ((data,),) = asked(t.directory, "SELECT data FROM records WHERE kind = 'recovery-finished'")
    said = json.loads(data)
    (told,) = said["told"]
    return {
        "article .counts": f"{said['fills_booked']} fills booked {said['orders_cancelled']} orders "
        f"cancelled {said['bots_restarted']} bots restarted {len(said['bots_in_review'])} needs "
        f"somebody {said['requests']} requests, weight {said['weight']}",
        "article tbody": f"{told['position_id']} filled while nobody watched {told['believed']} "
        f"{told['evidence'][0]} {told['followed'][0]} {told['now']}",
    }


def journal(t: Truth) -> dict[str, str]:
    rows = asked(t.directory, "SELECT sequence, at FROM records ORDER BY sequence DESC LIMIT 3")
    return {
        f"[aria-label=Records] a >> nth={n} >> .num": str(sequence)
        for n, (sequence, _) in enumerate(rows)
    } | {f"[aria-label=Records] time >> nth={n}": clock(at) for n, (_, at) in enumerate(rows)}


def review(t: Truth) -> dict[str, str]:
    """Return what a freeze is about; while nobody watches, its stop works no more."""
    ((data,),) = asked(t.directory, "SELECT data FROM records WHERE kind = 'position-frozen'")
    ((state,),) = asked(t.directory, "SELECT state FROM positions WHERE position_id = 'delta-1'")
    frozen_for = FROZEN_FOR + t.ago
    held = f"{t.delta.left.normalize():f} BTC, bought for {t.delta.left_cost:.2f} USDT"
    stop = D(levels(t.directory, "delta-1")["stop"]).normalize()
    risk = (
        f"{held}; the stop at {stop:f} is watched here only: it works as long as this server runs."
        if not t.ago
        else f"{held}, WITHOUT a working stop: a falling price is not acted upon."
    )
    return {
        '[id="frozen/delta-1"] .head': f"delta-1 frozen for {aged(frozen_for)}",
        '[id="frozen/delta-1"] dl': f"Believed {state}, {held} True {json.loads(data)['reason']} "
        f"For the money delta enters nothing. It holds {risk}",
    }


def configured(t: Truth) -> dict[str, str]:
    """Return what the configuration says, as the file has it."""
    said = tomllib.loads((t.directory / "surefoot.toml").read_text("utf-8"))
    levels = ("stop_loss", "take_profit", "break_even", "trailing_stop")
    (main,) = said["accounts"].values()
    return {
        '[aria-label="This installation"] dd >> nth=1': str(t.directory / "surefoot.db"),
        '[aria-label="This installation"] dd >> nth=2': "127.0.0.1:8770 this machine only",
        "[aria-label=Accounts] tbody": f"main binance live {main['ownership']} {main['api_key']} "
        f"{main['secret']}",
        "[aria-label=Bots] tbody": words(
            f"{name} {bot['symbol']} {bot['strategy']} {bot['notional']} "
            f"{' '.join(bot.get(each, 'off') for each in levels)} "
            f"{'here' if bot['stop_at'] == 'local' else 'at the exchange'}"
            for name, bot in said["bots"].items()
        ),
    }


WELL = (
    ("/", overview),
    ("/", lambda t: cards(t, ("at the exchange", "watched here"))),
    ("/bots", bots),
    ("/positions/beta-1", open_position),
    ("/positions/delta-1", part_left),
    ("/positions/alpha-3", closed_position),
    ("/recovery", recovery),
    ("/review", review),
    ("/settings", configured),
    ("/journal", journal),
)


def words(rows: Iterable[str]) -> str:
    return " ".join(rows)


def clock(at: str) -> str:
    return datetime.fromisoformat(at).strftime("%H:%M:%S")


def lived(t: Truth, name: str) -> int:
    ((count,),) = asked(
        t.directory, "SELECT count(*) FROM records WHERE stream = ?", f"position/{name}"
    )
    return int(count)
