"""Exchanges: a port in the core's words, venue facts as data, and adapters."""
