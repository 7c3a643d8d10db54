"""What of a column's values has a place in Athena's files, what is refused, and the statements that stand for calls."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dvt.errors import DataError
from dvt.federation.loaders.athena_changes import rewritten
from dvt.federation.loaders.athena_swap import Statement, as_statement, require_plain
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.identifiers import Relation
from dvt.types.athena_landing import athena_type, stored
from dvt.types.vocabulary import DATE_MINUS_INFINITY, JSON, MICROS, MICROS_UTC, TIME, TIMESTAMP_INFINITY

FITS: list[tuple[pa.DataType, Any, str, pa.DataType, Any]] = [
    (pa.uint64(), 2**64 - 1, "decimal(20,0)", pa.decimal128(20, 0), Decimal(2**64 - 1)),
    (pa.int64(), 5, "integer", pa.int32(), 5),
    (pa.int64(), 5, "decimal(5, 2)", pa.decimal128(5, 2), Decimal(5)),
    (pa.string(), "größe", "varchar(5)", pa.string(), "größe"),
    (TIME, dt.time(1, 2, 3, 4), "string", pa.string(), "01:02:03.000004"),
    (
        MICROS,
        dt.datetime(1969, 12, 31, 1, 2, 3, 4000),
        "timestamp",
        pa.timestamp("ms"),
        dt.datetime(1969, 12, 31, 1, 2, 3, 4000),
    ),
    (MICROS_UTC, dt.datetime(1, 1, 1, tzinfo=dt.timezone.utc), "timestamp", pa.timestamp("ms"), dt.datetime(1, 1, 1)),
    (pa.list_(pa.int32()), [1, None], "string", pa.string(), "[1,null]"),
    (pa.float64(), 0.5, "real", pa.float32(), 0.5),
]


@pytest.mark.parametrize(("type_", "value", "native", "carrier", "expected"), FITS)
def test_what_fits(type_: pa.DataType, value: Any, native: str, carrier: pa.DataType, expected: Any) -> None:
    column = stored(native)
    assert column is not None
    found = column.values(pa.array([value, None], type_))
    assert (found.type, column.type) == (carrier, carrier)
    assert found.to_pylist() == [expected, None]


REFUSED: list[tuple[pa.DataType, Any, str]] = [
    (pa.int64(), 2**31, "int"),
    (pa.decimal128(10, 3), Decimal("1.234"), "decimal(10,2)"),
    (pa.float64(), 0.1, "float"),
    (pa.string(), "abc", "varchar(2)"),
    (MICROS, dt.datetime(2026, 1, 1, 0, 0, 0, 1), "timestamp"),
    (MICROS, pa.scalar(TIMESTAMP_INFINITY, MICROS), "timestamp"),
    (MICROS_UTC, dt.datetime(1969, 1, 1, 0, 0, 0, 1, tzinfo=dt.timezone.utc), "timestamp"),
    (pa.date32(), pa.scalar(DATE_MINUS_INFINITY, pa.int32()).cast(pa.date32()), "date"),
]


@pytest.mark.parametrize(("type_", "value", "native"), REFUSED)
def test_what_would_change_is_refused(type_: pa.DataType, value: Any, native: str) -> None:
    column = stored(native)
    assert column is not None
    array = pa.array([value], type_) if not isinstance(value, pa.Scalar) else pa.repeat(value, 1)
    with pytest.raises(ValueError, match=r"."):
        column.values(array)


@pytest.mark.parametrize("native", ["char(3)", "timestamp(6)", "array<int>", "int); drop table t", "decimal(39,0)", ""])
def test_types_that_nothing_is_stored_in(native: str) -> None:
    assert stored(native) is None


def test_every_type_of_its_own_is_one_that_is_stored() -> None:
    for type_ in (pa.uint8(), pa.uint64(), pa.float32(), pa.binary(), TIME, MICROS, MICROS_UTC, JSON, pa.uuid()):
        native = athena_type(type_)
        assert native is not None
        assert stored(native) is not None
    assert athena_type(pa.month_day_nano_interval()) is None


def test_statements_that_stand_for_calls() -> None:
    p, t = Relation("p", "s"), Relation("t", "s")
    comment = '/* {"app": "dbt"} */\n'
    assert as_statement(f'{comment}alter table "s"."t" exchange with "s"."p"') == Statement("exchange", t, p)
    assert as_statement('alter table "s"."p" rename to "s"."t";') == Statement("rename", t, p)
    assert as_statement('alter table "s"."t" append files of "s"."p"') == Statement("append", t, p)
    assert as_statement("alter table t add columns (x int)") is None
    assert as_statement("select 'alter table t exchange with p'") is None


@pytest.mark.parametrize(
    ("table", "what"),
    [({"PartitionKeys": [{"Name": "day"}]}, "partitioned"), ({"Parameters": {"table_type": "ICEBERG"}}, "ICEBERG")],
)
def test_targets_that_are_no_plain_tables(table: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError, match=what):
        require_plain(table)


def test_a_merge_that_would_lose_a_column_is_refused() -> None:
    changes = Changes(ChangeWords(merge="replace"), "athena", Relation("p"), Relation("t"), {"id": None}, ("id",))
    types = {"id": "bigint", "name": "string"}
    with pytest.raises(DataError) as raised:
        rewritten(changes, "merge", types, {"id"})
    assert raised.value.column == "name"
    query = rewritten(changes, "delete+insert", types, {"id"})
    assert 'cast(null as varchar) as "name"' in query
    assert 'where not exists (select 1 from "p" as s where t."id" = s."id")' in query


def test_nan_is_the_same_in_a_shorter_float() -> None:
    column = stored("real")
    assert column is not None
    found = column.values(pa.array([float("nan"), float("-inf"), 1.5, None]))
    assert str(found.to_pylist()) == "[nan, -inf, 1.5, None]"
    with pytest.raises(ValueError, match="none of float"):
        column.values(pa.array([float("nan"), 0.1]))
