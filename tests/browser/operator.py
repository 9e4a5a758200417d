"""Somebody who sits before the dashboard: sees what a page says, and clicks."""

from __future__ import annotations

from typing import Any

from tests.process.dashboard import Dashboard
from tests.process.play import Play

PATIENCE_MS = 90_000


class Operator:
    """One tab of a browser, and what it should never have done."""

    def __init__(self, play: Play, dashboard: Dashboard, chromium: Any) -> None:
        self.play = play
        self.dashboard = dashboard
        self._chromium = chromium
        self.page: Any = None
        self.outside: list[str] = []
        self.complaints: list[str] = []

    @property
    def origin(self) -> str:
        return f"127.0.0.1:{self.dashboard.port}"

    async def enter(self, *, width: int = 1280, height: int = 800) -> Any:
        """Open the address that `surefoot token --link` prints."""
        _, link, _ = await self.play.stage.run("token", "--link")
        context = await self._chromium.new_context(viewport={"width": width, "height": height})
        page = self.page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", self._requested)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))
        await page.goto(link.strip())
        await page.get_by_role("navigation").wait_for()
        return page

    async def reads(self, text: str) -> None:
        """Wait until the page says something."""
        await self.page.get_by_text(text).first.wait_for()

    async def no_longer_reads(self, text: str) -> None:
        """Wait until the page has stopped saying something."""
        await self.page.get_by_text(text).first.wait_for(state="hidden")

    async def goes(self, path: str) -> None:
        """Follow a link of this origin."""
        await self.page.goto(f"http://{self.origin}{path}")

    def _requested(self, request: Any) -> None:
        if request.url.split("/")[2] != self.origin:
            self.outside.append(request.url)

    def _said(self, message: Any) -> None:
        # That a server is away, and that nobody is logged in yet, is the browser's own news.
        expected = ("ERR_CONNECTION", "WebSocket", "401", "503", "422", "Failed to load resource")
        if message.type == "error" and not any(word in message.text for word in expected):
            self.complaints.append(message.text)
