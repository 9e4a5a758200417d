"""Options that many commands share, and the settings that they lead to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from surefoot.config import Settings, load
from surefoot.journal import open_reader
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.port import Client

# How to write the log, whatever the configuration says.
LogFormat: TypeAlias = Annotated[Literal["console", "json"] | None, Parameter(name="--log")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Where the configuration is, and how to answer.

    Parameters
    ----------
    config
        The configuration file.
    json
        Print one JSON document instead of text.
    """

    config: Annotated[Path, Parameter(name=["--config", "-c"], env_var="SUREFOOT_CONFIG")] = Path(
        "surefoot.toml",
    )
    json: Annotated[bool, Parameter(negative="")] = False

    def settings(self, *, keys: bool, messengers: bool = False) -> Settings:
        """Return the settings; keys of accounts and of messengers only if asked for.

        Raises:
            ConfigError: the file is wrong.
            JournalUnusable: nobody may look where the journal is, not even whether it is there.
        """
        settings = load(self.config, os.environ, keys=keys, messengers=messengers)
        try:
            if settings.journal_path is not None:
                settings.journal_path.exists()
        except OSError as error:
            raise JournalUnusable(
                f"{settings.journal_path} cannot be reached: {error.strerror}; is it another "
                "user's?"
            ) from None
        return settings

    def reader(self) -> Client:
        """Open the journal to read it and to post commands."""
        settings = self.settings(keys=False)
        return open_reader(settings.journal_url, settings.directory)
