"""The configuration: parsed once, at the edge, into frozen settings.

written     how values are written, each made exact
document    the shape of `surefoot.toml`, with every key described
overrides   the environment over the file
problems    what is wrong, in sentences without keys
secret      where keys come from, and a wrapper that hides them
settings    the result
load        all of it, in order
template    what `surefoot init` writes
"""

from __future__ import annotations

from surefoot.config.errors import ConfigError
from surefoot.config.load import keys, load, strategies, strategy
from surefoot.config.secret import Secret
from surefoot.config.settings import Account, Bot, Settings
from surefoot.config.template import (
    FIRST,
    FIRST_LIVE,
    IDEAS,
    paper,
    strategy_file,
    template,
)
from surefoot.config.trial import tried

__all__ = [
    "FIRST",
    "FIRST_LIVE",
    "IDEAS",
    "Account",
    "Bot",
    "ConfigError",
    "Secret",
    "Settings",
    "keys",
    "load",
    "paper",
    "strategies",
    "strategy",
    "strategy_file",
    "template",
    "tried",
]
