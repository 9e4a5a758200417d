"""Take the pictures of the dashboard that the documents show, from a real run that is killed once.

    python benchmarks/screenshots.py [FOLDER]

Needs chromium and a built dashboard (`make ui`). The exchange is the simulated one.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from surefoot.demo.show import ACCOUNT, BOTS, CCXT
from surefoot.demo.stage import Stage

ROOT = Path(__file__).parent.parent
PORT = 8797
WEB = f'\n[web]\nenabled = true\nlisten = "127.0.0.1:{PORT}"\n'
# Name, page, width, height, colours.
PICTURES = (
    ("overview", "/", 1360, 860, "dark"),
    ("position", "", 1360, 1180, "light"),
    ("recovery", "/recovery", 1360, 780, "dark"),
    ("phone", "/", 390, 844, "dark"),
)


async def main() -> None:
    """Play for a while, die once, come back, and take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    with tempfile.TemporaryDirectory() as directory:
        stage = Stage(Path(directory))
        try:
            await stage.open_exchange("--market", "tape", "--speed", "3", "--slices", "2")
            stage.configure(ACCOUNT, BOTS + WEB, CCXT)
            server = await stage.start()
            await asyncio.sleep(25)
            await server.kill()
            # Then with an order out, so that recovery has something to find.
            server = await stage.start(crash_at="order.after-response:2")
            await server.wait()
            await asyncio.sleep(5)
            server = await stage.start()
            await asyncio.sleep(25)
            _, link, _ = await stage.run("token", "--link")
            await take(link.strip(), folder)
            await server.stop()
        finally:
            await stage.close()


async def take(link: str, folder: Path) -> None:
    """Take every picture in a browser of its own colours and size."""
    async with async_playwright() as started:
        browser = await started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, path, width, height, colours in PICTURES:
            await picture(browser, link, path, (width, height), colours, folder / f"{name}.png")
            print(folder / f"{name}.png")
        await browser.close()


async def picture(
    browser: Browser, link: str, path: str, size: tuple[int, int], colours: str, to: Path
) -> None:
    """Log in, go to the page (without one: an open position) and take its picture."""
    page = await browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="light" if colours == "light" else "dark",
    )
    await page.goto(link)
    await page.get_by_label("Open positions").locator("a").first.wait_for()
    if path:
        await page.goto(f"http://127.0.0.1:{PORT}{path}")
    else:
        await page.get_by_label("Open positions").locator("a").first.click()
    await asyncio.sleep(4)
    await page.screenshot(path=to)
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
