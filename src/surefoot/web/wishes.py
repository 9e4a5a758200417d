"""Commands: an operator's wish goes into the journal's inbox, once, and its verdict comes back.

The idempotency key is the command's identity: the same key again posts nothing and says what
became of the first. What moves money, or changes what is believed, must be confirmed by typing
the name of what it is about.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from surefoot.journal.browse import Browser
from surefoot.journal.clock import Clock
from surefoot.journal.errors import InboxFull, InboxHeld
from surefoot.journal.port import Command
from surefoot.web import answers
from surefoot.web.guard import Pass, Refused
from surefoot.web.keys import Scope
from surefoot.web.routes import Shown, Stand, Ticking, Written, answering

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


class Arguments(BaseModel):
    """What a `resolve` says is true."""

    model_config = ConfigDict(extra="forbid")

    how: Literal["adopt", "flat", "filled", "ignore"] | None = None
    quantity: str | None = Field(default=None, pattern=r"^\d{1,20}(\.\d{1,18})?$")
    price: str | None = Field(default=None, pattern=r"^\d{1,20}(\.\d{1,18})?$")
    order: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    reason: str | None = Field(default=None, max_length=200)


class Wish(BaseModel):
    """An operator's wish; `confirm` repeats the target where money moves."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"kind": "pause", "target": "dip-btc"},
                {"kind": "stop-all", "target": "all"},
                {"kind": "close", "target": "dip-btc", "confirm": "dip-btc"},
            ]
        },
    )

    kind: Literal[
        "pause", "resume", "recover", "stop-all", "resume-all", "close", "resolve", "lift"
    ]
    target: str = Field(pattern=r"^[A-Za-z0-9._-]{1,80}$")
    arguments: Arguments = Field(default_factory=Arguments)
    confirm: str | None = Field(default=None, max_length=80)


@router.post("/commands", responses=answering(answers.CommandAnswer))
async def post(board: Stand, clock: Ticking, shown: Shown, wish: Wish, key: Key) -> Response:
    """Post a command, and say what became of it: posted, done or refused, and why."""
    _permit(wish, shown)
    now, journal = clock.now(), board.journal
    before = await journal.command(f"web-{key}")
    command = Command(
        command_id=f"web-{key}",
        kind=wish.kind,
        target=await _aim(journal, wish, before),
        actor=f"dashboard ({shown.scope})",
        posted_at=now,
        expires_at=now + VALID_FOR,
        arguments=wish.arguments.model_dump(exclude_none=True),
    )
    if before is not None and _content(before) != _content(command):
        raise Refused(409, "this idempotency key was used for another command")
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
    if needed is Scope.ADMIN and wish.confirm != wish.target:
        raise Refused(422, f"this moves money: confirm it by repeating {wish.target}")


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
