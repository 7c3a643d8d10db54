"""The native lane on a real PostgreSQL: equal to the CSV lane and to the server's own text, ended, cut, cancelled."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.cancelling import cancels_when
from integration.postgres_kit import connection, copy, texts
from integration.test_types_postgres import REFUSED, SAME_TEXT, TYPES, make

from dvt import errors
from dvt.connections.postgres import connect
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.extractors.postgres_native import NativeLane
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.registry import open_connection
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation
from dvt.native import decoder as native
from dvt.native import libpq
from dvt.native import library as codec
from dvt.native.decoder import Decoder, Reading
from dvt.types.postgres import scalar

_WHY_NOT = codec.load()
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(isinstance(_WHY_NOT, str), reason=f"no native codec: {_WHY_NOT}"),
]
LANES = {"copy_native": "auto", "copy_streaming": "copy"}


@pytest.fixture(scope="module")
def database(postgres_server):
    name = postgres_server.create_database("native_read", timezone="Pacific/Chatham")
    postgres_server.psql(name, TYPES)
    return name


@pytest.fixture(scope="module")
def target(postgres_server):
    return postgres_server.create_database("native_target")


def read(server, database: str, lane: str, request: ExtractionConfig | str, **options: Any) -> pa.Table:
    """All rows by one lane; it is checked that it was that one."""
    config = ExtractionConfig(query=request) if isinstance(request, str) else request
    with PostgresExtractor(connection(server, database, method=LANES[lane], **options)) as extractor:
        with extractor.scan(config) as stream:
            assert stream.method == lane
            return stream.to_table()


def both(server, database: str, request: ExtractionConfig | str, **options: Any) -> pa.Table:
    """All rows by both lanes, which agree."""
    found = [read(server, database, lane, request, **options).combine_chunks() for lane in LANES]
    assert found[0].schema.equals(found[1].schema)
    for name in found[0].column_names:
        assert storage(found[0][name]).equals(storage(found[1][name])), name
    return found[0]


def storage(column: pa.ChunkedArray) -> pa.Array:
    """Values that compare bit by bit: NaN equals NaN, and -0 is not 0."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 0:
            return pa.nulls(0)
        column = column.combine_chunks()
    array = column
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_list(array.type):
        return pa.ListArray.from_arrays(array.offsets, storage(array.values), mask=array.is_null())
    if pa.types.is_floating(array.type):
        return array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    return array


@pytest.mark.parametrize("type_", list(SAME_TEXT))
def test_both_lanes_agree_on_every_type(postgres_server, database, type_):
    """That the values are the server's own text is `test_types_postgres.py`, which reads by this lane too."""
    make(postgres_server, database, type_, SAME_TEXT[type_])
    found = both(postgres_server, database, ExtractionConfig(relation=Relation("source", "public")))
    assert found.num_rows == len(SAME_TEXT[type_]) + 1
    assert found["v"].null_count == 1


MORE = [
    "select c as v, row(null, null) as w, null::record as x from pg_class c limit 3",
    "select most_common_vals as v, histogram_bounds as w from pg_stats",
    "select array['10.0.0.1'::inet, null] as v, '10.0.0.1'::inet as w, array[int4range(1, 2)] as x, pg_sleep(0) as y",
    "select array['a '::char(5), 'b'] as v, array['x'::name] as w, array['x'::\"char\"] as x, array[timetz '9:0+2'] y",
    "select 'int4'::regtype as v, '(1,1)'::tid as w, '1'::xid as x, '$.a'::jsonpath as y -- a comment at the end",
    "with recursive t(n) as (values (1) union all select n + 1 from t where n < 100)"
    " select n, '1.1.1.1'::inet + n as i from t order by n desc limit 50",
    "select 1 as \"?column?\", '1.1.1.1'::inet as \"%s\", money '1' as \"a\"\"b\", null as \"%\", 'ä' as \"{0}\"",
    "select array[1.5::numeric, null, 0.000000001] as v, array['{\"a\": 1}'::jsonb, null] as w, array[true, null] as x",
    "select * from pg_type", "select * from pg_proc limit 500", "select * from pg_attribute limit 500",
    "select 1 as a, '1.1.1.1'::inet as b where false",
]  # fmt: skip


@pytest.mark.parametrize("query", MORE, ids=range(len(MORE)))
def test_both_lanes_agree_on_odd_queries(postgres_server, database, query):
    both(postgres_server, database, query)


@pytest.mark.parametrize(("type_", "value"), [(t, v) for t, values in REFUSED.items() for v in values])
def test_refusals_have_the_same_words_and_the_row(postgres_server, database, type_, value):
    make(postgres_server, database, type_, ["NULL", "NULL", value])
    said = []
    for lane in LANES:
        with pytest.raises(errors.DataError) as caught:
            read(postgres_server, database, lane, ExtractionConfig(relation=Relation("source", "public")))
        said.append(
            {name: getattr(caught.value, name) for name in ("message", "column", "relation", "phase", "remedy")}
        )
    assert said[0] == said[1]
    with pytest.raises(errors.DataError) as caught:
        read(postgres_server, database, "copy_native", "select * from source order by k")
    assert (caught.value.rows, caught.value.connection) == ("row 3", "warehouse")


def test_the_session_goes_on_after_a_refusal(postgres_server, database):
    with PostgresExtractor(connection(postgres_server, database)) as extractor:
        for _ in range(2):
            with pytest.raises(errors.DataError, match="'NaN' of type numeric: a decimal cannot carry it"):
                extractor.extract_stream("select 'NaN'::numeric as v from generate_series(1, 1000000)").to_table()
            with extractor.extract_stream("select 7 as a") as again:
                assert list(again) == [{"a": 7}]


# Literals of each type's values; what the text of a random table is made of.
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
RANDOM: dict[str, st.SearchStrategy[str]] = {
    "smallint": st.integers(-(2**15), 2**15 - 1).map(str),
    "integer": st.integers(-(2**31), 2**31 - 1).map(str),
    "bigint": st.integers(-(2**63), 2**63 - 1).map(str),
    "boolean": st.booleans().map(str),
    "real": st.floats(width=32).map(repr),
    "double precision": st.floats().map(repr),
    "numeric(12,3)": st.decimals(-999_999_999, 999_999_999, places=3, allow_nan=False).map(str),
    "numeric(38,17)": st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: f"{n}e-17"),
    "numeric": st.decimals(-(10**20), 10**20, places=9, allow_nan=False).map(str),
    "text": _TEXT,
    "varchar(12)": _TEXT,
    "char(12)": _TEXT,
    "bytea": st.binary(max_size=12).map(lambda data: f"\\x{data.hex()}"),
    "date": st.dates().map(str),
    "time": st.times().map(str),
    "timestamp": st.datetimes().map(str),
    "timestamptz": st.datetimes().map(str),
    "interval": st.tuples(*[st.integers(-9999, 9999)] * 3).map(lambda n: f"{n[0]} mons {n[1]} days {n[2]}.5 secs"),
    "uuid": st.uuids().map(str),
    "mood": st.sampled_from(["sad", "o,k"]),
    "inet": st.ip_addresses().map(lambda address: f"{address}/8"),  # without a mask a cast to text adds one
    "timetz": st.times().map(lambda time: f"{time}+02"),
    "jsonb": st.dictionaries(st.text("abc", max_size=3), st.integers()).map(lambda value: str(value).replace("'", '"')),
}  # fmt: skip


@st.composite
def tables(draw: Any) -> tuple[list[str], list[list[str | None]]]:
    types = draw(st.lists(st.sampled_from(sorted(RANDOM)), min_size=1, max_size=6))
    count = draw(st.integers(0, 40))
    rows = [[draw(st.none() | RANDOM[type_]) for type_ in types] for _ in range(count)]
    return types, rows


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.integers(1, 50))
def test_random_tables(postgres_server, database, target, made, batch_rows):
    """Both lanes agree, and what lands by the native one has the text that the source has."""
    types, rows = made
    named = ", ".join(f"c{number} {type_}, a{number} {type_}[]" for number, type_ in enumerate(types))
    lines = []
    for k, values in enumerate(rows):
        listed = []
        for value, type_ in zip(values, types, strict=True):
            literal = "null" if value is None else "'" + value.replace("'", "''") + "'"
            listed.append(f"{literal}::{type_}, array[{literal}, null, {literal}]::{type_}[]")
        lines.append(f"insert into random_rows values ({k}, {', '.join(listed)});")
    script = f"drop table if exists random_rows; create table random_rows (k int, {named});" + "".join(lines)
    postgres_server.psql(database, script)
    both(postgres_server, database, "select * from random_rows order by k", batch_rows=batch_rows)
    postgres_server.psql(target, "drop table if exists target")
    copy(connection(postgres_server, database), connection(postgres_server, target), relation="random_rows")
    for number, type_ in enumerate(types):
        # The padding of a char(n) within an array is dropped, as alone, where the array's own text shows it.
        for column in [f"c{number}"] if type_ == "char(12)" else [f"c{number}", f"a{number}"]:
            assert texts(postgres_server, database, "random_rows", column) == texts(
                postgres_server, target, "target", column
            )


def test_nulls_at_the_edges_of_bitmaps(postgres_server, database):
    listed = ", ".join(
        f"case when i in (0, 7, 8, 9, 40) then null else {value} end as c{number}"
        for number, value in enumerate(
            ["i", "i::text", "i::numeric(9,2)", "i % 2 = 0", "array[i]", "to_jsonb(i)", "i::float8"]
        )
    )
    for rows in (9, 10, 50_000):
        found = both(postgres_server, database, f"select {listed} from generate_series(0, 40) i", batch_rows=rows)
        for column in found.columns:
            assert [at for at, value in enumerate(column) if not value.is_valid] == [0, 7, 8, 9, 40]
        assert found["c0"].to_pylist()[10:40] == list(range(10, 40))


def test_parts_are_read_by_it_too(postgres_server, database):
    postgres_server.psql(
        database,
        "create table parted as select i, repeat('x', 300) || i as t, '10.0.0.1'::inet + i as a"
        " from generate_series(1, 30000) i",
    )
    with PostgresExtractor(connection(postgres_server, database, parallel=3, batch_rows=1000)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("parted", "public"))) as stream:
            found = stream.to_table().sort_by("i")
            assert (stream.method, stream.how.parts) == ("copy_native", 3)
    assert found.equals(read(postgres_server, database, "copy_streaming", "select * from parted order by i"))
    postgres_server.psql(
        database, "alter table parted add column n numeric; update parted set n = 'NaN' where i = 29000"
    )
    with PostgresExtractor(connection(postgres_server, database, parallel=3)) as extractor:
        with pytest.raises(errors.DataError, match="'NaN' of type numeric: a decimal cannot carry it"):
            extractor.scan(ExtractionConfig(relation=Relation("parted", "public"))).to_table()


ENDLESS = {
    "waits": "select pg_sleep(300) is null as native_endless",
    "sends": "select generate_series(1, 1000000000000) as native_endless",
}


@pytest.mark.parametrize("query", list(ENDLESS))
def test_cancelled_from_another_thread(postgres_server, database, query):
    running = "select count(*) from pg_stat_activity where state = 'active' and query like 'copy%native_endless%'"
    with PostgresExtractor(connection(postgres_server, database)) as extractor:
        thread = cancels_when(extractor, lambda: postgres_server.psql(database, running) == "1")
        with pytest.raises(errors.InterruptedRunError):
            for _ in extractor.extract_stream(ENDLESS[query]).batches():
                pass
        thread.join()
    assert is_over(postgres_server, database)


def is_over(server, database: str) -> bool:
    running = "select count(*) from pg_stat_activity where state = 'active' and query like 'copy%native_endless%'"
    deadline = time.monotonic() + 60
    while server.psql(database, running) != "0" and time.monotonic() < deadline:
        time.sleep(0.05)
    return server.psql(database, running) == "0"


STOPPED = {
    "waits": "select i as native_endless, pg_sleep(case when i > 9000 then 300 else 0 end) is null as v"
    " from generate_series(1, 10000) i",
    "sends": ENDLESS["sends"],
}


@pytest.mark.parametrize("query", list(STOPPED))
def test_closed_from_another_thread(postgres_server, database, query):
    """The session is freed under the reading thread, which is out of libpq by then."""
    extractor, has_begun = PostgresExtractor(connection(postgres_server, database, batch_rows=100)), threading.Event()
    closing = threading.Thread(target=lambda: has_begun.wait(60) and extractor.close())
    closing.start()
    stream = extractor.extract_stream(STOPPED[query])
    with pytest.raises(errors.InterruptedRunError):  # noqa: PT012 - the batches before it are read too
        for _ in stream.batches():
            has_begun.set()
    closing.join()
    assert is_over(postgres_server, database)


def test_closed_before_its_rows_are_asked_for(postgres_server, database):
    """That is no lack of a codec, for which another method would be a remedy."""
    session = connect(connection(postgres_server, database))
    lane = NativeLane(CsvDecoder((ColumnSchema("a", pa.int32()),), (scalar(23, -1, 9),), "public.a"))
    session.close()
    with pytest.raises(psycopg.OperationalError, match="was closed"):
        lane.copy(session, "rollback")


def test_closed_from_two_threads(postgres_server, database):
    extractor, both_are_there = PostgresExtractor(connection(postgres_server, database)), threading.Barrier(2)
    extractor.ping()
    extractor._session.pgconn.send_query(b"select pg_sleep(60)")  # which each of them has to cancel

    def close() -> None:
        both_are_there.wait(60)
        extractor.close()

    with ThreadPoolExecutor(2) as threads:
        for closing in [threads.submit(close) for _ in range(2)]:
            closing.result()


def test_an_interrupt_of_the_keyboard_is_heard(postgres_server, database):
    """It comes to the main thread, which waits for rows here; and the server is told."""
    with PostgresExtractor(connection(postgres_server, database, batch_rows=100)) as extractor:
        stream = extractor.extract_stream(STOPPED["waits"])
        assert stream.read_batch(10).num_rows == 10
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            stream.to_table()
    assert is_over(postgres_server, database)


def test_a_backend_that_is_killed_in_the_middle(postgres_server, database):
    for number in (signal.SIGTERM, signal.SIGKILL) if os.environ.get("DVT_TEST_CRASH") else (signal.SIGTERM,):
        with PostgresExtractor(connection(postgres_server, database, batch_rows=100)) as extractor:
            stream = extractor.extract_stream(ENDLESS["sends"])
            assert stream.read_batch(10).num_rows == 10
            found = "select pid from pg_stat_activity where query like 'copy%native_endless%' order by query_start desc"
            found += " limit 1"
            os.kill(int(postgres_server.psql(database, found)), number)
            with pytest.raises(errors.ConnectionLostError):
                for _ in stream.batches():
                    pass


@contextmanager
def cut_after(port: int, count: int, marker: bytes) -> Iterator[tuple[int, list[int]]]:
    """A proxy that ends a connection `count` bytes after a COPY with a marker was asked for; and what it carried."""
    listener = socket.create_server(("127.0.0.1", 0))
    carried: list[int] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                behind = socket.create_connection(("127.0.0.1", port))
                is_asked = threading.Event()
                threading.Thread(target=ask, args=(client, behind, is_asked), daemon=True).start()
                threading.Thread(target=answer, args=(behind, client, is_asked), daemon=True).start()

    def ask(client: socket.socket, behind: socket.socket, is_asked: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if b"copy (" in data and marker in data:
                    is_asked.set()
                behind.sendall(data)

    def answer(behind: socket.socket, client: socket.socket, is_asked: threading.Event) -> None:
        with suppress(OSError):
            while data := behind.recv(65536):
                if is_asked.is_set():
                    data = data[: max(count - sum(carried), 0)]
                    carried.append(len(data))
                client.sendall(data)
                if is_asked.is_set() and sum(carried) >= count:
                    break
        for end in (behind, client):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], carried
    finally:
        listener.close()


def test_a_connection_cut_at_every_byte(postgres_server, database):
    """No byte is the last of a stream of which rows would be missing: an error, and never fewer rows."""
    query = "select i as cut_here, i::text as t, array[i] as a, i / 4.0 as n from generate_series(1, 3) i"
    for count in range(1, 10_000):
        with cut_after(postgres_server.port, count, b"cut_here") as (port, carried):
            output = postgres_server.output(database) | {"port": port}
            with PostgresExtractor(open_connection("crm", output)) as extractor:
                try:
                    rows = extractor.extract_stream(query).to_table().num_rows
                except errors.ConnectionLostError:
                    continue
        assert rows == 3
        break
    assert count > 200  # the rows alone are more
    assert sum(carried) == count


def test_without_the_library_or_its_libpq_the_rows_come_as_csv(postgres_server, database, monkeypatch):
    monkeypatch.setattr(codec, "load", lambda: "dvt was built without it")
    with PostgresExtractor(connection(postgres_server, database)) as extractor:
        chosen = extractor.chosen()
        assert extractor.extract_stream("select 1 as a").to_table().to_pylist() == [{"a": 1}]
    assert (chosen.method, chosen.passed_over) == ("copy_streaming", ())  # `dvt debug` says why
    monkeypatch.undo()
    library = ctypes.CDLL(None)  # no libpq at all
    monkeypatch.setattr(libpq, "_loaded", lambda: iter([library]))
    monkeypatch.setattr(libpq, "_linked_to", lambda module: [])
    monkeypatch.setattr(libpq, "_of_python_implementation", lambda name: [])
    with PostgresExtractor(connection(postgres_server, database)) as extractor:
        chosen = extractor.chosen()
    assert chosen.method == "copy_streaming"
    assert "no libpq that fits" in str(chosen.passed_over[0])


def test_the_libpq_of_psycopg2(postgres_server, database):
    """Loaded beside psycopg's own, of another version or not; rows come over it."""
    psycopg2 = pytest.importorskip("psycopg2")
    place = postgres_server.output(database)
    session = psycopg2.connect(**{name: place[name] for name in ("host", "port", "user", "password", "dbname")})
    try:
        found = libpq.of_psycopg2(session)
        assert not isinstance(found, str), found
        execute = found.library["PQexec"]
        execute.argtypes, execute.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_void_p
        assert execute(found.connection, b"copy (select i from generate_series(1, 5) i) to stdout (format binary)")
        library = codec.load()
        assert not isinstance(library, str)
        decoder = Decoder(library, [Reading(pa.int32(), codec.INT32)], ["i"], [False])
        while (outcome := decoder.pull(found, 100, 1 << 20)) == native.WAITING:
            pass
        assert outcome == native.ENDED
        assert decoder.batch().to_pydict() == {"i": [1, 2, 3, 4, 5]}
        decoder.close()
    finally:
        session.close()
    assert isinstance(libpq.of_psycopg2(session), str) or session.closed


def test_rows_that_trickle_let_python_hear_signals(postgres_server, database):
    """Each row is a message of the server's own: C comes back before the batch is full."""
    query = "select repeat('x', 9000) as t, pg_sleep(0.02) is null as n from generate_series(1, 60)"
    place = postgres_server.output(database)
    login = {name: place[name] for name in ("host", "port", "user", "password", "dbname")}
    with psycopg.connect(**login) as session:
        found = libpq.of_psycopg(session)
        library = codec.load()
        assert not isinstance(found, str)
        assert not isinstance(library, str)
        wire = Wire(session)
        wire.start_copy(f"copy ({query}) to stdout (format binary)")
        readings = [Reading(pa.string(), codec.TEXT), Reading(pa.bool_(), codec.BOOL)]
        decoder = Decoder(library, readings, ["t", "n"], [True, True])
        waited = 0
        while (outcome := decoder.pull(found, 50_000, 1 << 24)) == native.WAITING:
            waited += 1
        assert outcome == native.ENDED
        assert wire.finish_copy() == decoder.batch().num_rows == 60
        assert waited >= 60 // 8 - 1
        decoder.close()


BY_OTHER_LIBPQ = """\
import json, sys
import psycopg2  # another libpq is loaded first
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.registry import open_connection
import psycopg
with PostgresExtractor(open_connection("crm", json.loads(sys.stdin.read()))) as extractor:
    with extractor.scan(ExtractionConfig(query="select '1.1.1.1'::inet + i as a from generate_series(1, 3) i")) as rows:
        print(psycopg.pq.__impl__, rows.method, rows.to_table().to_pylist()[2]["a"])
"""


@pytest.mark.parametrize("implementation", ["binary", "python"])
def test_the_libpq_of_each_implementation_of_psycopg(postgres_server, database, implementation):
    import json

    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", BY_OTHER_LIBPQ],
        input=json.dumps(postgres_server.output(database)),
        env={**os.environ, "PSYCOPG_IMPL": implementation},
        capture_output=True,
        text=True,
        check=False,
        cwd=tests,
    )
    if "no pq wrapper available" in done.stderr:
        pytest.skip(f"psycopg has no implementation {implementation} here: {done.stderr.splitlines()[-1]}")
    assert done.stdout.split() == [implementation, "copy_native", "1.1.1.4"], done.stderr


BESIDE_ANOTHER_OF_ITS_VERSION = """\
import ctypes, importlib, json, pathlib, shutil, sys
from dvt.native import libpq
driver, folder = importlib.import_module(sys.argv[1]), pathlib.Path(sys.argv[2])
session = driver.connect(**json.loads(sys.stdin.read()))
find = libpq.of_psycopg if driver.__name__ == "psycopg" else libpq.of_psycopg2
wanted = find(session)
paths = libpq._paths()
others = [ctypes.CDLL(shutil.copy(path, folder)) for path in paths]
assert wanted.library.PQlibVersion() in [one.PQlibVersion() for one in others]
assert len(libpq._paths()) == 2 * len(paths)
print(find(session).address("PQgetCopyData") == wanted.address("PQgetCopyData"))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libraries are looked for as Linux shows them")
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_of_two_libraries_of_one_version_the_drivers_is_taken(postgres_server, database, tmp_path, driver):
    """Two wheels may have the same libpq, each with an OpenSSL of its own: the other's must not read the session.

    The copy is found first where its folder's name comes before the driver's.
    """
    import json

    pytest.importorskip(driver)
    place = postgres_server.output(database)
    done = subprocess.run(
        [sys.executable, "-c", BESIDE_ANOTHER_OF_ITS_VERSION, driver, str(tmp_path)],
        input=json.dumps({name: place[name] for name in ("host", "port", "user", "password", "dbname")}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
