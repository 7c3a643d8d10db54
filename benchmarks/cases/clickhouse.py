"""Generated rows out of ClickHouse."""

from __future__ import annotations

from benchmarks.case import Case, Contender
from benchmarks.world import World

_QUERY = (
    "select toInt64(number) as id, toInt32(number % 200000) as part, toDecimal64(number % 5000, 2) as quantity, "
    "toDecimal128(number % 10000000, 4) as price, toDate32('1992-01-01') + number % 2500 as day, "
    "toDateTime64('2024-01-01 00:00:00', 6, 'UTC') + number as moment, number / 7 as share, "
    "concat('a comment on line ', toString(number)) as comment, "
    "['AIR', 'MAIL', 'SHIP', 'RAIL'][number % 4 + 1] as mode from numbers("
)


def extract(world: World) -> Case:
    """Rows that the server makes as it sends them -> Arrow batches, against the vendor's own stream of batches."""
    from servers.clickhouse import missing, running

    rows = 6 * world.million
    title = f"ClickHouse (chdb behind HTTP), {rows:,} generated rows as Arrow batches"
    if why := missing():
        return Case("extract-clickhouse", title, (), (f"ClickHouse ({why})",))
    server = world.enter(running())
    name = server.create_database("bench")
    details = {"profile": world.profile(server.output(name)), "query": f"{_QUERY}{rows})", "key": "id"}
    peer = Contender("clickhouse-connect", world.own("clickhouse_worker.py", "stream", **details))
    return Case("extract-clickhouse", title, (Contender("dvt", world.dvt("scan", **details)), peer))
