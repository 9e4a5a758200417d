"""What is asked most, answered in a few lines for a phone, from the status document alone."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from surefoot.core.values import counted
from surefoot.journal.review import ReviewFinding
from surefoot.journal.standing import NO_SERVER
from surefoot.journal.status import BotStatus, HealthStatus, PositionStatus, StatusDocument

# More than this is for a screen, not for a phone.
SHOWN_MAX: Final = 20
_CENT: Final = Decimal("0.01")
# What can be asked for in a chat as well.
_FROM_HERE: Final = {"close", "resolve", "resume", "pause"}
_PLACES: Final = {
    "exchange": "at the exchange",
    "here": "watched here only",
    "none": "NOT KEPT ANYWHERE",
}


def status(document: StatusDocument) -> str:
    """Say whether all is well, in one screen."""
    held = [bot for bot in document.bots if _held(bot)]
    lines = [headline(document), ""]
    lines += [_health(each) for each in document.health]
    running = sum(bot.status == "RUNNING" for bot in document.bots)
    lines.append(f"Bots: {running} of {len(document.bots)} running. Open: {len(held)}.")
    if document.recovery is not None:
        lines.append(f"Last recovery {document.recovery.at:%d %b %H:%M} UTC: "
                     f"{document.recovery.outcome}.")  # fmt: skip
    return "\n".join(lines)


def headline(document: StatusDocument) -> str:
    """Say the one thing that matters first."""
    wanting = len(document.review)
    if wanting:
        return f"🔴 {wanting} {'thing needs' if wanting == 1 else 'things need'} you: /review"
    if document.server is None:
        return "⚠️ The server is not running. Nothing is held."
    starting = [each.account for each in document.health if not each.watched]
    if starting:
        return f"⏳ Recovering {', '.join(starting)}; not everything is watched yet."
    return "✅ All is watched, and nothing needs you."


def bots(document: StatusDocument) -> str:
    """List the bots and what each does."""
    return _listed([f"{bot.bot}: {_doing(bot)}" for bot in document.bots], "There are no bots.")


def positions(document: StatusDocument) -> str:
    """List what is held, and what guards it."""
    found = [
        _position(each.position, *_coins(each))
        for each in document.bots
        if each.position is not None and _held(each)
    ]
    return _listed(found, "Nothing is held.", gap="\n\n")


def review(document: StatusDocument) -> str:
    """List what needs somebody, with what it means and what can be done."""
    return _listed([_finding(each) for each in document.review], "Nothing needs you.", gap="\n\n")


def recovery(document: StatusDocument) -> str:
    """Tell what the last recovery found."""
    last = document.recovery
    if last is None:
        return "There was no recovery yet."
    found = ", ".join(f"{count} {what}" for what, count in last.positions.items() if count)
    when = f"{last.at:%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"Recovery of {last.account}, {when}: {last.outcome} in {last.seconds:g} s.",
        f"Positions: {found or 'none'}.",
        f"Fills booked: {last.fills_booked}. Orders cancelled: {last.orders_cancelled}.",
        f"Bots restarted: {last.bots_restarted}.",
    ]
    if last.bots_in_review:
        lines.append(f"Needs you: {', '.join(last.bots_in_review)} (/review)")
    return "\n".join(lines)


def balance(document: StatusDocument) -> str:
    """Say what the bots hold, at the last price; the account may hold more."""
    worth: dict[str, Decimal] = {}
    lines = []
    for each in document.bots:
        position = each.position
        if position is None or not _held(each) or each.symbol is None:
            continue
        base, quote = _coins(each)
        price = position.mark_price or position.entry_price
        value = Decimal(position.quantity) * Decimal(price or 0)
        worth[quote] = worth.get(quote, Decimal(0)) + value
        lines.append(f"{each.bot}: {position.quantity} {base}, about {value:,.2f} {quote}")
    total = [f"In all about {value:,.2f} {quote}." for quote, value in worth.items()]
    return _listed(lines, "The bots hold nothing.") + "".join(f"\n{each}" for each in total)


def profit(by_bot: Mapping[str, tuple[int, Decimal]], span: str) -> str:
    """Say what closed positions brought, by bot; what is still open is not in it."""
    lines = [
        f"{bot}: {total:+,.2f} in {counted(trades, 'trade')}"
        for bot, (trades, total) in sorted(by_bot.items(), key=lambda each: -each[1][1])
    ]
    return f"Closed positions, {span}:\n" + _listed(lines, "none")


def _held(bot: BotStatus) -> bool:
    return bot.position is not None and bool(Decimal(bot.position.quantity))


def _coins(bot: BotStatus) -> tuple[str, str]:
    """Return what a bot buys, and what it pays with."""
    base, _, quote = (bot.symbol or "").partition(":")[0].partition("/")
    return base, quote


def _doing(bot: BotStatus) -> str:
    position = bot.position
    doing = bot.status
    if position is not None and position.state not in {"FLAT", "CLOSED"}:
        doing += f", {position.state}"
    if _held(bot) and position is not None and position.unrealized_pnl is not None:
        doing += f" {_gain(position.unrealized_pnl)} {_coins(bot)[1]}"
    return doing if position is None or position.frozen is None else f"🔴 {doing}, FROZEN"


def _position(position: PositionStatus, base: str, quote: str) -> str:
    lines = [f"{position.id}: {position.quantity} {base}, {position.state}"]
    if position.unrealized_pnl is not None:
        lines.append(f"open result {_gain(position.unrealized_pnl)} {quote}")
    if position.entry_price is not None:
        now = "" if position.mark_price is None else f", now {_price(position.mark_price)}"
        lines.append(f"entry {_price(position.entry_price)}{now}")
    if position.stop_loss is not None:
        lines.append(f"stop {_price(position.stop_loss)}, {_stop_kept(position, base)}")
    else:
        lines.append("no stop")
    if position.take_profit is not None:
        lines.append(f"target {_price(position.take_profit)}")
    if position.frozen is not None:
        lines.append(f"🔴 frozen: {position.frozen}")
    return "\n".join(lines)


def _stop_kept(position: PositionStatus, base: str) -> str:
    """Say where the stop is kept, and what of that is not all of it, or not yet its level."""
    kept = position.protection
    where, resting = _PLACES[kept.stop.value], kept.resting
    if resting is None:
        return where
    part = "" if kept.rest is kept.stop else f" {resting.quantity} {base}"
    if resting.trigger is not None and (part or resting.trigger != position.stop_loss):
        part += f" at {_price(resting.trigger)}"
    rest = "" if kept.rest is kept.stop else f", the rest {_PLACES[kept.rest.value]}"
    return f"{where}{part}{rest}"


def _finding(finding: ReviewFinding) -> str:
    kind = finding.kind.replace("-", " ")
    lines = [
        f"🔴 {finding.subject}: {kind}, since {finding.since:%d %b %H:%M} UTC",
        finding.meaning,
        f"Believed: {finding.believed}",
        f"True: {finding.true}",
    ]
    lines += [f"→ {_action(each)}" for each in finding.actions]
    return "\n".join(lines)


def _action(command: str) -> str:
    """Say how to do it from here, where that can be; else that it takes the server's own door."""
    _, word, *rest = command.split()
    if word not in _FROM_HERE:
        return f"on the server: {command}"
    return " ".join([f"/{word}", *(each.removeprefix("--") for each in rest)])


def _health(health: HealthStatus) -> str:
    why = f": {health.why}" if health.why else ""
    again = f", next try {health.next_try:%H:%M:%S} UTC" if health.next_try else ""
    state = "not watched" if health.why == NO_SERVER else health.state
    return f"{health.account} ({health.environment}): {state}{why}{again}"


def _gain(amount: str) -> str:
    """Write a result with its sign, in cents, or with the digits that a small one needs."""
    gain = Decimal(amount)
    return f"{gain:+,.2f}" if not gain or abs(gain) >= _CENT else f"{round(gain, 8):+f}"


def _price(price: str) -> str:
    amount = Decimal(price)
    return price if amount < 1 else f"{amount:,.2f}"


def _listed(lines: list[str], nothing: str, *, gap: str = "\n") -> str:
    if not lines:
        return nothing
    more = len(lines) - SHOWN_MAX
    shown = gap.join(lines[:SHOWN_MAX])
    return f"{shown}{gap}… and {more} more" if more > 0 else shown
