"""Of ccxt only Binance's client is read in, and whoever wants the rest finds it as ever."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

# In a process of its own: what was imported before decides what is seen.
STORY: Final = """
import sys
from surefoot.exchange.binance import adapter, client
read = [name for name in sys.modules if name.startswith("ccxt")]
assert "ccxt.kraken" not in read and len(read) < 40, read

from threading import Barrier, Thread
import ccxt
found, together = [], Barrier(8)
def ask():
    together.wait()
    found.append(ccxt.kraken().id)
asking = [Thread(target=ask) for _ in range(8)]
for each in asking: each.start()
for each in asking: each.join()
assert found == ["kraken"] * 8, found

import ccxt.async_support, ccxt.pro
from ccxt import *
from ccxt.base.errors import NetworkError as truly
assert ccxt.pro.kraken().id == ccxt.async_support.kraken().id == kraken().id == "kraken"
assert issubclass(ccxt.pro.kraken, ccxt.async_support.Exchange)
assert issubclass(client.FencedBinance, ccxt.pro.binance), ccxt.pro.binance
assert issubclass(ccxt.pro.binance, ccxt.async_support.binance)
assert ccxt.NetworkError is NetworkError is truly
assert ccxt.__version__ == ccxt.pro.__version__
assert not hasattr(ccxt, "no_such_exchange")
"""


def test_no_other_exchange_is_read_in_until_somebody_wants_it() -> None:
    """Red with `import ccxt` in any module of the adapter, and when what is filled counts as full.

    The one is 400 modules and twice the memory; the other fails a thread that comes second.
    """
    said = subprocess.run(
        [sys.executable, "-c", STORY], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
