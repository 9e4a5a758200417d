"""Make the golden journal anew: `make golden`.

Only while the format may still change. From the day on which it is frozen this may not be used: a
journal that somebody has must be read by every later version, and the golden one stands for it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from tests.builders import BTC, START, D, Life, fill, report

from surefoot.core.account_records import (
    AccountBound,
    BanNoted,
    BotStatusChanged,
    Cause,
    Coins,
    HealthChanged,
    LifeBegan,
    LossCapLifted,
    LossCapReached,
    OrphanCancelIntended,
    OthersSeen,
    Record,
    Recovered,
    RecoveryFinished,
    StuckChanged,
    WatermarkMoved,
)
from surefoot.core.health import Health, HealthState
from surefoot.core.order import OrderStatus
from surefoot.core.position import Dust
from surefoot.core.records import (
    AmendIntended,
    AmendRefused,
    CancelIntended,
    CoinsBound,
    DustLeft,
    DustLost,
    ExitLapsed,
    OrderAmended,
    OrderRecalled,
    OrderShut,
    PartTaken,
    PositionFrozen,
    PositionProven,
    PositionRecord,
    PositionSetBack,
    PositionThawed,
    ShortageSeen,
)
from surefoot.core.reports import Doubt, Reduction, Refusal, Unsent
from surefoot.core.signals import Adopt, Close, ExitSignal, Freeze
from surefoot.core.state import evolve
from surefoot.core.stuck import Stuck, StuckKind
from surefoot.core.values import (
    AccountName,
    Asset,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
)
from surefoot.journal.port import Append, Change, Reader
from surefoot.journal.sqlite import open_sqlite

HERE: Final = Path(__file__).parent
JOURNAL: Final = HERE / "journal-1.db.gz"
WHAT_IT_SAYS: Final = HERE / "journal-1.json"
MAIN: Final = AccountName("main")


def lives() -> list[Life]:
    """Return positions that between them have a record of every kind."""
    return [_closed(), _tried(), _open(), _resolved()]


def _closed() -> Life:
    life = Life(number=1)
    life.opened()
    life.tell(ExitSignal(reason="enough"), after=timedelta(seconds=1))
    out = life.order
    half = fill(out, "51000", "0.0006", trade="2")
    life.tell(report(out, "OPEN", "0.0006"), half, Close(by="ann"))
    rest = fill(out, "51001", "0.001", trade="3", fee="0.05")
    life.tell(report(out, "FILLED", out.quantity), rest)
    return life


def _tried() -> Life:
    """Return one with an entry that was refused, one that never left, and one in doubt."""
    life = Life(number=2)
    refused = life.enter()
    life.tell(Refusal(client_order_id=refused.client_order_id, code="-2010", message="no"))
    life.now += timedelta(minutes=5)
    order = life.enter()
    life.tell(Unsent(client_order_id=order.client_order_id, reason="no line"))
    life.now += timedelta(minutes=5)
    order = life.enter()
    life.tell(Doubt(client_order_id=order.client_order_id, reason="no answer"))
    cancel = CancelIntended(
        at=life.now,
        client_order_id=order.client_order_id,
        cancel_name=ClientOrderId("sf4567"),
        reason="late",
        hailed=True,
    )
    _add(life, cancel)
    shut = OrderShut(at=life.now, client_order_id=order.client_order_id, evidence="none is open")
    _add(life, shut)
    name, less = order.client_order_id, D("0.001")
    _add(
        life,
        AmendIntended(
            at=life.now, client_order_id=name, quantity=less, not_after=life.now, reason="less"
        ),
    )
    _add(life, AmendRefused(at=life.now, client_order_id=name, reason="ten times already"))
    _add(life, OrderAmended(at=life.now, client_order_id=name, quantity=less))
    as_it_was = replace(refused, status=OrderStatus.REJECTED, finished_at=START)
    _add(life, OrderRecalled(at=life.now, order=as_it_was))
    return life


def _open() -> Life:
    life = Life(bot="top")
    life.opened()
    life.tell(Reduction(quantity=D("0.0006"), price=D(49000), evidence="sold by hand"))
    _add(life, ShortageSeen(at=life.now, missing=D("0.0001"), evidence="the balance"))
    _add(life, CoinsBound(at=life.now, quantity=D("0.0002"), by="0.0002 in order 7"))
    _add(life, CoinsBound(at=life.now, quantity=D(0), by="orders on other symbols"))
    _add(life, PositionFrozen(at=life.now, reason="look at it"))
    _add(life, PositionThawed(at=life.now, evidence="the balance again"))
    _add(life, PositionSetBack(at=life.now, reason="an older copy was put back"))
    _add(life, PositionProven(at=life.now, evidence="orders, fills and balance"))
    _add(life, DustLeft(at=life.now, dust=Dust(quantity=D("0.0000084"), cost=D("0.42"))))
    _add(life, DustLost(at=life.now, quantity=D("0.0000001"), evidence="the balance"))
    _add(life, ExitLapsed(at=life.now, why="it was tried"))
    _add(life, PartTaken(at=life.now, why="too little to trade", joins=D("0.1")))
    return life


def _resolved() -> Life:
    life = Life(bot="low")
    life.opened()
    life.tell(Freeze(reason="look at it"), Adopt(by="ann"), Freeze(reason="look again"))
    return life


def _add(life: Life, record: PositionRecord) -> None:
    life.records.append(record)
    life.position = evolve(life.position, record)


def account() -> tuple[Record, ...]:
    """Return a record of every kind that an account has."""
    name = ClientOrderId("sf0123")
    stuck = Stuck(
        kind=StuckKind.ORDER_IN_DOUBT,
        symbol=BTC,
        subject=name,
        since=START,
        believed="sent",
        true="silence",
    )
    health = Health(state=HealthState.OK, since=START, watched=True)
    return (
        LifeBegan(at=START, account=MAIN, epoch="epoch", generation="life"),
        AccountBound(
            at=START,
            account=MAIN,
            exchange="binance",
            uid="7",
            environment="simulated",
            balances={Asset("USDT"): D(10000)},
        ),
        WatermarkMoved(at=START, account=MAIN, symbol=BTC, trade_id="3"),
        OrphanCancelIntended(
            at=START, account=MAIN, symbol=BTC, exchange_order_id=ExchangeOrderId("9"),
            client_order_id=name, reason="its position is settled",
        ),
        OthersSeen(at=START, account=MAIN, coins={Asset("BTC"): Coins(amount=D(1), at=START)}),
        BanNoted(at=START, account=MAIN, until=START),
        LossCapReached(at=START, account=MAIN, quote=Asset("USDT"), lost=D(60), cap=D(50)),
        LossCapLifted(at=START, account=MAIN, quote=Asset("USDT"), lost=D(60), by="ann"),
        HealthChanged(at=START, account=MAIN, environment="simulated", health=health),
        StuckChanged(at=START, account=MAIN, raised=(stuck.id,), ended=(), standing=(stuck,)),
        RecoveryFinished(
            at=START, account=MAIN, outcome="complete", positions={"opened": 1}, orders_cancelled=1,
            fills_booked=2, bots_restarted=3, bots_in_review={"low": "frozen"}, requests=9,
            weight=120, seconds=D("0.8"), unwatched_since=START,
            told=(Recovered(
                position_id=PositionId("low-1"), outcome="opened", believed="OPENING; no order",
                evidence=("1 fill, 0.002 BTC",), followed=("booked",), now="OPEN, 0.002 BTC",
            ),),
        ),
    )  # fmt: skip


def change() -> Change:
    """Return everything, as one change."""
    appends = [
        Append(
            stream=f"position/{life.position.position_id}",
            expected=0,
            records=tuple(life.records),
            position=life.position,
            left=tuple(
                order for name, order in life.orders.items() if life.position.find(name) is None
            ),
        )
        for life in lives()
    ]
    for bot, cause in (("dip-btc", None), ("top", None), ("low", Cause.CONTRADICTION)):
        status = BotStatusChanged(
            at=START, bot=BotName(bot), status="REVIEW", by="ann", cause=cause
        )
        appends.append(Append(stream=f"bot/{bot}", expected=0, records=(status,)))
    appends.append(Append(stream="account/main", expected=0, records=account()))
    return Change(at=START, appends=tuple(appends))


async def told(reader: Reader) -> dict[str, Any]:
    """Return what a journal says, as plain data."""
    positions = await reader.positions()
    orders = await reader.orders_of([each.position_id for each in positions])
    document = {
        "records": await reader.entries(),
        "positions": positions,
        "orders": {name: orders[name] for name in sorted(orders)},
        "bots": await reader.bots(),
        "watermark": await reader.watermark(MAIN, BTC),
    }
    plain: dict[str, Any] = json.loads(msgspec.json.encode(document))
    return plain


async def _make() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        journal = open_sqlite(path, at=START)
        await journal.commit(change())
        await journal.verify()
        says = await told(journal)
        await journal.close()
        JOURNAL.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    WHAT_IT_SAYS.write_text(json.dumps(says, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_make())
