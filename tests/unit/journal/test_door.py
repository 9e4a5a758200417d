"""The door of the journal: which kinds there are is written in one place."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import START

from surefoot.journal import journal_exists, journal_holder, open_journal, open_reader
from surefoot.journal.errors import JournalUnusable

URL = "sqlite:///j.db"


async def test_a_url_leads_to_a_journal(tmp_path: Path) -> None:
    assert not journal_exists(URL, tmp_path)
    assert journal_holder(URL, tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    journal = open_journal(URL, tmp_path, at=START)
    assert journal_exists(f"sqlite:///{tmp_path}/j.db", Path("/nowhere"))
    reader = open_reader(URL, tmp_path)
    holder = reader.holder()
    assert holder is not None
    assert holder == journal_holder(URL, tmp_path)
    assert holder.since == START
    await journal.close()
    assert reader.holder() is None
    await reader.close()


@pytest.mark.parametrize("url", ["postgresql://ann@db/trades", "sqlite", "sqlite:///", "j.db", ""])
def test_what_is_no_journal_of_this_version_is_refused(tmp_path: Path, url: str) -> None:
    for ask in (journal_exists, journal_holder, open_reader):
        with pytest.raises(JournalUnusable, match="sqlite:///FILE"):
            ask(url, tmp_path)
