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
from surefoot.exchange.port import Venue

_PROXIES: Final = (
    "proxy", "proxyUrl", "proxyUrlCallback", "httpProxy", "httpsProxy", "socksProxy", "wsProxy",
    "wssProxy", "wsSocksProxy", "proxy_url", "http_proxy", "https_proxy", "socks_proxy",
    "ws_proxy", "wss_proxy", "ws_socks_proxy", "aiohttp_proxy", "aiohttp_trust_env",
)  # fmt: skip


def environment(venue: Venue, settings: dict[str, Any], *, allow_custom_host: bool) -> str:
    """Return "live" or "simulated" for an account's ccxt settings.

    Raises:
        Misconfigured: a URL leads somewhere unexpected, or real and simulated are mixed.
    """
    hosts = {urlsplit(url).hostname or url for url in _urls(settings.get("urls"))}
    kinds = {_kind(venue, host, allow_custom_host=allow_custom_host) for host in hosts}
    if len(kinds) > 1:
        raise Misconfigured(
            f"the urls of {venue.name} mix this machine and real hosts "
            f"({', '.join(sorted(hosts))}); use one or the other",
        )
    proxies = [name for name in _PROXIES if settings.get(name)]
    if proxies and not allow_custom_host:
        raise Misconfigured(
            f"{proxies[0]} sends signed orders through another host. If that is meant, set "
            f"allow_custom_host = true",
        )
    kind = kinds.pop() if kinds else "live"
    if kind == "simulated":
        _refuse_half(venue, settings["urls"])
    return kind


def _refuse_half(venue: Venue, urls: Any) -> None:
    # Whoever redirects one of these to this machine must redirect all: ccxt fills the rest in with
    # the real exchange, and a "simulated" account would send real orders.
    for path in venue.urls_together:
        if not any(True for _ in _urls(_at(urls, path))):
            missing = ".".join(("urls", *path))
            raise Misconfigured(
                f"{missing} is not given, so ccxt would use the real exchange there; a simulated "
                f"account needs all of {', '.join('.'.join(each) for each in venue.urls_together)}",
            )


def _at(urls: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        urls = urls.get(key) if isinstance(urls, dict) else None
    return urls


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_own(venue: Venue, host: str) -> bool:
    """Tell whether a host is one of the venue's own."""
    return any(host == name or host.endswith(f".{name}") for name in venue.hosts)


def _kind(venue: Venue, host: str, *, allow_custom_host: bool) -> str:
    if is_loopback(host):
        return "simulated"
    if is_own(venue, host) or allow_custom_host:
        return "live"
    raise Misconfigured(
        f"the url host {host} is neither this machine nor one of {venue.name}'s own "
        f"({', '.join(venue.hosts)}); signed orders would go there. If that is meant, set "
        f"allow_custom_host = true",
    )


def _urls(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if "://" in value:
            yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _urls(each)
