"""What closed positions brought, by bot, account and day: counted once, then kept up to date."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from surefoot.core.values import ZERO, plain
from surefoot.journal.browse import Browser
from surefoot.journal.profit import Outcome
from surefoot.web.answers import ProfitRow

# Records that are looked through at a time, so that a long journal is counted in short reads.
STRETCH: Final = 20_000
_DIGITS: Final = Decimal("0.00000001")

Key = tuple[str, str, str, str]


class ProfitBook:
    """Results up to one record of the journal; a CLOSED position's result is final."""

    def __init__(self) -> None:
        self.upto = 0
        self._sums: dict[Key, tuple[Decimal, int]] = {}

    async def follow(self, browser: Browser, records: int) -> bool:
        """Count the next stretch; False if there is more to count."""
        end = min(records, self.upto + STRETCH)
        for outcome in await browser.outcomes(after=self.upto, upto=end):
            self._count(outcome)
        self.upto = end
        return end == records

    def rows(self) -> list[ProfitRow]:
        """Return the sums, oldest day first."""
        found = sorted(self._sums.items(), key=lambda each: (each[0][2], each[0]))
        return [
            ProfitRow(
                bot=bot, account=account, day=day, quote=quote,
                pnl=plain(total.quantize(_DIGITS)), positions=count,
            )
            for (bot, account, day, quote), (total, count) in found
        ]  # fmt: skip

    def _count(self, outcome: Outcome) -> None:
        key = (outcome.bot, outcome.account, outcome.at.date().isoformat(), outcome.quote)
        total, count = self._sums.get(key, (ZERO, 0))
        self._sums[key] = (total + outcome.realized_pnl, count + 1)
