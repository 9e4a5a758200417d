"""What a user writes to the Telegram bot: each command done once, or said to be void.

    fetch → command into the inbox, under a name of the update's own → answer → next offset

Telegram repeats what it was not told is dealt with. A command that comes twice has the same name,
so it is done once; and it is void a minute after it was sent, for the journal as well as here, so
that an outage never turns yesterday's wish into today's order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from surefoot.core.errors import InvalidValue
from surefoot.core.position import Position
from surefoot.core.values import BotName, counted, plain
from surefoot.crashpoint import crashpoint
from surefoot.journal.browse import Browser
from surefoot.journal.clock import Clock
from surefoot.journal.commands import EVERYBODY
from surefoot.journal.errors import JournalError
from surefoot.journal.port import Command
from surefoot.journal.sentences import sentence
from surefoot.journal.status import StatusDocument, read_status
from surefoot.notify import answers
from surefoot.notify.back_off import BackOff
from surefoot.notify.courier import Log
from surefoot.notify.digest import short, text_chunks
from surefoot.notify.errors import NotDelivered, Parked
from surefoot.notify.telegram import TEXT_MAX, Wire

# Markets have moved on by then.
VALID_FOR: Final = timedelta(seconds=60)
_WAIT_S: Final = 8.0
_STEP_S: Final = 0.2
_LOG_LINES: Final = 15
# Records that are looked through for results in one reading.
STRETCH: Final = 20_000
# Telegram lets a button carry so many bytes.
_BUTTON_MAX: Final = 64

_VIEWS: Final[Mapping[str, Callable[[StatusDocument], str]]] = {
    "start": answers.status,
    "status": answers.status,
    "bots": answers.bots,
    "positions": answers.positions,
    "balance": answers.balance,
    "recovery": answers.recovery,
    "review": answers.review,
}
# What comes of a wish that is asked back.
_MEANS: Final = {
    "close": "It is sold at the market, now.",
    "adopt": "What the journal says is right: it is managed on.",
    "flat": "Nothing of it is held or live any more: it is written off.",
    "ignore": "The freeze is lifted, nothing else changes.",
    "filled": "Its unfinished order has filled so much, and no more.",
}
HELP: Final = """\
/status  is all well?
/bots  what each bot does
/positions  what is held, and what guards it
/balance  what it is worth
/profit [DAYS]  closed positions
/recovery  what the last recovery found
/review  what needs you
/log [BOT]  the newest records
/stop_all  no entries anywhere, stops stay
/resume_all  undo that (asks first)
/pause BOT  no new entries
/resume BOT  entries again
/close BOT  sell what it holds (asks first)
/resolve POSITION adopt|flat|ignore  (asks first)
/resolve POSITION filled QUANTITY@PRICE  (asks first)"""


class Asked(Struct, frozen=True, kw_only=True):
    """What one update says: who wrote what, when; a button's `text` is what it stands for.

    `name` is the same whenever Telegram repeats it, and for a button however often it is pressed.
    """

    name: str
    user: int
    text: str
    at: datetime
    button: str | None = None


class Wish(Struct, frozen=True, kw_only=True):
    """What somebody wants done; what moves money is not done at once, but asked back."""

    kind: str
    target: str
    arguments: dict[str, str] = {}
    at_once: bool = False


class Conversation:
    """Reads updates and answers them, for ever."""

    def __init__(
        self, wire: Wire, allow: Sequence[int], *, reader: Browser, clock: Clock, log: Log
    ) -> None:
        self._wire = wire
        self._allow = frozenset(allow)
        self._reader = reader
        self._clock = clock
        self._log = log
        self._after: int | None = None
        self._back_off = BackOff(clock)
        self._strangers: set[int] = set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await self.step()
            except NotDelivered as error:
                if self._back_off.fails():
                    self._log.warning("telegram is not heard", why=str(error))
                await self._back_off.wait(error)
            else:
                self._back_off.succeeds()

    async def step(self) -> None:
        """Deal with the updates that wait; the last one dealt with is not asked for again.

        Raises:
            NotDelivered: Telegram cannot be asked now.
        """
        for update in await self._wire.updates(self._after):
            asked = _asked(update)
            if asked is not None:
                await self._deal_with(asked)
            self._after = update.update_id

    async def _deal_with(self, asked: Asked) -> None:
        if asked.user not in self._allow:
            self._ignore(asked.user)
            return
        text, buttons = await self._answer(asked)
        try:
            if asked.button is not None:
                await self._wire.heed(asked.button)
            for chunk in text_chunks(text, limit=TEXT_MAX):
                await self._wire.say(asked.user, chunk, buttons)
            crashpoint("telegram.after-answer")
        except Parked as error:
            self._log.warning("answer refused for good", user=asked.user, why=str(error))

    def _ignore(self, user: int) -> None:
        if user not in self._strangers and len(self._strangers) < 1000:  # noqa: PLR2004 (a bound)
            self._strangers.add(user)
            self._log.warning("telegram user ignored", user=user, why="not in [telegram] allow")

    async def _answer(self, asked: Asked) -> tuple[str, Sequence[tuple[str, str]]]:
        word, *rest = asked.text.split()
        command = word.lstrip("/").partition("@")[0].lower().replace("_", "-")
        try:
            wish = _wish(command, rest)
            if wish is None:
                return await self._read(command, rest), ()
            if wish.at_once or asked.button is not None:
                return await self._order(asked, wish), ()
            return await self._ask_back(wish)
        except InvalidValue as error:
            return f"Refused: {error}", ()
        except JournalError as error:
            return f"The journal cannot be read now: {error}", ()

    async def _read(self, command: str, rest: Sequence[str]) -> str:
        if command == "log":
            return await self._newest(rest)
        if command == "profit":
            return await self._profit(rest)
        view = _VIEWS.get(command)
        if view is None:
            return HELP
        return view(await read_status(self._reader, now=self._clock.now()))

    async def _newest(self, rest: Sequence[str]) -> str:
        bot = BotName(rest[0]) if rest else None
        entries = await self._reader.newest(_LOG_LINES, bot=bot)
        lines = [f"{each.at:%H:%M:%S} {short(sentence(each.record))}" for each in entries]
        return "\n".join(lines) or "There is nothing."

    async def _profit(self, rest: Sequence[str]) -> str:
        days = int(rest[0]) if rest and rest[0].isascii() and rest[0].isdigit() else None
        since = None if days is None else self._clock.now() - timedelta(days=min(days, 36_500))
        span = "all" if days is None else f"last {counted(days, 'day')}"
        return answers.profit(await self._results(since), span)

    async def _results(self, since: datetime | None) -> dict[str, tuple[int, Decimal]]:
        """Add up what closed positions brought, in short reads: others are told meanwhile."""
        sums: dict[str, tuple[int, Decimal]] = {}
        records = await self._reader.records()
        for after in range(0, records, STRETCH):
            upto = min(records, after + STRETCH)
            for each in await self._reader.outcomes(after=after, upto=upto):
                if since is None or each.at >= since:
                    trades, total = sums.get(each.bot, (0, Decimal(0)))
                    sums[each.bot] = trades + 1, total + each.realized_pnl
            await self._clock.sleep(0)
        return sums

    async def _ask_back(self, wish: Wish) -> tuple[str, Sequence[tuple[str, str]]]:
        """Ask first; the button says it again, and is good for a minute.

        It closes what was shown, and not what a bot may have bought in that minute.
        """
        position = await self._reader.position(wish.target)
        if position is None and wish.target != EVERYBODY:
            return f"{wish.target} is no position, and no bot that has one: /positions", ()
        if wish.kind == "close" and position is not None:
            wish = replace(wish, target=position.position_id)
        target = [] if wish.target == EVERYBODY else [wish.target]
        words = " ".join([wish.kind, *target, *_words(wish.arguments)])
        if len(words.encode()) > _BUTTON_MAX:
            return f"That is too long for a button. On the server: surefoot {words}", ()
        return (
            f"{words}?\n{_stake(wish, position)}\nThe button is good for a minute.",
            [(f"Yes, {words}", words)],
        )

    async def _order(self, asked: Asked, wish: Wish) -> str:
        """Post a command under the update's name, and say what became of it."""
        known = await self._taken(asked.name)
        if known is not None:
            return _verdict(known)
        late = self._clock.now() - asked.at
        if late > VALID_FOR:
            return (
                f"Void: this was sent at {asked.at:%H:%M:%S} UTC, more than a minute ago. "
                f"Nothing was done; send it again if you still want it."
            )
        command = Command(
            command_id=asked.name,
            kind=wish.kind,
            target=wish.target,
            actor=f"telegram:{asked.user}",
            posted_at=asked.at,
            expires_at=asked.at + VALID_FOR,
            arguments=wish.arguments,
        )
        crashpoint("telegram.before-command")
        await self._reader.post(command)
        crashpoint("telegram.after-command")
        if self._reader.holder() is None:
            return "Stored, but the server is down: it is done only if one starts within a minute."
        until = self._clock.monotonic() + _WAIT_S
        while self._clock.monotonic() < until:
            taken = await self._taken(asked.name)
            if taken is not None and taken.status != "posted":
                return _verdict(taken)
            await self._clock.sleep(_STEP_S)
        return "Stored; the server has not done it yet. /log will say when."

    async def _taken(self, name: str) -> Command | None:
        return await self._reader.command(name)


def _asked(update: Any) -> Asked | None:
    """Read an update; None if it is not for us: no text, or not from a private chat."""
    pressed = update.callback_query
    message = update.message if pressed is None else pressed.message
    if message is None or message.chat is None or message.chat.type != "private":
        return None
    user = message.from_user if pressed is None else pressed.from_user
    text = message.text if pressed is None else pressed.data
    if user is None or not (text or "").strip():
        return None
    # A button that was pressed twice is one command; a text that comes twice is one update.
    number = f"{update.update_id}" if pressed is None else f"button-{message.message_id}"
    # A message that is too old for Telegram to show has no time: it is as old as can be.
    at = message.date or datetime(1970, 1, 1, tzinfo=UTC)
    return Asked(
        name=f"telegram-{user.id}-{number}-{at:%Y%m%dT%H%M%S}",
        user=user.id,
        text=text.strip(),
        at=at,
        button=None if pressed is None else pressed.id,
    )


def _wish(command: str, rest: Sequence[str]) -> Wish | None:
    """Understand a command that writes; None if it is none, or not whole."""
    match command, rest:
        case (("pause" | "resume"), [target]):
            return Wish(kind=command, target=target, at_once=True)
        case "stop-all", []:
            return Wish(kind=command, target=EVERYBODY, at_once=True)
        case "resume-all", ([] | ["all"]):
            return Wish(kind=command, target=EVERYBODY)
        case "close", [target]:
            return Wish(kind=command, target=target)
        case "resolve", [target, ("adopt" | "flat" | "ignore") as how]:
            return Wish(kind=command, target=target, arguments={"how": how})
        case "resolve", [target, "filled", amount]:
            quantity, _, price = amount.partition("@")
            said = {"how": "filled", "quantity": quantity, "price": price or "0"}
            return Wish(kind=command, target=target, arguments=said)
        case _:
            return None


def _stake(wish: Wish, position: Position | None) -> str:
    if position is None:
        return "Every bot that /stop_all paused may enter again."
    held = f"{plain(position.quantity)} {position.base}"
    means = _MEANS[wish.arguments.get("how", wish.kind)]
    return f"{position.position_id} is {position.state} and holds {held}. {means}"


def _words(arguments: dict[str, str]) -> list[str]:
    match arguments.get("how"):
        case None:
            return []
        case "filled":
            return ["filled", f"{arguments['quantity']}@{arguments['price']}"]
        case how:
            return [how]


def _verdict(command: Command) -> str:
    match command.status:
        case "done":
            return f"{'Begun' if command.begins else 'Done'}: {command.result}."
        case "refused":
            return f"Refused: {command.result}"
        case _:
            return "The server has taken it and not finished it yet. /log will say when."
