"""JSON lines there and back; the oracles are DuckDB's reader, Python's, and the bytes of the files."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from local_engines import connection, from_table, read, stream

from dvt.errors import DataError
from dvt.federation.extractors.files import FilesExtractor
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.files import FilesLoader
from dvt.identifiers import Relation

ROW = """select true b, 1::tinyint i, 9223372036854775807 big, 18446744073709551615::ubigint u8, 1.1::float f4,
    1::double whole, 5e-324::double f8, 1e300::double large,
    '1234567890123456789012345678.0123456789'::decimal(38, 10) n,
    0.0000001::decimal(18, 10) small, '' e, null::int z, 'a"b\\c,'||chr(10)||chr(1)||'é\u2028' s, date '2024-02-29' d,
    time '10:00:00.5' ti, timestamp '2024-02-29 10:00:00' ts, timestamptz '2024-02-29 10:00:00+02' tz,
    interval '1 day' iv, '{"a":  1.50}'::json j, [1, null] l, {'x': 'y', 'n': 1.50} st,
    '6f2c1f9e-1111-4222-8333-444455556666'::uuid u"""
LINE = (
    '{"b":true,"i":1,"big":9223372036854775807,"u8":18446744073709551615,"f4":1.1,"whole":1.0,"f8":5e-324,'
    '"large":1e+300,"n":"1234567890123456789012345678.0123456789","small":"0.0000001000","e":"","z":null,'
    '"s":"a\\"b\\\\c,\\n\\u0001é\u2028","d":"2024-02-29","ti":"10:00:00.5","ts":"2024-02-29 10:00:00",'
    '"tz":"2024-02-29 08:00:00+00:00","iv":"P1D","j":{"a":  1.50},"l":[1,null],"st":{"x":"y","n":1.50},'
    '"u":"6f2c1f9e-1111-4222-8333-444455556666"}\n'
)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path


def load(lake: Path, rows: Any, **config: Any) -> Any:
    given = stream(rows) if isinstance(rows, str) else from_table(rows)
    with FilesLoader(connection("files", lake, path=".", format="jsonl")) as loader:
        return loader.load(given, LoadConfig(Relation("t"), run_id="0a1b2c3d", **config))


def found(lake: Path, **more: Any) -> pa.Table:
    with FilesExtractor(connection("files", lake, path=".")) as extractor:
        return read(extractor, "t", **more)


def wrote(lake: Path, text: str | bytes) -> None:
    (lake / "t.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())


def test_a_row_is_written_byte_for_byte_and_others_read_it(lake: Path) -> None:
    load(lake, ROW)
    assert (lake / "t.jsonl").read_text() == LINE
    assert json.loads(LINE)["s"] == 'a"b\\c,\n\x01é\u2028'
    types = (
        "{big: 'bigint', u8: 'ubigint', f8: 'double', n: 'decimal(38,10)', s: 'varchar', tz: 'timestamptz', z: 'int'}"
    )
    with duckdb.connect() as session:
        session.execute("set timezone = 'UTC'")
        asked = f"from read_json('{lake}/t.jsonl', columns = {types}, format = 'newline_delimited')"
        assert session.execute("select big, u8, f8, n, s, tz::varchar, z " + asked).fetchall() == [
            (
                9223372036854775807,
                18446744073709551615,
                5e-324,
                Decimal("1234567890123456789012345678.0123456789"),
                'a"b\\c,\n\x01é\u2028',
                "2024-02-29 08:00:00+00",
                None,
            )
        ]


def test_declared_columns_come_back_as_they_were(lake: Path) -> None:
    load(lake, ROW)
    declared = {"i": "tinyint", "u8": "ubigint", "f4": "float", "n": "numeric(38,10)", "z": "integer", "d": "date"}
    declared |= {"ti": "time", "ts": "timestamp", "tz": "timestamptz", "u": "uuid", "j": "json"}
    back, there = found(lake, declared=declared), stream(ROW).to_table()
    for name in (*declared, "b", "big", "whole", "f8", "large", "e", "s"):
        assert back.column(name).combine_chunks().equals(there.column(name).combine_chunks()), name
    assert found(lake, columns=("j", "n")).to_pydict() == {
        "j": ['{"a":  1.50}'],
        "n": ["1234567890123456789012345678.0123456789"],
    }


@pytest.mark.parametrize(
    "value",
    [
        "'nan'::double",
        "'-inf'::double",
        "'\\x00'::blob",
        "'null'::json",
        "'infinity'::timestamp",
        "['nan'::double]",
        '\'{"a": 1, "a": 2}\'::json',
    ],
)
def test_a_value_that_json_has_not_is_named(lake: Path, value: str) -> None:
    load(lake, "select 1 as v")
    with pytest.raises(DataError) as caught:
        load(lake, f"select 1 as ok, {value} as v")
    assert caught.value.column == "v"
    assert os.listdir(lake) == ["t.jsonl"]
    assert (lake / "t.jsonl").read_text() == '{"v":1}\n'


def test_types_are_what_all_rows_say(lake: Path) -> None:
    rows: list[str] = ['{"a": 1, "t": true, "late": 1}'] * 3000
    rows += ['{"late": "x", "frac": 0.10, "digits": 0.12345678901234567890, "mixed": 1, "wide": 9007199254740993}']
    rows += [
        '{"frac": 1, "digits": 1.50, "mixed": {"k": [1.0]}, "none": null, "wide": 1, "huge": 18446744073709551616}'
    ]
    wrote(lake, "\ufeff" + "\r\n\n".join(rows))
    table = found(lake, batch_size=700)
    assert {field.name: str(field.type) for field in table.schema} == {
        "a": "int64",
        "t": "bool",
        "late": "extension<arrow.json>",
        "frac": "double",
        "digits": "string",
        "mixed": "extension<arrow.json>",
        "wide": "int64",
        "none": "string",
        "huge": "string",
    }
    tail = table.slice(table.num_rows - 2)
    assert tail.column("digits").to_pylist() == ["0.12345678901234567890", "1.50"]
    assert tail.column("mixed").to_pylist() == ["1", '{"k": [1.0]}']
    assert tail.column("wide").to_pylist() == [9007199254740993, 1]
    assert tail.column("frac").to_pylist() == [0.1, 1.0]
    assert table.column("late").to_pylist() == ["1"] * 3000 + ['"x"', None]
    assert table.column("huge").to_pylist()[-1] == "18446744073709551616"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b'{"a": 1}\n{"a": 2', "line 2"),
        (b'{"a": 1}\n[1]\n', "line 2"),
        (b'{"a": 1}{"a": 2}\n', "line 1"),
        (b'{"a": NaN}\n', "NaN"),
        (b'{"a": 1, "a": 2}\n', "twice"),
        (b'{"a": "\xff"}\n', "UTF-8"),
        (b'{"a": "x\ny"}\n', "line 1"),
        (b"\n", "no rows"),
        (b'{"a": "' + b"x" * 3000 + b'"}\n', "larger than a block"),
    ],
)
def test_lines_that_are_none_stop_the_run(lake: Path, text: bytes, what: str) -> None:
    wrote(lake, text)
    con = connection("files", lake, path=".", dvt={"block_bytes": 2048})
    with FilesExtractor(con) as extractor, pytest.raises(DataError, match=what):
        read(extractor, "t")


def test_a_value_that_is_not_of_its_declared_type_is_named(lake: Path) -> None:
    wrote(lake, '{"a": 1}\n\n{"a": 1.5}\n')
    with pytest.raises(DataError, match=r"'1\.5' is not of the declared type integer") as caught:
        found(lake, declared={"a": "integer"})
    assert (caught.value.column, caught.value.rows) == ("a", "row 3")


def test_an_append_leaves_the_lines_as_they_are(lake: Path) -> None:
    wrote(lake, '{"a": 1, "n": 0.12345678901234567890, "x": null}')
    load(lake, "select 2::bigint as a, 'y' as x", mode="append")
    assert (lake / "t.jsonl").read_text() == '{"a": 1, "n": 0.12345678901234567890, "x": null}\n{"a":2,"x":"y"}\n'
    for wrong, column in (("select 'x' as a", "a"), ("select 1 as other", "other")):
        with pytest.raises(DataError) as caught:
            load(lake, wrong, mode="append")
        assert caught.value.column == column
    assert os.listdir(lake) == ["t.jsonl"]
    assert len((lake / "t.jsonl").read_text().splitlines()) == 2
