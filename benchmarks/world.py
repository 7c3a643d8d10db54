"""What the cases run on: a PostgreSQL server of their own with three databases, a work folder, the peers."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks import tpch
from benchmarks.case import Answer
from benchmarks.peers import ROOT, Peers

sys.path.insert(0, str(Path(__file__).parent.parent / "core" / "tests"))

from servers.postgres import PostgresServer, start, stop

if TYPE_CHECKING:
    from servers.mariadb import MariaDBServer

_Entered = TypeVar("_Entered")
_WORKERS = Path(__file__).parent / "workers"
_LINEITEM_ANSWER = (
    # A peer may make other types (numeric without scale, text for char): trim_scale and trim make them comparable.
    "select count(*), sum(l_orderkey), trim_scale(sum(l_quantity)), trim_scale(sum(l_extendedprice)), "
    "min(l_shipdate), max(l_receiptdate), "
    "sum(length(trim(l_comment))), sum(length(trim(l_shipmode))) from public."
)


@dataclass
class World:
    """The surroundings of all cases.

    Databases: `a` has all tables but lineitem, `b` has lineitem, `dw` is where results land.

    Args:
        server: PostgreSQL.
        folder: Data and outputs; gone at the end.
        scale: TPC-H scale factor, as text.
        peers: The peers' environment.
        say: Progress goes here.
    """

    server: PostgresServer
    folder: Path
    scale: str
    peers: Peers
    say: Callable[[str], None]
    _closers: list[Callable[[], object]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def env(self) -> dict[str, str]:
        """What libpq reads: no contender gets the password on its command line."""
        return {
            "PGHOST": self.server.host,
            "PGPORT": str(self.server.port),
            "PGUSER": self.server.user,
            "PGPASSWORD": self.server.password,
            "DO_NOT_TRACK": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "NO_COLOR": "1",
        }

    @property
    def psql(self) -> str:
        """The client of the server's own version, or the machine's."""
        own = self.server.bin / "psql"
        return str(own) if own.exists() else "psql"

    @cached_property
    def databases(self) -> bool:
        """Fills the databases when a case first wants them."""
        self.say(f"TPC-H at scale {self.scale}: generating and loading")
        for database, tables in (("a", [name for name in tpch.TABLES if name != "lineitem"]), ("b", ["lineitem"])):
            self.server.create_database(database)
            for table, path in zip(tables, tpch.generate(self.scale, self.folder, "csv", tables), strict=True):
                self.server.psql(database, f"create table public.{table} ({tpch.TABLES[table]});")
                self.server.psql(database, f"\\copy public.{table} from '{path}' with (format csv, header)")
                if table != "orders":  # the MariaDB case loads it too
                    path.unlink()
            self.server.psql(database, "vacuum analyze;")
        self.server.create_database("dw")
        return True

    @cached_property
    def lineitem_parquet(self) -> Path:
        """Lineitem as Parquet; texts as plain strings, which every contender takes (the generator makes views)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        made = pq.ParquetFile(tpch.generate(self.scale, self.folder, "parquet", ["lineitem"])[0])
        views = pa.string_view()
        schema = pa.schema([(f.name, pa.string() if f.type == views else f.type) for f in made.schema_arrow])
        path = self.folder / "incoming.parquet"
        with pq.ParquetWriter(path, schema, compression="snappy") as writer:
            for batch in made.iter_batches():
                writer.write_batch(batch.cast(schema))
        return path

    @cached_property
    def orders_csv(self) -> Path:
        """Orders as CSV with a header."""
        return tpch.generate(self.scale, self.folder, "csv", ["orders"])[0]

    @cached_property
    def mariadb(self) -> MariaDBServer | None:
        """A MariaDB server; None where none is installed."""
        from servers.mariadb import missing_programs, running

        return None if missing_programs() else self.enter(running())

    @cached_property
    def mariadb_orders(self) -> str | None:
        """The profile of `mariadb` with orders in it, by its path."""
        server = self.mariadb
        if server is None:
            return None
        server.create_database("tpch")
        server.execute(f"create table orders ({tpch.TABLES['orders']})", "tpch")
        self.say("loading MariaDB")
        options = "fields terminated by ',' optionally enclosed by '\"' lines terminated by '\\n' ignore 1 lines"
        server.execute(f"load data local infile '{self.orders_csv}' into table orders {options}", "tpch")
        output = server.output("tpch")
        # What DuckDB's scanner reads of the environment.
        os.environ.update(MYSQL_HOST=str(output["server"]), MYSQL_TCP_PORT=str(output["port"]))
        os.environ.update(MYSQL_USER=server.user, MYSQL_PWD=server.password, MYSQL_DATABASE="tpch")
        return self.profile(output)

    @cached_property
    def postgres_profile(self) -> str:
        """The profile of the database in which results land, by its path."""
        return self.profile(self.server.output("dw", "public"))

    @property
    def million(self) -> int:
        """The rows that stand for a million at scale 1."""
        return max(1, round(1_000_000 * float(self.scale)))

    def profile(self, output: Mapping[str, Any]) -> str:
        """The path of a file with a profile output: no contender gets a password on its command line."""
        path = self.folder / f"profile-{next(self._numbers)}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(output))
        return str(path)

    def dvt(self, work: str, **details: Any) -> tuple[str, ...]:
        """A command that runs dvt's worker in this environment."""
        return self._worker(sys.executable, "dvt_worker.py", work, details)

    def dvt_alone(self, work: str, **details: Any) -> tuple[str, ...]:
        """The same where dvt is installed without what the tests need: pyarrow imports pandas where it is (46 MB)."""
        plain = ROOT / ".hatch" / "plain" / "bin" / "python"
        return self._worker(str(plain) if plain.exists() else sys.executable, "dvt_worker.py", work, details)

    def own(self, script: str, work: str, **details: Any) -> tuple[str, ...]:
        """A command that runs another worker in this environment."""
        return self._worker(sys.executable, script, work, details)

    def peer(self, script: str, work: str, **details: Any) -> tuple[str, ...]:
        """A command that runs a worker in the peers' environment."""
        return self._worker(str(self.peers.python), script, work, details)

    def _worker(self, python: str, script: str, work: str, details: dict[str, Any]) -> tuple[str, ...]:
        return (python, str(_WORKERS / script), work, json.dumps(details))

    def fresh(self, table: str) -> Callable[[], object]:
        """What runs before a load: the old table goes, and the server writes out what it holds."""
        return lambda: self.server.psql("dw", f"drop table if exists public.{table}; checkpoint;")

    def lineitem_answer(self, table: str) -> Callable[[], Answer]:
        """The server's own figures of a copy of lineitem."""
        return self.answer(_LINEITEM_ANSWER + table)

    def answer(self, sql: str) -> Callable[[], Answer]:
        """What a query over the landing database says."""
        return lambda: {"figures": self.server.psql("dw", sql)}

    def enter(self, context: AbstractContextManager[_Entered]) -> _Entered:
        """Begin what lasts until the world ends."""
        entered = context.__enter__()
        self.at_end(lambda: context.__exit__(None, None, None))
        return entered

    def at_end(self, close: Callable[[], object]) -> None:
        """Have something closed when the world ends."""
        self._closers.append(close)

    def close(self) -> None:
        """End what the cases started."""
        while self._closers:
            self._closers.pop()()


@contextmanager
def world(scale: str, peers: Peers, say: Callable[[str], None]) -> Iterator[World]:
    """Start a server in a temporary folder, and remove both at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dvt-bench-", dir=os.environ.get("DVT_BENCH_FOLDER", "/tmp")))
    folder.chmod(0o755)  # the server may run as another user
    data, work = folder / "server", folder / "work"
    data.mkdir()
    work.mkdir()
    try:
        server = start(data)
        found = World(server, work, scale, peers, say)
        try:
            yield found
        finally:
            found.close()
            stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
