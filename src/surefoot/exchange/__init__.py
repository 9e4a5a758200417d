"""Exchanges: a port in the core's words, and one folder a venue: its facts and its adapter."""

from surefoot.exchange.venues import open_exchange

__all__ = ["open_exchange"]
