"""The last method of a loader's chain: batches of a prepared INSERT by the engine's JDBC driver, as texts and bytes.

The loader's own session makes, counts and lands the table; only the rows go another way. The driver's jars are those of
reading over JDBC (`dvt.jdbc`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.generic import setting_text
from dvt.connections.generic_errors import translate
from dvt.connections.jdbc_ways import JDBC_WAYS, jdbc_connection
from dvt.errors import DvtError, MissingDriverError
from dvt.federation.extractors.methods import JDBC
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod

# For each column the texts (or the bytes) that the server reads as its values, or a DataError with its name.
JdbcTexts = Sequence[Callable[[pa.Array], pa.Array]]

_PIECE_BYTES = 8 << 20


def jdbc_method(connection: Connection, texts: JdbcTexts | None) -> list[LoadMethod]:
    """JDBC as a method, where it is asked for, or the output says how.

    Args:
        connection: Where the rows land, over the engine's own client.
        texts: What the driver is given; None where the engine has no such loading.
    """
    is_asked_for = connection.options.get("load_by") == JDBC
    if connection.type not in JDBC_WAYS or texts is None or not (is_asked_for or connection.options.get("jdbc")):
        return []
    return [LoadMethod("jdbc_batch", JDBC, partial(_why_not, connection), fill=partial(_fill, connection, texts))]


def _why_not(connection: Connection) -> str | None:
    """Java, JPype or the jar are missing."""
    from dvt.connections.generic_jvm import jars_of, start

    over = jdbc_connection(connection)
    try:
        jars_of(over, setting_text(over, "url"))
        start(over)
    except MissingDriverError as error:
        return error.message
    return None


def _fill(connection: Connection, texts: JdbcTexts, filling: Filling) -> Filled:
    from dvt.federation.loaders.generic_jdbc import JdbcWriter

    over = jdbc_connection(connection)
    writer = JdbcWriter(over, over.dialect)
    label = str(filling.relation)
    try:
        with contextlib.closing(writer):
            writer.connect()
            sent = _sent(texts, filling, connection.dialect)
            writer.insert_batches(filling.relation, filling.schema.names, sent, filling.check)
    except DvtError:
        raise
    except writer.errors as error:
        raise translate(error, connection, phase="load", relation=label) from error
    return Filled()


def _sent(texts: JdbcTexts, filling: Filling, dialect: str) -> Iterator[list[pa.Array]]:
    for batch in filling.batches(_PIECE_BYTES):
        columns = filling.fitting(batch, dialect).columns
        yield [each(column) for each, column in zip(texts, columns, strict=True)]
