"""What we call of ccxt and put a fence around is there: it is untyped, so no tool says otherwise.

Red on a newer ccxt that calls a hook by another name: ours would be called no more, in silence.
"""

from __future__ import annotations

import ast
import inspect
import ssl
from types import ModuleType
from typing import Final

import pytest

from surefoot.exchange.binance import adapter, client, streams
from surefoot.exchange.binance.ccxt_alone import BinanceClient
from surefoot.exchange.binance.client import FencedBinance

# How the client is called in a module; what else bears the name is of another kind.
CALLED: Final = {
    adapter: {"client", "self._ccxt", "self._rest"},
    streams: {"client", "self._client"},
    client: {"super()"},
}
FENCE: Final = ast.parse(inspect.getsource(FencedBinance)).body[0]


def asked_of(tree: ast.AST, owners: set[str]) -> set[str]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in found if ast.unparse(node.value) in owners}


@pytest.mark.parametrize("module", CALLED, ids=lambda module: module.__name__)
def test_every_name_that_is_used_is_there(module: ModuleType) -> None:
    """Half of them are made as ccxt makes a client: a missing one would fail at its first order."""
    names = asked_of(ast.parse(inspect.getsource(module)), CALLED[module])
    names |= asked_of(FENCE, {"self"}) if module is client else set()
    made = FencedBinance()
    assert len(names) > 5
    assert [name for name in sorted(names) if not hasattr(made, name)] == []


async def test_certificates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stream's client read them again on the loop, 25 ms of it, at every reconnect."""
    read: list[str] = []

    def counted(*, cafile: str) -> ssl.SSLContext:
        read.append(cafile)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    client._trusting.cache_clear()
    for _ in range(2):
        made = FencedBinance()
        made.open()
        assert made.ssl_context.verify_mode is ssl.CERT_REQUIRED
        await made.close()
    assert read == [made.cafile]
    client._trusting.cache_clear()


async def test_an_operator_s_word_on_certificates_is_ccxt_s() -> None:
    unproven = FencedBinance({"verify": False})
    unproven.open()
    assert unproven.ssl_context is False
    await unproven.close()


def test_every_fence_stands_where_ccxt_passes() -> None:
    fences = [
        node.name
        for node in ast.walk(FENCE)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(ast.unparse(each) == "override" for each in node.decorator_list)
    ]
    assert {"sign", "handle_errors", "handle_message", "nonce"} <= {*fences}
    assert [name for name in fences if not hasattr(BinanceClient, name)] == []


@pytest.mark.parametrize(
    ("hook", "place", "name"),
    [
        ("handle_errors", client._STATUS, "code"),
        ("handle_errors", client._HEADERS, "headers"),
        ("handle_errors", client._RESPONSE, "response"),
        ("on_rest_response", client._BODY, "response_body"),
    ],
)
def test_a_hook_is_told_what_it_reads_by_its_place(hook: str, place: int, name: str) -> None:
    """Catches an answer that is judged by its address: every refusal would be a success."""
    _, *told = inspect.signature(getattr(BinanceClient, hook)).parameters
    assert told[place] == name
