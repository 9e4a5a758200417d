"""Binance spot, over ccxt."""
