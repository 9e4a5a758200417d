"""Three addresses for machines: is the process there, may it be relied on, and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from surefoot.web.board import Board
from surefoot.web.live import Readers
from surefoot.web.routes import OPEN, Stand, Ticking, Written, refusing

# A price older than this is no market to rely on.
FRESH_S: Final = 60.0
# A server notes every few seconds that its loop turns; one that is silent for so long hangs.
TURNS: Final = timedelta(seconds=30)

router = APIRouter()


@router.get(
    "/healthz",
    responses={200: {"description": "This process answers."}},
    openapi_extra=OPEN,
)
async def healthz() -> Response:
    """Tell that this process answers."""
    return Written({"ok": True})


@router.get(
    "/readyz",
    responses={
        200: {"description": "The engine is alive and recovered, and its prices are fresh."},
        503: {"description": "One of these does not hold."},
    },
    openapi_extra=OPEN,
)
async def readyz(board: Stand, clock: Ticking) -> Response:
    """Tell whether the engine is alive and recovered, and its prices are fresh."""
    document = None if board.problem is not None else board.figures.document
    turns = board.turned_at is not None and clock.now() - board.turned_at < TURNS
    health = [] if document is None else document.health
    ages = [age for each in health for age in each.price_ages.values()]
    answer = {
        "journal": document is not None,
        "engine": document is not None and document.server is not None and turns,
        "recovered": bool(health) and all(each.watched for each in health),
        "market": all(age is not None and age < FRESH_S for age in ages),
    }
    ready = all(answer.values())
    response = Written({"ready": ready, **answer})
    response.status_code = 200 if ready else 503
    return response


@router.get("/metrics", response_class=PlainTextResponse, responses=refusing())
async def metrics(request: Request) -> Response:
    """Return figures in Prometheus' text format."""
    state = request.app.state
    registry = CollectorRegistry()
    registry.register(Figures(state.board, state.readers, state.clock.now().timestamp()))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")


class Figures(Collector):
    """What the board shows, as metrics."""

    def __init__(self, board: Board, readers: Readers, now: float) -> None:
        self._board = board
        self._readers = readers
        self._now = now

    @override
    def collect(self) -> Iterable[Metric]:
        """Yield every metric once."""
        board, document = self._board, self._board.figures.document
        yield _gauge(
            "surefoot_journal_readable", "1 if the journal can be read.", board.problem is None
        )
        yield _gauge("surefoot_live_readers", "Pages that follow.", self._readers.count)
        dropped = CounterMetricFamily(
            "surefoot_live_readers_dropped", "Pages that were too slow and let go."
        )
        dropped.add_metric([], self._readers.dropped)
        yield dropped
        if document is None:
            return
        yield _gauge(
            "surefoot_engine_up",
            "1 while a server runs on the journal.",
            document.server is not None,
        )
        written = CounterMetricFamily("surefoot_journal_records", "Records ever written.")
        written.add_metric([], document.journal.records)
        yield written
        yield _counted(
            "surefoot_bots", "Bots by status.", "status", (bot.status for bot in document.bots)
        )
        yield _counted(
            "surefoot_positions", "Current positions by state.", "state",
            (bot.position.state for bot in document.bots if bot.position is not None),
        )  # fmt: skip
        states = GaugeMetricFamily(
            "surefoot_account_watched", "1 if levels that are kept here are honoured.",
            labels=["account", "environment", "state"],
        )  # fmt: skip
        for each in document.health:
            states.add_metric([each.account, each.environment, each.state], float(each.watched))
        yield states
        yield _gauge(
            "surefoot_review_findings", "Findings that want somebody.", len(document.review)
        )
        frozen = sum(1 for bot in document.bots if bot.position and bot.position.frozen)
        yield _gauge("surefoot_positions_frozen", "Positions that want an operator.", frozen)
        yield from self._recovery()
        ages = GaugeMetricFamily(
            "surefoot_price_age_seconds", "Age of the last price.", labels=["account", "symbol"]
        )
        for (account, symbol), mark in board.figures.marks.items():
            ages.add_metric([account, symbol], max(0.0, self._now - mark.at.timestamp()))
        yield ages

    def _recovery(self) -> Iterable[Metric]:
        recovery = (
            None if self._board.figures.document is None else self._board.figures.document.recovery
        )
        if recovery is None:
            return
        yield _gauge(
            "surefoot_last_recovery_timestamp_seconds",
            "When recovery last reported.",
            recovery.at.timestamp(),
        )
        yield _gauge(
            "surefoot_last_recovery_duration_seconds", "How long it took.", recovery.seconds
        )
        yield _gauge(
            "surefoot_last_recovery_failed", "1 if it failed.", recovery.outcome == "failed"
        )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _counted(name: str, text: str, label: str, values: Iterable[str]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(name, text, labels=[label])
    for value, count in Counter(values).items():
        found.add_metric([value], count)
    return found
