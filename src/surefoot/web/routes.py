"""The API: questions to the journal, and commands into its inbox.

Every answer is a type of `answers`, written by msgspec; the schema of each is in the OpenAPI
document. Nothing here reaches the engine or an exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from inspect import cleandoc
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from typing_extensions import override

from surefoot.core.account_records import Record, kind_of
from surefoot.core.records import FillBooked
from surefoot.core.values import BotName, PositionId
from surefoot.journal.browse import Filter
from surefoot.journal.clock import Clock
from surefoot.journal.port import Entry
from surefoot.journal.status import BotStatus, StatusDocument, position_status
from surefoot.web import answers
from surefoot.web.board import Board
from surefoot.web.guard import Pass, Refused

PAGE_MAX: Final = 200
# What an address adds to its description that needs no token.
OPEN: Final[dict[str, Any]] = {"security": []}
# Of one position's records no more are told at once: the newest.
LIFE_MAX: Final = 2_000

router = APIRouter(prefix="/api/v1")


class Written(Response):
    """An answer as msgspec writes it."""

    media_type: str | None = "application/json"

    @override
    def render(self, content: Any) -> bytes:
        """Write the answer."""
        return msgspec.json.encode(content)


# What an address may say instead of an answer, by its code: what it means, and how it may read.
Refusals: TypeAlias = Mapping[int, tuple[str, tuple[str, ...]]]
REFUSALS: Final[Refusals] = {
    400: ("The body cannot be read.", ("There was an error parsing the body",)),
    401: ("A token is needed.", ("a token is needed; `surefoot token` prints it",)),
    403: (
        "The token is not for this, or the request comes from another page.",
        ("close needs a token for admin; this one is for operate",),
    ),
    404: ("There is no such thing.", ("there is no bot dip-bct",)),
    411: ("The body has no length.", ("say how long the body is",)),
    413: ("The body is too large.", ("a body has at most 16384 bytes",)),
    421: ("The host name is not ours.", ("this server does not answer to that host name",)),
    422: (
        "The request is not written as its schema says.",
        ("limit: Input should be less than or equal to 200",),
    ),
    429: ("Too many wrong tokens were tried.", ("too many wrong tokens; wait a while",)),
    503: ("The journal cannot be read now.", ("the journal has not been read yet",)),
}


def answering(kind: Any, more: Refusals = MappingProxyType({})) -> dict[int | str, Any]:
    """Describe an answer for the OpenAPI document, and what may come instead of it."""
    answer = {200: {"description": cleandoc(kind.__doc__), "content": _content(kind.__name__)}}
    return answer | refusing(more)


def refusing(more: Refusals = MappingProxyType({})) -> dict[int | str, Any]:
    """Describe what may come instead of an answer; `more` is what this address says of its own."""
    return {
        code: {"description": why, "content": _content("Problem", *sentences)}
        for code, (why, sentences) in sorted({**REFUSALS, **more}.items())
    }


def _content(name: str, *errors: str) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    if errors:
        content["examples"] = {text: {"value": {"error": text}} for text in errors}
    return {"application/json": content}


def board_of(request: Request) -> Board:
    """Return how everything stands."""
    return request.app.state.board  # type: ignore[no-any-return]


def shown_by(request: Request) -> Pass:
    """Return what the request has shown; the guard lets none through without."""
    return request.scope["state"]["shown"]  # type: ignore[no-any-return]


def clock_of(request: Request) -> Clock:
    """Return the clock."""
    return request.app.state.clock  # type: ignore[no-any-return]


Ticking = Annotated[Clock, Depends(clock_of)]
Stand = Annotated[Board, Depends(board_of)]
Shown = Annotated[Pass, Depends(shown_by)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="The most rows of a page.")]
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,80}$")]
Symbol = Annotated[str, Path(pattern=r"^[^\s]{1,60}$")]


def _dated(value: object) -> object:
    """Refuse a bare number, which would be taken for seconds since 1970."""
    if isinstance(value, str) and "-" not in value[1:]:
        raise ValueError("expected a time such as 2026-01-31T12:00:00Z")
    return value


Time = Annotated[datetime, BeforeValidator(_dated)]


class RecordQuery(BaseModel):
    """Which records are wanted."""

    model_config = ConfigDict(extra="forbid")

    bot: str | None = Field(default=None, max_length=40, description="Of this bot.")
    position: str | None = Field(default=None, max_length=80, description="Of this position.")
    kind: str | None = Field(default=None, max_length=40, description="Such as `fill-booked`.")
    since: Time | None = Field(default=None, description="Written at this time or later.")
    until: Time | None = Field(default=None, description="Written before this time.")
    text: str | None = Field(default=None, max_length=200, description="Holding this text.")
    cursor: int | None = Field(default=None, ge=1, le=2**62, description="A page's `next`.")
    limit: int = Field(default=50, ge=1, le=PAGE_MAX, description="The most rows of a page.")

    def wanted(self) -> Filter:
        """Return the filter."""
        return Filter(
            bot=None if self.bot is None else BotName(self.bot),
            position=None if self.position is None else PositionId(self.position),
            kind=self.kind,
            since=_aware(self.since),
            until=_aware(self.until),
            text=self.text,
        )


def _aware(at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise Refused(422, "a time needs its zone, such as 2026-01-31T12:00:00Z")
    return at


@router.get("/status", responses=answering(StatusDocument))
async def status(board: Stand) -> Response:
    """Return how everything stands: the document of `surefoot status --json`."""
    return Written(board.status)


@router.get("/bots", responses=answering(answers.BotList))
async def bots(board: Stand) -> Response:
    """Return every bot with its current position."""
    return Written(answers.BotList(bots=board.status.bots))


@router.get("/bots/{bot}", responses=answering(BotStatus))
async def one_bot(board: Stand, bot: Name) -> Response:
    """Return one bot with its current position."""
    for each in board.status.bots:
        if each.bot == bot:
            return Written(each)
    raise Refused(404, f"there is no bot {bot}")


@router.get("/positions", responses=answering(answers.PositionPage))
async def positions(
    board: Stand,
    bot: Annotated[str | None, Query(max_length=40)] = None,
    state: Literal["open", "closed", "all"] = "all",
    cursor: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,40}-\d{1,15}$")] = None,
    limit: Limit = 50,
) -> Response:
    """Return positions by bot, each bot's newest first."""
    rows = await board.journal.position_rows(
        bot=None if bot is None else BotName(bot),
        held=None if state == "all" else state == "open",
        after=None if cursor is None else PositionId(cursor),
        limit=limit,
    )
    following = rows[-1].position_id if len(rows) == limit else None
    return Written(answers.PositionPage(positions=list(rows), next=following))


@router.get("/positions/{position}", responses=answering(answers.PositionAnswer))
async def one_position(board: Stand, position: Name) -> Response:
    """Return one position: its orders, its fills, and its life in sentences."""
    found = await board.journal.position(position)
    if found is None:
        raise Refused(404, f"there is no position {position}")
    mark = (await board.journal.marks()).get((found.account, found.symbol))
    orders = await board.journal.orders_of([found.position_id], newest=LIFE_MAX)
    wanted = Filter(position=found.position_id)
    life = await board.journal.page(wanted, before=None, limit=LIFE_MAX)
    wanted = msgspec.structs.replace(wanted, kind="fill-booked")
    booked = await board.journal.page(wanted, before=None, limit=LIFE_MAX)
    return Written(
        answers.PositionAnswer(
            bot=found.bot, account=found.account, symbol=found.symbol,
            opened_at=found.opened_at, closed_at=found.closed_at,
            position=position_status(found, orders.get(found.position_id, ()), mark),
            fills=_fills(reversed(booked.entries)),
            life=[answers.record_answer(entry) for entry in reversed(life.entries)],
            records_not_shown=max(0, found.version - len(life.entries)),
        )
    )  # fmt: skip


@router.get("/orders", responses=answering(answers.OrderPage))
async def orders(
    board: Stand,
    position: Annotated[str | None, Query(max_length=80)] = None,
    state: Literal["live", "finished", "all"] = "all",
    cursor: Annotated[str | None, Query(max_length=80)] = None,
    limit: Limit = 50,
) -> Response:
    """Return orders in the order of their ids."""
    rows = await board.journal.order_rows(
        position=None if position is None else PositionId(position),
        live=None if state == "all" else state == "live",
        after=cursor,
        limit=limit,
    )
    following = rows[-1].client_order_id if len(rows) == limit else None
    return Written(answers.OrderPage(orders=list(rows), next=following))


@router.get("/fills", responses=answering(answers.FillPage))
async def fills(board: Stand, query: Annotated[RecordQuery, Query()]) -> Response:
    """Return booked fills, newest first."""
    wanted = msgspec.structs.replace(query.wanted(), kind="fill-booked")
    page = await board.journal.page(wanted, before=query.cursor, limit=query.limit)
    return Written(answers.FillPage(fills=_fills(page.entries), next=page.before))


def _fills(entries: Iterable[Entry]) -> list[answers.FillAnswer]:
    booked = [(each, each.record) for each in entries if isinstance(each.record, FillBooked)]
    return [answers.fill_answer(entry, record) for entry, record in booked]


@router.get("/recoveries", responses=answering(answers.RecordPage))
async def recoveries(board: Stand, query: Annotated[RecordQuery, Query()]) -> Response:
    """Return the reports of recoveries, newest first."""
    return await _records(board, query, kind="recovery-finished")


@router.get("/records", responses=answering(answers.RecordPage))
async def records(board: Stand, query: Annotated[RecordQuery, Query()]) -> Response:
    """Return what was written down, newest first."""
    return await _records(board, query)


@router.get("/kinds", responses=answering(answers.KindList))
async def kinds() -> Response:
    """Return the kinds of records that there are."""
    return Written(answers.KindList(kinds=sorted(map(kind_of, get_args(Record)))))


@router.get("/records/{sequence}", responses=answering(answers.RecordAnswer))
async def one_record(board: Stand, sequence: Annotated[int, Path(ge=1, le=2**62)]) -> Response:
    """Return one record."""
    entries = await board.journal.entries(after=sequence - 1, limit=1)
    if not entries or entries[0].sequence != sequence:
        raise Refused(404, f"there is no record {sequence}")
    return Written(answers.record_answer(entries[0]))


async def _records(board: Board, query: RecordQuery, kind: str | None = None) -> Response:
    wanted = query.wanted()
    if kind is not None:
        wanted = msgspec.structs.replace(wanted, kind=kind)
    page = await board.journal.page(wanted, before=query.cursor, limit=query.limit)
    found = [answers.record_answer(entry) for entry in page.entries]
    return Written(answers.RecordPage(records=found, next=page.before))


@router.get("/profit", responses=answering(answers.ProfitAnswer))
async def profit(
    board: Stand,
    bot: Annotated[str | None, Query(max_length=40)] = None,
    account: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return what closed positions brought, by bot, account and day."""
    found = [
        row
        for row in board.profit.rows()
        if bot in {None, row.bot} and account in {None, row.account}
    ]
    return Written(answers.ProfitAnswer(rows=found, upto=board.profit.upto))


@router.get("/candles/{symbol:path}", responses=answering(answers.CandleList))
async def candles(
    board: Stand, symbol: Symbol, seconds: Literal["1", "5", "60", "900"] = "5"
) -> Response:
    """Return prices that the server noted, as candles."""
    span = int(seconds)
    found = board.candles.of(symbol, span)
    return Written(answers.CandleList(symbol=symbol, seconds=span, candles=found))


@router.get("/settings", responses=answering(answers.SettingsAnswer))
async def settings(request: Request) -> Response:
    """Return what runs, for reading only, and how this machine is; keys are named, never shown."""
    return Written(request.app.state.settings())
