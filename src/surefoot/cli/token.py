"""`surefoot token`: the token of the dashboard and the API."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE
from surefoot.cli.output import show_json
from surefoot.config import ConfigError
from surefoot.web import Keys, Scope, token_file


def token(
    scope: Literal["read", "operate", "admin"] = "admin",
    *,
    new: Annotated[bool, Parameter(negative="")] = False,
    link: Annotated[bool, Parameter(negative="")] = False,
    options: Options | None = None,
) -> int:
    """Print the token; it is made when it is first needed, in a file that only you can read.

    Parameters
    ----------
    scope
        read: look. operate: also pause, resume, recover, and stop all entries. admin: also close
        and resolve.
    new
        Draw another secret: all tokens and sessions so far are void.
    link
        Print the dashboard's address with the token in it, to open once. The part after # is
        never sent to any server.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    settings = options.settings(keys=False)
    if settings.journal_path is None:
        raise ConfigError("[journal]", ["the dashboard needs a journal in a file"])
    keys = Keys(token_file(settings.journal_path))
    if new:
        keys.renew()
    keys.ensure()
    text = keys.token(Scope(scope))
    text = f"{settings.web.url}/#token={text}" if link else text
    if options.json:
        show_json({"scope": scope, "token": text})
    else:
        sys.stdout.write(f"{text}\n")
    return FINE
