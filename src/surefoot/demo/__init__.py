"""The demo: a simulated exchange on a real tape, bots on it, and SIGKILL at cruel moments.

stage     the processes: an exchange, a server, and how to kill them
moments   when to kill: named points in the life of an order, and in recovery
story     what was believed, what was true, what was done
verdict   what the exchange's own ledger says in the end
show      the run itself, from curtain to verdict
"""

from __future__ import annotations

from surefoot.demo.show import Kill, Show
from surefoot.demo.stage import Server, Stage
from surefoot.demo.verdict import Verdict, judge

__all__ = ["Kill", "Server", "Show", "Stage", "Verdict", "judge"]
