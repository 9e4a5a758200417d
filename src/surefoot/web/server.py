"""The dashboard's server: one socket, one lease, and the journal followed until it is stopped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, Protocol

import uvicorn

from surefoot.core.errors import SurefootError
from surefoot.journal.browse import Browser
from surefoot.journal.clock import Clock
from surefoot.journal.tenancy import Tenancy
from surefoot.web.answers import SettingsAnswer
from surefoot.web.application import application
from surefoot.web.board import Board
from surefoot.web.keys import Keys
from surefoot.web.settings import WebSettings

CONNECTIONS_MAX: Final = 256
GOODBYE_S: Final = 2
_BACKLOG: Final = 128
_LIVE_MESSAGE_MAX: Final = 1_024


class NotServed(SurefootError):
    """The dashboard cannot listen; the message says why."""


class Said(Protocol):
    """Where the server says what it does."""

    def info(self, event: str, **fields: object) -> object:
        """Say something."""
        ...

    def warning(self, event: str, **fields: object) -> object:
        """Say something that somebody should know."""
        ...


async def serve(  # noqa: PLR0913 (everything it is made of)
    settings: WebSettings,
    *,
    open_journal: Callable[[], Browser],
    keys: Keys,
    tenancy: Tenancy,
    shown: Callable[[], SettingsAnswer],
    clock: Clock,
    log: Said,
    take_over: bool,
) -> None:
    """Serve until cancelled.

    Raises:
        NotServed: the address is taken or not ours.
        Occupied: another dashboard serves this journal, and was not to be replaced.
        TokenUnusable: the token file cannot be trusted.
    """
    keys.ensure()
    await tenancy.take(settings.url, clock, over=take_over)
    try:
        with listening(settings) as listener:
            log.info("dashboard", url=settings.url)
            if settings.exposure is not None:
                log.warning("dashboard is exposed", what=settings.exposure)
            board = Board(open_journal, clock)
            app = application(
                board=board, keys=keys, names=names(settings), settings=shown, clock=clock
            )
            async with asyncio.TaskGroup() as tasks:
                following = tasks.create_task(board.run())
                server = uvicorn.Server(_config(app))
                # Signals are the command's business; it cancels us.
                with suppress(asyncio.CancelledError):
                    await server.serve(sockets=[listener])
                following.cancel()
    finally:
        tenancy.leave()


def names(settings: WebSettings) -> Collection[str]:
    """Return what `Host` may say: the address, this machine's own names, and the given ones."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    own = {host, "localhost", "127.0.0.1", "[::1]"}
    return {f"{each}:{settings.port}" for each in own} | set(settings.names)


def listening(settings: WebSettings) -> socket.socket:
    """Open the socket.

    Raises:
        NotServed: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise NotServed(
            f"the dashboard cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
            f"set `listen` under [web], or stop what listens there"
        ) from error
    return listener


def _config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http="h11",
        ws="websockets-sansio",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GOODBYE_S,
        ws_max_size=_LIVE_MESSAGE_MAX,
        ws_ping_interval=20,
        ws_ping_timeout=20,
    )
