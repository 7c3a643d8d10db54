"""TPC-H data: made by tpchgen-cli, loaded by psql's COPY."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

# Column types of the TPC-H specification, revision 3, clause 1.4.
TABLES = {
    "region": "r_regionkey int, r_name char(25), r_comment varchar(152)",
    "nation": "n_nationkey int, n_name char(25), n_regionkey int, n_comment varchar(152)",
    "supplier": "s_suppkey int, s_name char(25), s_address varchar(40), s_nationkey int, s_phone char(15), "
    "s_acctbal decimal(15,2), s_comment varchar(101)",
    "customer": "c_custkey int, c_name varchar(25), c_address varchar(40), c_nationkey int, c_phone char(15), "
    "c_acctbal decimal(15,2), c_mktsegment char(10), c_comment varchar(117)",
    "orders": "o_orderkey bigint, o_custkey int, o_orderstatus char(1), o_totalprice decimal(15,2), o_orderdate date, "
    "o_orderpriority char(15), o_clerk char(15), o_shippriority int, o_comment varchar(79)",
    "lineitem": "l_orderkey bigint, l_partkey int, l_suppkey int, l_linenumber int, l_quantity decimal(15,2), "
    "l_extendedprice decimal(15,2), l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag char(1), "
    "l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct char(25), "
    "l_shipmode char(10), l_comment varchar(44)",
}

Q3 = """
select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority
from a.public.customer
join a.public.orders on c_custkey = o_custkey
join b.public.lineitem on l_orderkey = o_orderkey
where c_mktsegment = 'BUILDING' and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
group by l_orderkey, o_orderdate, o_shippriority
"""

Q5 = """
select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
from a.public.customer
join a.public.orders on c_custkey = o_custkey
join b.public.lineitem on l_orderkey = o_orderkey
join a.public.supplier on l_suppkey = s_suppkey and c_nationkey = s_nationkey
join a.public.nation on s_nationkey = n_nationkey
join a.public.region on n_regionkey = r_regionkey
where r_name = 'ASIA' and o_orderdate >= date '1994-01-01' and o_orderdate < date '1995-01-01'
group by n_name
"""


def generator() -> str | None:
    """The path of tpchgen-cli, of this environment first; None when it is not installed."""
    own = Path(sys.executable).with_name("tpchgen-cli")
    return str(own) if own.exists() else shutil.which("tpchgen-cli")


def generate(scale: str, folder: Path, format_: str, tables: list[str]) -> list[Path]:
    """Make tables as `<table>.csv` (with a header) or `<table>.parquet`."""
    program = generator()
    if program is None:
        raise SystemExit("tpchgen-cli is not installed: pip install tpchgen-cli")
    command = [program, format_, "-s", scale, "-o", str(folder), "-T", ",".join(tables)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"tpchgen-cli failed:\n{done.stderr}")
    return [folder / f"{table}.{format_}" for table in tables]
