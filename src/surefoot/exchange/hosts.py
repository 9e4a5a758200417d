"""Where an account's requests may go: the venue's own hosts, this machine, or nowhere.

A URL in a configuration file can send signed orders anywhere. So it is checked once, before any
connection: loopback means a simulated exchange, the venue's own hosts mean the real one, and
anything else needs a word of consent in the configuration.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from surefoot.exchange.errors import Misconfigured

OWN_HOSTS: Final = {"binance": ("binance.com", "binance.vision", "binance.us")}


def environment(exchange: str, settings: dict[str, Any], *, allow_custom_host: bool) -> str:
    """Return "live" or "simulated" for an account's ccxt settings.

    Raises:
        Misconfigured: a URL leads somewhere unexpected, or real and simulated are mixed.
    """
    hosts = {urlsplit(url).hostname or url for url in _urls(settings.get("urls"))}
    kinds = {_kind(exchange, host, allow_custom_host=allow_custom_host) for host in hosts}
    if len(kinds) > 1:
        raise Misconfigured(
            f"the urls of {exchange} mix this machine and real hosts ({', '.join(sorted(hosts))}); "
            f"use one or the other",
        )
    return kinds.pop() if kinds else "live"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _kind(exchange: str, host: str, *, allow_custom_host: bool) -> str:
    if is_loopback(host):
        return "simulated"
    own = OWN_HOSTS.get(exchange, ())
    if any(host == name or host.endswith(f".{name}") for name in own) or allow_custom_host:
        return "live"
    raise Misconfigured(
        f"the url host {host} is neither this machine nor one of {exchange}'s own "
        f"({', '.join(own)}); signed orders would go there. If that is meant, set "
        f"allow_custom_host = true",
    )


def _urls(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if "://" in value:
            yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _urls(each)
