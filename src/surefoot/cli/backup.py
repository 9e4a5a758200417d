"""`surefoot backup`: a copy of the journal, taken while it is in use."""

from __future__ import annotations

import asyncio
from pathlib import Path

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE
from surefoot.cli.output import say, show_json
from surefoot.journal.port import Reader


def backup(file: Path, *, options: Options | None = None) -> int:
    """Copy the journal to a file that does not exist yet, and check the copy.

    Parameters
    ----------
    file
        Where to; it is never overwritten.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    records = asyncio.run(_copy(options.reader(), file))
    if options.json:
        show_json({"file": str(file), "records": records})
    else:
        say(f"{file}: {records} records, checked. Run on it and it draws a new epoch.")
    return FINE


async def _copy(reader: Reader, file: Path) -> int:
    try:
        return await reader.backup(file)
    finally:
        await reader.close()
