"""A stream brings the types of other libraries into the vocabulary, or says which column it cannot."""

from __future__ import annotations

import pyarrow as pa
import pytest
from local_engines import from_table

from dvt.errors import DataError, InternalError
from dvt.federation.stream import ColumnSchema, RowStream

TEXTS = ["a\tb\\", None, "é" * 40]
LAYOUTS = [
    (pa.array(TEXTS, pa.string_view()), pa.string()),
    (pa.array(TEXTS, pa.large_string()), pa.string()),
    (pa.array(TEXTS).dictionary_encode(), pa.string()),
    (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), pa.string()),
    (pa.array([b"\x00\xff", None, b""], pa.binary_view()), pa.binary()),
    (pa.array([b"\x00\xff", None, b""], pa.large_binary()), pa.binary()),
    (pa.array([b"ab", None, b"cd"], pa.binary(2)), pa.binary()),
    (pa.array([["x"], None, []], pa.large_list(pa.string_view())), pa.list_(pa.string())),
    (pa.array([[1, None], None, [3, 4]], pa.list_(pa.int32(), 2)), pa.list_(pa.int32())),
    (pa.array([{"x": "a"}, None, {"x": None}], pa.struct([("x", pa.large_string())])), pa.struct([("x", pa.string())])),
    (pa.array([1, None, 2], pa.timestamp("s", "Asia/Tokyo")), pa.timestamp("us", "UTC")),
    (pa.array([1, None, 2], pa.time32("ms")), pa.time64("us")),
    (pa.array([1, None, 2], pa.decimal32(9, 2)), pa.decimal128(9, 2)),
    (pa.array(["1", None, "[]"], pa.json_(pa.large_string())), pa.json_()),
]


@pytest.mark.parametrize(("given", "wanted"), LAYOUTS, ids=lambda value: str(getattr(value, "type", "")))
def test_the_vocabularys_type_with_the_same_values(given: pa.Array, wanted: pa.DataType) -> None:
    with from_table(pa.table({"x": given}), 2) as stream:
        assert stream.columns[0].type == stream.schema.field("x").type == wanted
        table = stream.to_table()
    assert table.schema.types == [wanted]
    table.validate(full=True)
    assert table.column("x").to_pylist() == given.to_pylist()


@pytest.mark.parametrize(
    "given", [pa.array([1], pa.time64("ns")), pa.array([1], pa.date64()), pa.array([10**40], pa.decimal256(45, 2))]
)
def test_a_value_that_would_change_names_its_column(given: pa.Array) -> None:
    with from_table(pa.table({"fine": [1], "wrong": given})) as stream, pytest.raises(DataError) as caught:
        stream.to_table()
    assert caught.value.column == "wrong"


def test_what_has_no_place_stays_for_the_loader_to_refuse() -> None:
    types = [pa.duration("s"), pa.list_view(pa.int32())]
    assert [RowStream([ColumnSchema("x", type_)], iter(())).schema.types for type_ in types] == [[t] for t in types]


def test_a_batch_of_another_type_than_announced_is_an_error_of_the_source() -> None:
    batches = [pa.record_batch({"x": pa.array([1])})]
    with pytest.raises(InternalError), RowStream([ColumnSchema("x", pa.large_string())], iter(batches)) as stream:
        stream.to_table()
