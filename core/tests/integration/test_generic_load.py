"""Loads through each kind of driver, into every database that runs here: what another client finds, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from servers.generic import PLACES, generic_place
from servers.place import Place

from dvt.errors import DataError, UnsupportedError
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.identifiers import Relation
from dvt.testing.streams import stream_of, typed
from dvt.testing.words import arrow_type

pytestmark = pytest.mark.postgres

# By the kit's name of a type: values at its ends, and in the middle of what drivers spoil.
VALUES: dict[str, list[str | None]] = {
    "bool": ["true", None, "false"],
    "int8": ["-128", None, "127"],
    "uint32": ["4294967295", None],
    "int64": ["-9223372036854775807", None, "9007199254740993"],
    "uint64": ["18446744073709551615", None],
    "float": ["0.1", None],
    "double": ["0.1", None, "-1.7976931348623157e+308"],
    "decimal(12, 2)": ["9999999999.99", None, "-0.01"],
    "decimal(31, 10)": ["123456789012345678901.0123456789", None],
    "string": ["", None, " ä'\"\\\t\n%s ? :1 ", "漢字 😀", "a "],
    "binary": ["", None, "00ff5c27"],
    "date": ["0001-01-01", None, "9999-12-31"],
    "time": ["23:59:59.999999", None],
    "timestamp": ["1969-12-31 23:59:59.999999", None, "2000-02-29 00:00:00"],
    "instant": ["1969-12-31 23:59:59.999999+00:00", None],
    "uuid": ["00000000-0000-0000-0000-0000000000ff", None],
    "json": ['{"a": [1, null, "ä"]}', None],
    "list(int32)": ["[1, null]", None],
}


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    name = str(request.param)
    return generic_place(name, request, tmp_path_factory.mktemp(name.replace("-", "_")))


def test_x(place: Place) -> None:
    for kind, values in VALUES.items():
        array = typed(values, arrow_type(kind))
        try:
            with place.loader() as loader:
                result = loader.load(stream_of(pa.table({"id": pa.array(range(len(values))), "v": array})), LoadConfig(Relation("t"), run_id="0c0ffee0"))
            print("OK ", kind, result.method, result.rows)
        except Exception as e:
            import traceback
            print("ERR", kind, type(e).__name__, str(e)[:300])
            if "-v" in __import__("os").environ.get("TB",""): traceback.print_exc()
