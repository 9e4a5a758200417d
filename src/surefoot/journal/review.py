"""What wants somebody: each finding with what it means for the money, and what can be done.

It is read from the journal alone, by the command line, the dashboard and the messengers alike.
Empty means that nobody has to look; exit code 3 is exactly "not empty".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from surefoot.core.account_records import BotStatusChanged, Cause
from surefoot.core.health import Health, HealthState
from surefoot.core.lanes import Lane
from surefoot.core.position import Position
from surefoot.core.protection import Place, covers, protection, resting_stop
from surefoot.core.resolving import Answer, offered
from surefoot.core.stuck import Stuck, StuckKind
from surefoot.core.values import AccountName, BotName, PositionId, counted, natural, one_line, plain
from surefoot.journal.cursors import Aside
from surefoot.journal.port import BotRow, Reader, bot_stream, position_stream
from surefoot.journal.standing import NO_SERVER, UNSERVED, Standing

# For so long a message that was refused for good wants somebody.
UNTOLD_FOR: Final = timedelta(days=1)


class ReviewFinding(Struct, frozen=True, kw_only=True):
    """One thing that wants somebody.

    `believed` is what the journal says, `true` what speaks against it; `meaning` is what it means
    for the money. `actions` are commands, and only those that fit this finding.
    """

    id: str
    account: AccountName | None
    bot: BotName | None
    position: PositionId | None
    kind: str
    since: datetime
    believed: str
    true: str
    meaning: str
    actions: list[str]

    @property
    def subject(self) -> str:
        """Return whom or what it is about, by the name that commands take."""
        return self.position or self.bot or self.account or self.id.partition("/")[2]


async def read_review(
    reader: Reader, rows: Iterable[BotRow], standings: Iterable[Standing], now: datetime
) -> list[ReviewFinding]:
    """Read everything that wants somebody: accounts first, then bots and their positions."""
    by_account = {each.account: each for each in standings}
    held: dict[PositionId, Position] = {}
    of_bots: list[ReviewFinding] = []
    for row in rows:
        found = await _positions(reader, row)
        held |= {each.position_id: each for each in found}
        of_bots += await _bot(reader, row)
        for position in found:
            watched = _watched(by_account.get(position.account))
            of_bots += await _frozen(reader, position, watched=watched)
    of_accounts = [
        finding for each in by_account.values() for finding in _account(each, held.values())
    ]
    of_stuck = [
        _stuck(stuck, standing, held.get(stuck.position_id) if stuck.position_id else None)
        for standing in by_account.values()
        for stuck in standing.stuck
    ]
    parked = await reader.parked()
    untold = [_untold(*each, now) for each in parked.items()]
    told = (*of_accounts, *of_stuck, *of_bots, *(each for each in untold if each is not None))
    return [_cleaned(each) for each in told]


def _cleaned(finding: ReviewFinding) -> ReviewFinding:
    """Let no text from outside forge a line or turn one round, wherever it is shown."""
    return replace(
        finding,
        believed=one_line(finding.believed),
        true=one_line(finding.true),
        meaning=one_line(finding.meaning),
    )


async def _positions(reader: Reader, row: BotRow) -> list[Position]:
    older = [await reader.position(name) for name in row.frozen]
    current = [] if row.position is None else [row.position]
    return [each for each in older if each is not None] + current


def _watched(standing: Standing | None) -> bool:
    return standing is not None and standing.health.watched


# Accounts ----------------------------------------------------------------------------------------


def _account(standing: Standing, positions: Iterable[Position]) -> list[ReviewFinding]:
    health = standing.health
    if health.state in {HealthState.OK, HealthState.STARTING}:
        return []
    mine = [each for each in positions if each.account == standing.account and _at_stake(each)]
    if health.why == NO_SERVER and not mine:
        return []  # Nothing is held and nothing is out: it may stand still.
    kind = "unwatched" if standing.absent else health.state.value
    return [
        ReviewFinding(
            id=f"{kind}/{standing.account}",
            account=standing.account,
            bot=None,
            position=None,
            kind=kind,
            since=health.since,
            believed=f"{standing.account} is watched and its bots run",
            true=health.why or f"it is {health.state}",
            meaning=_stakes(health, mine),
            actions=_account_actions(standing, mine),
        ),
    ]


def _at_stake(position: Position) -> bool:
    return bool(position.quantity) or position.unfinished is not None


def _stakes(health: Health, positions: list[Position]) -> str:
    held = [each for each in positions if each.quantity]
    kept = {each.position_id: protection(each, watched=health.watched) for each in held}
    bare = [each for each in held if kept[each.position_id].stop is Place.NONE]
    places = ((each, kept[each.position_id]) for each in held)
    partly = [each for each, its in places if its.stop is not Place.NONE and its.rest is Place.NONE]
    parts = [] if health.state is HealthState.DEGRADED else ["Nothing is entered."]
    buying = [each for each in positions if each.lane(Lane.ENTRY) is not None]
    if buying:
        names = ", ".join(each.position_id for each in buying)
        parts.append(f"An entry is out ({names}): what it buys has no stop before that is known.")
    elif not held:
        parts.append("Nothing is held on this account: no money is at risk.")
    if len(held) > len(bare) + len(partly):
        whole = len(held) - len(bare) - len(partly)
        parts.append(f"{counted(whole, 'position')} with a stop that works.")
    if partly:
        names = ", ".join(each.position_id for each in partly)
        parts.append(
            f"{counted(len(partly), 'position')} with a stop for a PART only ({names}): on a "
            f"falling price the rest is not sold."
        )
    if bare:
        names = ", ".join(each.position_id for each in bare)
        parts.append(
            f"{counted(len(bare), 'position')} WITHOUT a working stop ({names}): a falling price "
            f"is not acted upon."
        )
    return " ".join(parts)


def _account_actions(standing: Standing, positions: list[Position]) -> list[str]:
    health = standing.health
    if standing.absent:
        checked = ["surefoot check"] if health.why == UNSERVED else []
        return [] if standing.hangs else [*checked, "surefoot run"]
    bots = sorted({position.bot for position in positions}, key=natural)
    match health.state:
        case HealthState.UNREACHABLE | HealthState.HALTED:
            return [f"surefoot recover {bots[0]}" if bots else "surefoot recover"]
        case HealthState.BANNED | HealthState.DEGRADED | HealthState.STARTING | HealthState.OK:
            return []  # It mends itself, or the log says what to mend.
        case _:
            assert_never(health.state)


# Bots and positions ------------------------------------------------------------------------------


async def _bot(reader: Reader, row: BotRow) -> list[ReviewFinding]:
    if row.status != "REVIEW":
        return []
    entry = await reader.last(bot_stream(row.bot), "bot-status-changed")
    word = None if entry is None else entry.record
    if entry is None or not isinstance(word, BotStatusChanged):
        return []
    position = row.position
    held = position is not None and bool(position.quantity)
    return [
        ReviewFinding(
            id=f"in-review/{row.bot}",
            account=None if position is None else position.account,
            bot=row.bot,
            position=None if position is None else position.position_id,
            kind="in-review",
            since=entry.at,
            believed=f"{row.bot} runs",
            true=row.reason or "no reason was given",
            meaning=(
                "It enters nothing. "
                + (f"It holds {_holding(position)}." if held and position else "It holds nothing.")
            ),
            actions=[
                *_ways_back(row.bot, word.cause),
                *(_way_out(position) if position and held else []),
            ],
        ),
    ]


def _ways_back(bot: BotName, cause: Cause | None) -> list[str]:
    match cause:
        case None | Cause.STRATEGY | Cause.SETBACK:
            return [f"surefoot resume {bot}"]
        case Cause.SYMBOL | Cause.UNREACHABLE | Cause.CONTRADICTION:
            return [f"surefoot recover {bot}"]
        case Cause.CONFIGURATION:
            return ["surefoot check", f"surefoot recover {bot}"]
        case Cause.UNFIT:
            return ["surefoot check", "surefoot run"]  # Only a start reads it again.
        case _:
            assert_never(cause)


async def _frozen(reader: Reader, position: Position, *, watched: bool) -> list[ReviewFinding]:
    if position.frozen is None:
        return []
    entry = await reader.last(position_stream(position.position_id), "position-frozen")
    if entry is None:
        return []
    return [
        ReviewFinding(
            id=f"frozen/{position.position_id}",
            account=position.account,
            bot=position.bot,
            position=position.position_id,
            kind="frozen",
            since=entry.at,
            believed=_believed(position),
            true=position.frozen,
            meaning=f"{position.bot} enters nothing. {_risk(position, watched=watched)}",
            actions=[*_answers(position), *_way_out(position)],
        ),
    ]


def _believed(position: Position) -> str:
    held = _holding(position) if position.quantity else "nothing held"
    return f"{position.state}, {held}"


def _holding(position: Position) -> str:
    price = position.entry_price
    held = f"{plain(position.quantity)} {position.base}"
    if price is None:
        return held
    return f"{held}, bought for {price * position.quantity:.2f} {position.quote}"


def _risk(position: Position, *, watched: bool) -> str:
    """Say what is held, and what stands between it and a falling price."""
    entry = position.lane(Lane.ENTRY)
    if not position.quantity and entry is not None:
        bought = f"up to {plain(entry.remaining)} {position.base}"
        return f"An entry is out: it may have bought {bought}, without a stop before that is known."
    if not position.quantity:
        return "Nothing is held: no money is at risk."
    held, stop = _holding(position), position.levels.stop
    if stop is None:
        return f"It holds {held}, with no stop: none was asked for."
    match protection(position, watched=watched).stop:
        case Place.EXCHANGE:
            return f"It holds {held}; {_resting(position)} and works."
        case Place.HERE:
            return (
                f"It holds {held}; the stop at {plain(stop)} is watched here only: it works as "
                f"long as this server runs."
            )
        case Place.NONE:
            return f"It holds {held}, WITHOUT a working stop: a falling price is not acted upon."


def _resting(position: Position) -> str:
    """Say at which price and for how much the exchange has a stop: not what is wanted."""
    order = resting_stop(position)
    if order is None or order.trigger is None:
        return "a stop rests at the exchange"
    part = "" if covers(position) else f" for {plain(order.remaining)} of them"
    return f"the stop at {plain(order.trigger)} rests at the exchange{part}"


def _answers(position: Position) -> list[str]:
    resolve = f"surefoot resolve {position.position_id}"
    found: list[str] = []
    for answer in offered(position):
        match answer:
            case Answer.FILLED:
                found += [f"{resolve} --filled QUANTITY@PRICE", f"{resolve} --filled 0"]
            case Answer.ADOPT | Answer.FLAT | Answer.IGNORE:
                found.append(f"{resolve} --{answer}")
            case _:
                assert_never(answer)
    return found


def _way_out(position: Position) -> list[str]:
    wish = position.exit_wish
    insists = wish is not None and wish.persistent
    open_ = position.quantity and not insists and position.state.value in {"OPENING", "OPEN"}
    proven = position.set_back_at is None
    return [f"surefoot close {position.bot}"] if open_ and proven else []


# Who was not told --------------------------------------------------------------------------------


def _untold(destination: str, parked: Sequence[Aside], now: datetime) -> ReviewFinding | None:
    """Say what somebody was not told; a day later it is history, and the outbox still has it."""
    fresh = [each for each in parked if now - each.at < UNTOLD_FOR]
    if not fresh:
        return None
    newest = fresh[-1]
    return ReviewFinding(
        id=f"not-told/{destination}",
        account=None,
        bot=None,
        position=None,
        kind="not-told",
        since=fresh[0].at,
        believed=f"{destination} is told what happens",
        true=f"it refused {counted(len(fresh), 'message')} for good: {newest.why}",
        meaning=f"Nobody read there: {newest.text}",
        actions=["surefoot notify --test"],
    )


# What is stuck -----------------------------------------------------------------------------------


def _stuck(stuck: Stuck, standing: Standing, position: Position | None) -> ReviewFinding:
    risk = "" if position is None else _risk(position, watched=standing.health.watched)
    return ReviewFinding(
        id=stuck.id,
        account=standing.account,
        bot=stuck.bot,
        position=stuck.position_id,
        kind=stuck.kind.value,
        since=stuck.since,
        believed=stuck.believed,
        true=stuck.true,
        meaning=f"{_consequence(stuck.kind)} {risk}".strip(),
        actions=_stuck_actions(stuck, position),
    )


def _consequence(kind: StuckKind) -> str:  # noqa: C901, PLR0911, PLR0912 (one table)
    match kind:
        case StuckKind.ORDER_IN_DOUBT:
            return "It may have filled, or not: what is held is not certain."
        case StuckKind.FILLS_UNCOUNTED:
            return "More filled than its trades show: what is held is not certain."
        case StuckKind.CANCEL_UNFINISHED:
            return "An order that nobody wants is live, and may still fill."
        case StuckKind.EXIT_STUCK:
            return "Somebody wanted out, and it is still held: the price may run away."
        case StuckKind.STOP_MISSING:
            return "Not all that is held has a stop at the exchange, though one is wanted."
        case StuckKind.READ_UNPROVEN:
            return "What was bought or sold on this symbol is not known for certain."
        case StuckKind.PRICE_STALE:
            return "No price arrives: levels that are watched here are not honoured."
        case StuckKind.COINS_BOUND:
            return "No stop or exit sells what they lock: cancel those orders at the exchange."
        case StuckKind.HOLDING_UNWEIGHED:
            return "Coins came or went, and nobody could say whose: a sale by hand is not seen."
        case _:
            assert_never(kind)


def _stuck_actions(stuck: Stuck, position: Position | None) -> list[str]:
    recover = [] if stuck.bot is None else [f"surefoot recover {stuck.bot}"]
    if stuck.kind is StuckKind.HOLDING_UNWEIGHED:
        return [] if stuck.bot is None else [f"surefoot pause {stuck.bot}"]
    if position is None:
        return recover
    match stuck.kind:
        case StuckKind.ORDER_IN_DOUBT | StuckKind.FILLS_UNCOUNTED:
            return [*_answers(position), *recover]
        case StuckKind.STOP_MISSING | StuckKind.PRICE_STALE:
            return [*_way_out(position), *recover]
        case (
            StuckKind.CANCEL_UNFINISHED
            | StuckKind.COINS_BOUND
            | StuckKind.EXIT_STUCK
            | StuckKind.READ_UNPROVEN
        ):
            return recover
        case _:
            assert_never(stuck.kind)
