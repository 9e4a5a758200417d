"""The application: routes behind the guard, errors as sentences, and the dashboard's files."""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import lru_cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

import surefoot
from surefoot.core.errors import InvalidValue
from surefoot.journal.clock import Clock
from surefoot.journal.errors import JournalError
from surefoot.journal.status import BotStatus, StatusDocument
from surefoot.web import answers, health, live, routes, sessions, wishes
from surefoot.web.answers import Problem, SettingsAnswer
from surefoot.web.board import Board, Unreadable
from surefoot.web.guard import COOKIE, PROOF_HEADER, Guard, Refused
from surefoot.web.keys import Keys, TokenUnusable
from surefoot.web.live import Readers
from surefoot.web.routes import Written
from surefoot.web.throttle import Throttle

SHAPES: Final = (
    StatusDocument, BotStatus, answers.BotList, answers.RecordAnswer, answers.RecordPage,
    answers.KindList, answers.PositionPage,
    answers.PositionAnswer, answers.OrderPage, answers.FillPage,
    answers.ProfitAnswer, answers.CandleList, answers.CommandAnswer, answers.SessionAnswer,
    answers.SettingsAnswer, answers.Problem,
)  # fmt: skip
# How a caller shows who it is, by either of these.
PROOFS: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "As `surefoot token` prints it."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"A browser's; what changes something carries {PROOF_HEADER} as well.",
    },
}
# What the dashboard's build names by content may be kept for ever; its first page may not.
FOR_EVER: Final = "public, max-age=31536000, immutable"


def application(
    *,
    board: Board,
    keys: Keys,
    names: Collection[str],
    settings: Callable[[], SettingsAnswer],
    clock: Clock,
) -> ASGIApp:
    """Put the application together; what is returned stands behind its guard."""
    app = FastAPI(
        title="Surefoot",
        version=surefoot.__version__,
        description="Reads the journal, and posts operators' commands into its inbox.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    for room in (sessions, routes, wishes, live, health):
        app.include_router(room.router)
    app.add_api_route("/{path:path}", dashboard, include_in_schema=False)
    _answer_errors(app)
    guard = Guard(app, keys=keys, names=names, throttle=Throttle(), clock=clock)
    app.state.board, app.state.keys, app.state.guard = board, keys, guard
    app.state.settings, app.state.clock, app.state.readers = settings, clock, Readers()
    described = app.openapi()
    described["components"]["schemas"] |= shapes()
    described["components"]["securitySchemes"] = PROOFS
    described["security"] = [{name: []} for name in PROOFS]
    return guard


def shapes() -> dict[str, Any]:
    """Return the schemas of all answers by the names of their types, each with an example."""
    _, found = msgspec.json.schema_components(SHAPES, ref_template="#/components/schemas/{name}")
    for name, example in examples().items():
        found[name]["examples"] = [example]
    return found


def examples() -> dict[str, Any]:
    """Return an answer of each type, as a server gave it."""
    kept = files(surefoot) / "web" / "examples.json"
    found: dict[str, Any] = msgspec.json.decode(kept.read_bytes())
    return found


async def dashboard(request: Request, path: str) -> Response:
    """Return a file of the dashboard; any other path is a page of it."""
    if allowed := _methods(request):
        raise HTTPException(405, f"only {allowed} here")
    if path.startswith("api/"):
        raise Refused(404, "there is no such address")
    return built(path, zipped="gzip" in request.headers.get("accept-encoding", ""))


def _methods(request: Request) -> str:
    """Return how the API is asked at this address; nothing if it is none of its own."""
    known = request.app.openapi()["paths"].get(request.url.path, {})
    return ", ".join(method.upper() for method in known)


def built(path: str, *, zipped: bool = False) -> Response:
    """Return a file that the dashboard's build left here, or its first page."""
    root = (Path(str(files(surefoot))) / "web" / "ui").resolve()
    wanted = (root / path).resolve()
    if path and wanted.is_relative_to(root) and wanted.is_file():
        kept = FOR_EVER if path.startswith("assets/") else "no-cache"
        return _file(wanted, kept, zipped=zipped)
    if "." in path.rpartition("/")[2]:
        raise Refused(404, "there is no such file")
    if not (root / "index.html").is_file():
        raise Refused(404, "the dashboard is not built here; the API is: /api/v1/status")
    return _file(root / "index.html", "no-cache", zipped=zipped)


def _file(path: Path, kept: str, *, zipped: bool) -> Response:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {"cache-control": kept, "vary": "accept-encoding"}
    if not zipped or kind.startswith("image/png"):
        return Response(path.read_bytes(), media_type=kind, headers=headers)
    content = _zipped(path, path.stat().st_mtime_ns)
    return Response(content, media_type=kind, headers=headers | {"content-encoding": "gzip"})


@lru_cache(maxsize=32)
def _zipped(path: Path, changed: int) -> bytes:  # noqa: ARG001 (a file that changed is another)
    return gzip.compress(path.read_bytes(), mtime=0)


def _answer_errors(app: FastAPI) -> None:
    """Every error is one sentence; none repeats what was sent."""
    answered: dict[type[Exception], Callable[[Any], tuple[int, str]]] = {
        Refused: lambda error: (error.status, str(error)),
        Unreadable: lambda error: (503, str(error)),
        TokenUnusable: lambda error: (503, str(error)),
        InvalidValue: lambda error: (422, str(error)),
        JournalError: lambda error: (503, str(error)),
        HTTPException: lambda error: (error.status_code, str(error.detail)),
        RequestValidationError: lambda error: (422, _invalid(error)),
    }
    for kind, sentence in answered.items():
        app.add_exception_handler(kind, _answering(sentence))


def _answering(
    sentence: Callable[[Any], tuple[int, str]],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        status, why = sentence(error)
        response = Written(Problem(error=why), status_code=status)
        if isinstance(error, Refused) and error.wait_s is not None:
            response.headers["retry-after"] = str(int(error.wait_s) + 1)
        if isinstance(error, HTTPException):
            response.headers.update(error.headers or {})
            if status == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _methods(request)):
                # Of an address with several routes the framework names the first one's method.
                response.headers["allow"] = allowed
        return response

    return answer


def _invalid(error: RequestValidationError) -> str:
    found = [f"{'.'.join(map(str, each['loc'][1:]))}: {_expected(each)}" for each in error.errors()]
    return "; ".join(found[:5])


def _expected(error: Mapping[str, Any]) -> str:
    """Return what was expected; the words for an unknown kind would repeat it."""
    if error["type"] == "union_tag_invalid":
        return f"Input should be one of {error['ctx']['expected_tags']}"
    return str(error["msg"])
