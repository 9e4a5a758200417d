"""Commands: an operator's wish goes into the journal's inbox, once, and its verdict comes back.

The idempotency key is the command's identity: the same key again posts nothing and says what
became of the first. What moves money, or changes what is believed, must be confirmed by typing
the name of what it is about. A command that is none fits no shape (422); one that is plainly
refused by what stands here is not posted (404, 409); whatever is posted the server decides.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Request, Response

from surefoot.core.position import Position
from surefoot.core.resolving import misfit
from surefoot.journal.browse import Browser
from surefoot.journal.clock import Clock
from surefoot.journal.errors import InboxFull, InboxHeld
from surefoot.journal.port import Command
from surefoot.web import answers
from surefoot.web.board import Board
from surefoot.web.commands import Close, Lift, Pause, Resolve, Resume, ResumeAll, StopAll, Wish
from surefoot.web.guard import Pass, Refused
from surefoot.web.keys import Scope
from surefoot.web.routes import Refusals, Shown, Stand, Ticking, Written, answering

# A command that nobody has carried out by then is void: markets have moved on.
VALID_FOR: Final = timedelta(minutes=10)
# How long an answer waits for the verdict; after that it says "posted".
PATIENCE_S: Final = 3.0
_STEP_S: Final = 0.1

NEEDED: Final = {
    "pause": Scope.OPERATE,
    "resume": Scope.OPERATE,
    "recover": Scope.OPERATE,
    "stop-all": Scope.OPERATE,
    "resume-all": Scope.OPERATE,
    "close": Scope.ADMIN,
    "resolve": Scope.ADMIN,
    "lift": Scope.ADMIN,
}

router = APIRouter(prefix="/api/v1")

Key = Annotated[str, Header(alias="Idempotency-Key", pattern=r"^[A-Za-z0-9_-]{8,64}$")]


MISTYPED: Final = "this moves money: confirm it by repeating {}"
OTHER: Final = "this idempotency key was used for another command"
# Why a command that is one is not posted.
HINDRANCES: Final[Refusals] = {
    404: (
        "Nothing here is called so.",
        ("there is no bot or position dip-bct", "there is no account mian"),
    ),
    409: (
        "What stands here is against it.",
        (MISTYPED.format("dip-btc"), OTHER, "dip-btc-7 is not frozen: nothing is to resolve"),
    ),
}


@router.post("/commands", responses=answering(answers.CommandAnswer, HINDRANCES))
async def post(
    request: Request, board: Stand, clock: Ticking, shown: Shown, wish: Wish, key: Key
) -> Response:
    """Post a command, and say what became of it: posted, done or refused, and why."""
    _permit(wish, shown)
    now, journal = clock.now(), board.journal
    hindrance = await _hindrance(request, board, wish)
    # Read after what hinders: that may be what this command has done.
    before = await journal.command(f"web-{key}")
    command = Command(
        command_id=f"web-{key}",
        kind=wish.kind,
        target=await _aim(journal, wish, before),
        actor=f"dashboard ({shown.scope})",
        posted_at=now,
        expires_at=now + VALID_FOR,
        arguments=_arguments(wish),
    )
    if before is not None and _content(before) != _content(command):
        raise Refused(409, OTHER)
    if before is None and hindrance is not None:
        raise hindrance
    try:
        await journal.post(command)
    except (InboxHeld, InboxFull) as error:
        raise Refused(503, str(error)) from error
    serving = journal.holder() is not None
    settled = await _verdict(journal, command, clock) if serving else command
    return Written(answers.command_answer(settled, serving=serving))


@router.get("/commands/{command_id}", responses=answering(answers.CommandAnswer))
async def one(
    board: Stand, command_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,120}$")]
) -> Response:
    """Return what became of a command that the server has taken."""
    found = await board.journal.command(command_id)
    if found is None:
        raise Refused(404, f"the server has not taken a command {command_id}")
    serving = board.journal.holder() is not None
    return Written(answers.command_answer(found, serving=serving))


def _permit(wish: Wish, shown: Pass) -> None:
    needed = NEEDED[wish.kind]
    if not shown.scope.covers(needed):
        raise Refused(403, f"{wish.kind} needs a token for {needed}; this one is for {shown.scope}")
    if isinstance(wish, Close | Resolve | Lift) and wish.confirm != wish.target:
        raise Refused(409, MISTYPED.format(wish.target))


async def _hindrance(request: Request, board: Board, wish: Wish) -> Refused | None:
    """Return why a wish that is well written is not worth posting, as far as is known here."""
    if isinstance(wish, StopAll | ResumeAll):
        return None
    if isinstance(wish, Lift):
        accounts = {each.account for each in board.status.health}
        configured = {each.account for each in request.app.state.settings().accounts}
        known = wish.target in accounts | configured
        return None if known else Refused(404, f"there is no account {wish.target}")
    held = await board.journal.position(wish.target)
    if held is None and not await _is_bot(request, board, wish.target):
        return Refused(404, f"there is no bot or position {wish.target}")
    why = _misfit(held, wish) if isinstance(wish, Resolve) else None
    return None if why is None else Refused(409, why)


async def _is_bot(request: Request, board: Board, name: str) -> bool:
    """Tell whether a bot is known; one that is configured may not be in the journal yet."""
    if name in await board.journal.bot_names():
        return True
    return any(each.bot == name for each in request.app.state.settings().bots)


def _misfit(held: Position | None, wish: Resolve) -> str | None:
    """Return why an answer does not fit a position; of a bot the server finds which is meant."""
    named = getattr(wish.arguments, "order", None)
    if held is None or held.position_id != wish.target or named is not None:
        return None
    return misfit(held, wish.arguments.how)


def _arguments(wish: Wish) -> dict[str, str]:
    if not isinstance(wish, Pause | Resume | Resolve):
        return {}
    said: dict[str, str] = wish.arguments.model_dump(mode="json", exclude_none=True)
    return said


async def _aim(journal: Browser, wish: Wish, before: Command | None) -> str:
    """Return whom a wish is for.

    A close is meant for what is held when it is posted first: not for what is bought before it is
    carried out.
    """
    if wish.kind != "close":
        return wish.target
    held = await journal.position(wish.target if before is None else before.target)
    if held is None or wish.target not in {held.bot, held.position_id}:
        return wish.target
    return held.position_id


def _content(command: Command) -> tuple[str, str, dict[str, str]]:
    return command.kind, command.target, command.arguments


async def _verdict(journal: Browser, command: Command, clock: Clock) -> Command:
    """Wait a while for the server to have carried a command out."""
    until = clock.monotonic() + PATIENCE_S
    while clock.monotonic() < until:
        found = await journal.command(command.command_id)
        if found is not None and found.status != "posted":
            return found
        await clock.sleep(_STEP_S)
    return command
