"""Loading and landing in MySQL: whole or not at all, readers never notice, the server's words become errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest
from integration.mysql_kit import DRIVERS, connect, copy, load, stream
from servers.mariadb import MariaDBServer, numbers

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.mysql import SPEC
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.mysql import MySQLLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote

pytestmark = pytest.mark.mysql


@pytest.fixture
def database(mariadb_server: MariaDBServer) -> str:
    return mariadb_server.create_database("landing")


def tables(server: MariaDBServer) -> list[str]:
    found = server.query("select table_name from information_schema.tables where table_schema = 'landing' order by 1")
    return found.split("\n") if found else []


def three(word: str = "w") -> pa.Table:
    return pa.table({"id": pa.array([1, 2, 3], pa.int32()), "word": [f"{word}1", None, ""]})


def test_a_missing_database_is_made(mariadb_server: MariaDBServer, database: str) -> None:
    mariadb_server.execute("drop database landing")
    assert load(connect(mariadb_server, "landing"), three(), "t").rows == 3
    assert mariadb_server.query("select id, word, word is null from t order by id", "landing") == (
        "1\tw1\t0\n2\tNULL\t1\n3\t\t0"
    )


def test_zero_rows_make_a_table_with_columns(mariadb_server: MariaDBServer, database: str) -> None:
    result = load(connect(mariadb_server, "landing"), three().slice(0, 0), "t")
    assert (result.rows, mariadb_server.query("select count(*), count(word) from t", "landing")) == (0, "0\t0")


@pytest.mark.parametrize("name", ["a`b", "dot.ted", "select", "new\nline", "per%s{x}", "Ü" * 64, "semi;'\""])
@pytest.mark.parametrize("mode", ["table", "merge"])
def test_nasty_identifiers(mariadb_server: MariaDBServer, database: str, name: str, mode: str) -> None:
    connection = connect(mariadb_server, "landing")
    column = name[:60] + "-c"
    for word in ("old", "new"):
        table = pa.table({column: [word], "id" + column: ["k"]})
        load(connection, table, name, mode=mode, unique_key=("id" + column,) if mode == "merge" else ())
    assert "\n".join(tables(mariadb_server)) == name
    found = mariadb_server.query(f"select {quote(column, 'mysql')} from {quote(name, 'mysql')}", "landing")
    assert found == "new"


def test_the_server_forbids_local_infile(mariadb_server: MariaDBServer, database: str) -> None:
    mariadb_server.execute("set global local_infile = 0")
    try:
        result = load(connect(mariadb_server, "landing"), three(), "t")
    finally:
        mariadb_server.execute("set global local_infile = 1")
    assert (result.method, result.rows) == ("insert", 3)


@pytest.mark.parametrize("local_infile", [True, False])
@pytest.mark.parametrize(
    ("column", "declared", "told"),
    [
        (pa.array(["abc", "abcdef"]), "varchar(5)", "c"),
        (pa.array(["1", "x"]), "int", "c"),
        (pa.array([1, 300]), "tinyint", "c"),
        (pa.array(["1.5", "1.55"]), "decimal(5,1)", "c"),
        (pa.array(["{}", "{"]), "json", "c"),
        (pa.array(["1", None]), "int not null", "c"),
        (pa.array(["é", "😀"]), "varchar(5) character set latin1", "c"),
    ],
)
def test_a_value_that_the_column_would_change_stops_the_load(
    mariadb_server: MariaDBServer, database: str, local_infile: bool, column: pa.Array, declared: str, told: str
) -> None:
    connection = connect(mariadb_server, "landing", local_infile=local_infile)
    load(connection, three("old"), "t")
    table = pa.table({"id": [1, 2], "c": column})
    with pytest.raises(errors.DataError) as caught:
        load(connection, table, "t", declared={"c": declared})
    assert caught.value.column == told
    assert tables(mariadb_server) == ["t"]
    assert mariadb_server.query("select group_concat(word order by id) from t", "landing") == "old1,"


def test_a_failing_source_leaves_the_old_table(mariadb_server: MariaDBServer, database: str) -> None:
    connection = connect(mariadb_server, "landing")
    load(connection, three("old"), "t")

    def broken() -> Iterator[pa.RecordBatch]:
        yield three().to_batches()[0]
        raise errors.ConnectionLostError("the source broke")

    columns = [ColumnSchema(f.name, f.type) for f in three().schema]
    with MySQLLoader(connection) as loader:
        for _ in range(2):
            with pytest.raises(errors.ConnectionLostError, match="the source broke"):
                loader.load(
                    RowStream(columns, broken()),
                    LoadConfig(Relation("t")),
                )
        assert loader.load(stream(three("new")), LoadConfig(Relation("t"))).rows == 3
    assert tables(mariadb_server) == ["t"]
    assert mariadb_server.query("select group_concat(word order by id) from t", "landing") == "new1,"


def test_cancel_ends_a_running_load(mariadb_server: MariaDBServer, database: str) -> None:
    connection = connect(mariadb_server, "landing")
    loader = MySQLLoader(connection)
    loader.ensure_schema(Relation("t"))

    def endless() -> Iterator[pa.RecordBatch]:
        while True:
            yield three().to_batches()[0]

    columns = [ColumnSchema(f.name, f.type) for f in three().schema]
    timer = threading.Timer(0.5, loader.cancel)
    timer.start()
    with pytest.raises(errors.InterruptedRunError):
        loader.load(RowStream(columns, endless()), LoadConfig(Relation("t")))
    timer.join()
    loader.close()
    assert tables(mariadb_server) == []


def test_readers_never_miss_the_table(mariadb_server: MariaDBServer, database: str) -> None:
    connection = connect(mariadb_server, "landing")
    load(connection, three(), "t")
    seen: list[object] = []
    done = threading.Event()

    def look() -> None:
        import pymysql

        output = mariadb_server.output("landing")
        reader = pymysql.connect(
            host=output["server"],
            port=output["port"],
            user=output["username"],
            password=output["password"],
            database="landing",
            autocommit=True,
        )
        with reader, reader.cursor() as cursor:
            while not done.is_set():
                try:
                    cursor.execute("select count(*) from t")
                    seen.append(cursor.fetchone()[0])
                except pymysql.err.Error as error:
                    seen.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    with MySQLLoader(connection) as loader:
        for round_ in range(20):
            loader.load(stream(three(str(round_))), LoadConfig(Relation("t"), run_id=f"{round_:08x}"))
    done.set()
    thread.join()
    assert len(seen) > 20
    assert set(seen) == {3}
    assert tables(mariadb_server) == ["t"]


def test_comments_and_grants_survive_a_swap(mariadb_server: MariaDBServer, database: str) -> None:
    connection = connect(mariadb_server, "landing")
    table = three().append_column("j", pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"] * 3)))
    load(connection, table, "t")
    mariadb_server.execute(
        "alter table t comment = 'it''s \\\\ mine', modify column word longtext comment 'a `word`', "
        "modify column j json comment 'jj';"
        "drop user if exists reader@localhost; create user reader@localhost;"
        "grant select on landing.t to reader@localhost",
        "landing",
    )
    before = mariadb_server.query("show grants for reader@localhost")
    load(connection, table, "t")
    assert mariadb_server.query(
        "select table_comment from information_schema.tables where table_schema = database()", "landing"
    ) == ("it's \\ mine")
    columns = (
        "select column_name, column_comment, collation_name from information_schema.columns"
        " where table_schema = database()"
    )
    assert mariadb_server.query(columns + " and column_comment <> '' order by 1", "landing") == (
        "j\tjj\tutf8mb4_bin\nword\ta `word`\tutf8mb4_nopad_bin"
        if mariadb_server.is_mariadb  # its JSON is text with a check, and that of dvt in MySQL is text
        else "j\tjj\tutf8mb4_0900_bin\nword\ta `word`\tutf8mb4_0900_bin"
    )
    assert mariadb_server.query("show grants for reader@localhost") == before
    with MySQLLoader(connection) as loader:
        described = loader.describe(Relation("t"))
        assert described is not None
        natives = ["int(11)", "longtext", "json"] if mariadb_server.is_mariadb else ["int", "longtext", "longtext"]
        assert [c.native_type for c in described] == natives


def test_a_table_takes_the_place_of_a_view(mariadb_server: MariaDBServer, database: str) -> None:
    connection = connect(mariadb_server, "landing")
    mariadb_server.execute("create view t as select 1 as x", "landing")
    load(connection, three(), "t")
    assert mariadb_server.query("show full tables", "landing") == "t\tBASE TABLE"
    mariadb_server.execute("create view v as select 1 as id, 'a' as word", "landing")
    with pytest.raises(errors.DataError, match="view"):
        load(connection, three(), "v", mode="append")


def test_foreign_keys_and_triggers_are_not_dropped_silently(mariadb_server: MariaDBServer, database: str) -> None:
    connection = connect(mariadb_server, "landing")
    mariadb_server.execute(
        "create table t (id int primary key, word text); create table child (t_id int references t (id));"
        "create table watched (id int, word text);"
        "create trigger w before insert on watched for each row set new.word = 'x'",
        "landing",
    )
    with pytest.raises(errors.DataError, match="child"):
        load(connection, three(), "t")
    with pytest.raises(errors.DataError, match="triggers: w"):
        load(connection, three(), "watched")
    load(connection, three(), "watched", drop_dependents=True)
    assert tables(mariadb_server) == ["child", "t", "watched"]


def content(server: MariaDBServer, order: str = "1, 2") -> list[str]:
    return server.query(f"select * from t order by {order}", "landing").split("\n")


@pytest.mark.parametrize("driver", DRIVERS)
def test_append(mariadb_server: MariaDBServer, database: str, driver: str) -> None:
    connection = connect(mariadb_server, "landing", driver=driver)
    mariadb_server.execute(
        "create table t (word text, id int auto_increment primary key, more int default 9)", "landing"
    )
    load(connection, pa.table({"id": [0, 5], "word": ["zero", "five"]}), "t", mode="append")
    assert content(mariadb_server, "id") == ["zero\t0\t9", "five\t5\t9"]
    with pytest.raises(errors.DataError, match="extra") as caught:
        load(connection, pa.table({"id": [6], "extra": [1]}), "t", mode="append")
    assert caught.value.column == "extra"
    with pytest.raises(errors.DuplicateKeyError):
        load(connection, pa.table({"id": [7, 5], "word": ["a", "b"]}), "t", mode="append")
    assert len(content(mariadb_server)) == 2
    assert tables(mariadb_server) == ["t"]


@pytest.mark.parametrize("mode", ["merge", "delete+insert"])
@pytest.mark.parametrize("collation", ["utf8mb4_nopad_bin", "utf8mb4_general_ci", "latin1_swedish_ci"])
def test_keys_are_matched_letter_for_letter(
    mariadb_server: MariaDBServer, database: str, mode: str, collation: str
) -> None:
    connection = connect(mariadb_server, "landing")
    charset = collation.split("_")[0]
    if not mariadb_server.is_mariadb:
        collation = collation.replace("nopad", "0900")
    mariadb_server.execute(
        f"create table t (k varchar(20) character set {charset} collate {collation}, n int, kept int default 7);"
        "insert into t values ('a', 1, 1), ('A', 2, 2), ('a ', 3, 3), (null, 4, 4), ('gone', 5, 5)",
        "landing",
    )
    delta = pa.table({"k": pa.array(["a", "a ", None, "é"]), "n": [10, 30, 40, 60]})
    for _ in range(2):  # the second time changes nothing
        load(connection, delta, "t", mode=mode, unique_key=("k",))
        kept = {"merge": ("1", "3", "4"), "delete+insert": ("7", "7", "7")}[mode]
        assert sorted(content(mariadb_server)) == sorted(
            [f"a\t10\t{kept[0]}", "A\t2\t2", f"a \t30\t{kept[1]}", f"NULL\t40\t{kept[2]}", "gone\t5\t5", "é\t60\t7"]
        )
    assert tables(mariadb_server) == ["t"]


def test_merge_with_several_keys_and_nothing_else(mariadb_server: MariaDBServer, database: str) -> None:
    connection = connect(mariadb_server, "landing")
    first = pa.table({"a": [1, 1], "b": [b"\xff", None]})
    load(connection, first, "t")
    load(connection, pa.table({"a": [1, 1, 2], "b": [b"\xff", b"", None]}), "t", mode="merge", unique_key=("a", "b"))
    assert mariadb_server.query("select a, hex(b) from t order by 1, 2", "landing") == "1\tNULL\n1\t\n1\tFF\n2\tNULL"


def test_duplicate_keys_are_named_and_nothing_lands(mariadb_server: MariaDBServer, database: str) -> None:
    connection = connect(mariadb_server, "landing")
    load(connection, pa.table({"k": ["x"], "n": [1]}), "t")
    with pytest.raises(errors.DuplicateKeyError, match='2 rows with the key k = "dou\'ble"'):
        load(
            connection,
            pa.table({"k": ["x", "dou'ble", "dou'ble"], "n": [2, 3, 4]}),
            "t",
            mode="merge",
            unique_key=("k",),
        )
    assert content(mariadb_server) == ["x\t1"]
    assert tables(mariadb_server) == ["t"]


def test_a_failing_merge_changes_nothing(mariadb_server: MariaDBServer, database: str) -> None:
    mariadb_server.execute(
        "create table t (k int, n tinyint, check (n <> 5)); insert into t values (1, 1), (2, 2)", "landing"
    )
    for mode in ("merge", "delete+insert"):
        for wrong in (5, 300):
            delta = pa.table({"k": [1, 3], "n": [100, wrong]})
            with pytest.raises(errors.DataError):
                load(connect(mariadb_server, "landing"), delta, "t", mode=mode, unique_key=("k",))
            assert content(mariadb_server) == ["1\t1", "2\t2"]
    assert tables(mariadb_server) == ["t"]


def test_a_narrower_target_does_not_round(mariadb_server: MariaDBServer, database: str) -> None:
    mariadb_server.execute("create table t (k int, n decimal(5,1))", "landing")
    from decimal import Decimal

    with pytest.raises(errors.DataError) as caught:
        load(connect(mariadb_server, "landing"), pa.table({"k": [1], "n": [Decimal("1.25")]}), "t", mode="append")
    assert caught.value.column == "n"
    assert mariadb_server.query("select count(*) from t", "landing") == "0"


def test_an_engine_without_transactions_is_refused(mariadb_server: MariaDBServer, database: str) -> None:
    mariadb_server.execute("create table t (id int, word text) engine = MyISAM", "landing")
    with pytest.raises(errors.DataError, match="transactions"):
        load(connect(mariadb_server, "landing"), three(), "t", mode="append")


def test_a_copy_while_both_sides_are_open(mariadb_server: MariaDBServer, database: str) -> None:
    mariadb_server.execute(
        "create table s (id bigint, amount decimal(12,2), name varchar(50), at datetime(6), f double);"
        "insert into s select seq, seq / 7, concat('n', seq), '2024-01-01' + interval seq second, seq * 1.1"
        f" from {numbers(50000)}",
        "landing",
    )
    assert copy(connect(mariadb_server, "landing"), "s", "t").rows == 50_000
    sums = "select count(*), sum(id), sum(amount), sum(crc32(name)), sum(crc32(at)), sum(crc32(f)) from "
    assert mariadb_server.query(sums + "t", "landing") == mariadb_server.query(sums + "s", "landing")


def test_privileges(mariadb_server: MariaDBServer, database: str) -> None:
    mariadb_server.execute(
        "drop user if exists weak@localhost; create user weak@localhost identified by 'weak-geheim';"
        "drop user if exists weak@'127.0.0.1'; create user weak@'127.0.0.1' identified by 'weak-geheim';"
        "grant select on landing.* to weak@localhost; grant select on landing.* to weak@'127.0.0.1'"
    )
    with MySQLLoader(connect(mariadb_server, "landing")) as loader:
        loader.check_create_privilege("landing")
    output = mariadb_server.output("landing", username="weak", password="weak-geheim")
    with MySQLLoader(Connection.from_output("weak", output, SPEC)) as loader:
        with pytest.raises(errors.PrivilegeError):
            loader.check_create_privilege("landing")
    assert tables(mariadb_server) == []


def test_an_append_by_who_may_not_drop_is_no_failure(
    mariadb_server: MariaDBServer, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows are committed when the private table cannot be dropped: an error would have them sent again."""
    names = ("nodrop@localhost", "nodrop@'127.0.0.1'")
    for name in names:
        mariadb_server.execute(f"drop user if exists {name}; create user {name} identified by 'weak-geheim'")
        mariadb_server.execute(f"grant select, insert, create on landing.* to {name}")
    mariadb_server.execute("create table t (id int)", "landing")
    output = mariadb_server.output("landing", username="nodrop", password="weak-geheim")
    weak = Connection.from_output("weak", output, SPEC)
    with caplog.at_level("WARNING", logger="dvt"):
        load(weak, pa.table({"id": [1, 2]}), "t", mode="append")
    assert content(mariadb_server, "1") == ["1", "2"]
    (left,) = [name for name in tables(mariadb_server) if name != "t"]
    (told,) = caplog.messages
    assert told.startswith("the rows are in place; ")
    assert left in told
    assert "DROP command denied" in told
    for name in names:
        mariadb_server.execute(f"drop user {name}")


def test_a_row_longer_than_the_server_takes(mariadb_server: MariaDBServer, database: str) -> None:
    most = int(mariadb_server.query("select @@max_allowed_packet"))
    table = pa.table({"id": [1, 2], "b": pa.array([b"x", b"y" * (most + 1)])})
    with pytest.raises(errors.DataError) as caught:
        load(connect(mariadb_server, "landing"), table, "t")
    assert caught.value.column == "b"
    fits = pa.table({"t": ["ä\\" * (most // 8)], "b": pa.array([b"y" * (most // 2)])})
    load(connect(mariadb_server, "landing"), fits, "t")
    assert (
        mariadb_server.query(
            "select char_length(t), sha2(t, 256) = sha2(repeat('ä\\\\', char_length(t) / 2), 256), length(b) from t",
            "landing",
        )
        == f"{most // 8 * 2}\t1\t{most // 2}"
    )
