"""The composition root: settings become accounts, exchanges, a journal and a supervisor.

exchanges   every account that is used gets its exchange, and those of one address share it
preflight   whatever is wrong with settings is found before anything is written or sent
assembly    the parts of one account, each made once
serving     `run` and `recover`: everything opened, in order, and closed
asking      what the exchange answers, without running or changing anything
"""

from __future__ import annotations

from surefoot.app.asking import Checkup, Look, balances, check, look
from surefoot.app.assembly import assemble
from surefoot.app.preflight import preflight
from surefoot.app.serving import Ground, Strategies, recover, serve

__all__ = [
    "Checkup",
    "Ground",
    "Look",
    "Strategies",
    "assemble",
    "balances",
    "check",
    "look",
    "preflight",
    "recover",
    "serve",
]
