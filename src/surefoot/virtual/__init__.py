"""A world in one process, in virtual time: the same seed gives the same story.

A whole program runs in it as it is: asyncio, its timers and timeouts, sockets, executors. Time
jumps to the next timer when nothing is ready, so that hours take seconds. It imports nothing of
Surefoot.

loop      an event loop whose time is virtual, and whose inhabitants can be killed
ambient   the clock and the luck of the machine, replaced for a while
network   connections in memory, with latency, that can be cut
"""

from __future__ import annotations

from surefoot.virtual.loop import Life, VirtualLoop

__all__ = ["Life", "VirtualLoop"]
