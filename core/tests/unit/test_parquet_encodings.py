"""Encodings change nothing of what a Parquet file holds: read again by PyArrow, and by DuckDB."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dvt.federation.parquet_encodings import encodings

ROWS = 4000
DELTA = "DELTA_BINARY_PACKED"


def written(path: Path, batch: pa.RecordBatch, pieces: int = 3) -> pq.ParquetFile:
    """A file of a batch that comes in pieces, with the encodings of the first."""
    step = -(-batch.num_rows // pieces) or 1
    parts = [batch.slice(start, step) for start in range(0, batch.num_rows, step)]
    options = encodings(parts[0] if parts else None)
    with pq.ParquetWriter(path, batch.schema, compression="zstd", **options) as writer:
        for part in parts:
            writer.write_batch(part)
    return pq.ParquetFile(path)


def encoded(file: pq.ParquetFile) -> dict[str, tuple[bool, bool]]:
    """For each column whether it has a dictionary, and whether it holds differences."""
    group = file.metadata.row_group(0)
    columns = [group.column(at) for at in range(group.num_columns)]
    return {c.path_in_schema: (c.has_dictionary_page, DELTA in c.encodings) for c in columns}


def test_values_that_come_back_have_a_dictionary_and_keys_have_none(tmp_path: Path) -> None:
    columns = {"id": list(range(ROWS)), "kind": ["a", "b"] * (ROWS // 2), "nothing": pa.nulls(ROWS)}
    columns["word"] = [f"w{number}" for number in range(ROWS)]
    columns["a.b"] = [number * 7 for number in range(ROWS)]
    file = written(tmp_path / "f", batch := pa.record_batch(columns))
    assert encoded(file) == {
        "id": (False, True),
        "kind": (True, False),
        "nothing": (True, False),
        "word": (False, False),
        "a.b": (False, True),
    }
    assert file.read().to_batches()[0].equals(batch)


def test_without_rows_and_with_nested_columns_it_is_as_pyarrow_does_it(tmp_path: Path) -> None:
    assert encodings(None) == {"use_dictionary": True}
    nested = pa.record_batch({"l": [[number] for number in range(ROWS)], "id": list(range(ROWS))})
    assert encodings(nested) == {"use_dictionary": True}
    assert written(tmp_path / "f", nested).read().to_batches()[0].equals(nested)


_EXACT = Context(prec=40)
_INTEGERS = [(f"{sign}int{bits}", bits, sign) for sign in ("", "u") for bits in (8, 16, 32, 64)]


def _columns(number: random.Random) -> dict[str, pa.Array]:
    """Each type that has integers in Parquet, from its least value to its greatest, in steps of every size."""
    found: dict[str, pa.Array] = {}

    def some(type_: pa.DataType, least: int, most: int, made: Any = int) -> pa.Array:
        ends = [least, most, None, least, least + 1, most - 1, None, None]
        wide = [number.randint(least, most) for _ in range(ROWS // 2)]
        steps = [min(most, max(least, 7 * at)) for at in range(ROWS // 2)]
        return pa.array([None if v is None else made(v) for v in (*ends, *wide, *ends, *steps)], type_)

    for name, bits, sign in _INTEGERS:
        least, most = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        found[name] = some(pa.type_for_alias(name), least, most)
    for digits in (3, 9, 10, 18, 19, 38):
        most = 10**digits - 1
        found[f"d{digits}"] = some(
            pa.decimal128(digits, 2), -most, most, lambda v, digits=digits: Decimal(v).scaleb(-2, _EXACT)
        )
    found["day"] = some(pa.date32(), 1, date.max.toordinal(), date.fromordinal)
    start = datetime(1, 1, 1)
    most = (datetime.max - start) // timedelta(microseconds=1)
    found["at"] = some(pa.timestamp("us"), 0, most, lambda v: start + timedelta(microseconds=v))
    utc = start.replace(tzinfo=timezone.utc)
    found["instant"] = some(pa.timestamp("us", "UTC"), 0, most, lambda v: utc + timedelta(microseconds=v))
    found["hour"] = some(pa.time64("us"), 0, 86_400_000_000 - 1, lambda v: (start + timedelta(microseconds=v)).time())
    assert found["hour"][1].as_py() == time.max
    return found


@pytest.mark.parametrize("seed", range(3))
def test_every_value_comes_back(tmp_path: Path, seed: int) -> None:
    batch = pa.record_batch(_columns(random.Random(seed)))
    file = written(tmp_path / "f.parquet", batch)
    found = encoded(file)
    assert {name for name, (_, is_delta) in found.items() if is_delta} >= {"int64", "uint64", "d18", "at", "day"}
    assert not found["d19"][1]
    read = file.read()
    assert read.schema == batch.schema
    for name in batch.schema.names:
        assert read[name].combine_chunks().equals(batch[name]), name
    with duckdb.connect() as db:
        again = db.read_parquet(str(tmp_path / "f.parquet")).to_arrow_table().cast(batch.schema)
        for name in batch.schema.names:
            assert again[name].combine_chunks().equals(batch[name]), name
        for name in ("d3", "d18", "int64", "uint64"):  # statistics leave nothing out
            for value in (batch[name][0].as_py(), batch[name][1].as_py()):
                count = batch[name].to_pylist().count(value)
                assert db.sql(f"from '{tmp_path}/f.parquet' where {name} = {value}").to_arrow_table().num_rows == count
