"""Rows into a Snowflake table by its ADBC driver's own ingest: Parquet that the driver writes, PUTs and COPYs.

The driver's COPY has no SELECT and no NULL_IF: what it makes of Parquet's own types is Snowflake's choice, and the text
`\\N` is NULL to it. So all of it is read back and compared before anybody sees it.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.snowflake import folded
from dvt.connections.snowflake_login import login_arguments
from dvt.federation.loaders.filling import Filled, Filling
from dvt.federation.loaders.generic_check import ReadBack
from dvt.federation.registry import new_extractor
from dvt.types.landing_texts import named
from dvt.types.snowflake_landing import landing_of, sent

_PIECE_BYTES = 4 << 20
_OPTION = "adbc.snowflake.sql."
_LOGINS = {"OAUTH": ("auth_oauth", "token"), "PROGRAMMATIC_ACCESS_TOKEN": ("auth_pat", "token")}
_REMEDY = "Set dvt.load_with to put"
_UNKNOWN = ("proxy_host", "session_parameters", "insecure_mode")  # of the output; the driver has no such options


def written_type(type_: pa.DataType, native: str) -> pa.DataType | None:
    """The Arrow type in which a column is given to the driver, None where COPY alone does not convert it.

    >>> written_type(pa.int8(), "number(3, 0)"), written_type(pa.binary(), "binary")
    (DataType(int64), None)
    """
    landing = landing_of(native)
    kind = landing.kind if landing else ""
    if kind == "NUMBER" and pa.types.is_integer(type_) and type_ != pa.uint64():
        return pa.int64()
    if kind == "NUMBER" and pa.types.is_decimal(type_):
        return type_
    if kind == "FLOAT" and pa.types.is_floating(type_):
        return pa.float64()
    same = {"BOOLEAN": pa.bool_(), "VARCHAR": pa.string(), "DATE": pa.date32(), "TIMESTAMP_NTZ": pa.timestamp("us")}
    return type_ if same.get(kind) == type_ else None


def why_not(connection: Connection, filling: Filling) -> str | None:
    """What is missing for it; None where nothing is."""
    if importlib.util.find_spec("adbc_driver_snowflake") is None:
        return "adbc-driver-snowflake is not installed (pip install adbc-driver-snowflake)"
    if given := [key for key in _UNKNOWN if connection.first(key)]:
        return f"the driver has no option for {given[0]}"
    if connection.options["statement_timeout_s"]:
        return "the driver has no option for dvt.statement_timeout_s"
    login = login_arguments(connection).get("authenticator")
    if login not in (None, "SNOWFLAKE_JWT", *_LOGINS):
        return f"authenticator {login} is left to the connector"
    names = set[str]()
    for field, native in zip(filling.schema, filling.types, strict=True):
        if written_type(field.type, native) is None:
            return f"column {field.name}: {native} is left to a COPY that says how a value is read"
        if field.name.lower() in names:
            return f"column {field.name}: the driver tells no names apart by case"
        names.add(field.name.lower())
    return None


class AdbcIngest:
    """One ingest, over a session of its own.

    Args:
        connection: The connection.
        filling: The table, and its rows.
    """

    def __init__(self, connection: Connection, filling: Filling) -> None:
        self._connection, self._filling = connection, filling
        self._cursor: Any = None
        own = [field.with_name(folded(field.name, connection)) for field in filling.schema]
        self._check = ReadBack(pa.schema(own), truth_is_a_number=False, remedy=_REMEDY, unread=_REMEDY)

    def fill(self) -> Filled:
        """Send the rows.

        Raises:
            snowflake.connector.ProgrammingError: What the driver or the server says, with its number.
        """
        import adbc_driver_manager
        from adbc_driver_snowflake import dbapi

        failed: list[BaseException] = []
        reader = pa.RecordBatchReader.from_batches(self._schema, self._batches(failed))
        try:
            with dbapi.connect(db_kwargs=self._settings(), autocommit=True) as session, session.cursor() as cursor:
                self._cursor = cursor
                tag = str(self._connection.first("query_tag", default="dvt"))
                cursor.adbc_statement.set_options(**{"adbc.snowflake.statement.query_tag": tag})
                taken = int(cursor.adbc_ingest(self._filling.relation.name, reader, mode="append"))
        except adbc_driver_manager.Error as error:
            if failed:
                raise failed[0] from failed[0].__cause__
            self._filling.check()
            raise _own(error) from error
        finally:
            self._cursor = None
        if failed:
            raise failed[0] from failed[0].__cause__
        return Filled(taken=taken if taken >= 0 else None)

    def check(self) -> None:
        """Read the table back, and compare."""
        with new_extractor(self._connection) as extractor:
            self._check.check(extractor, self._filling.relation)

    def cancel(self) -> None:
        """From another thread: end what runs."""
        import adbc_driver_manager

        if self._cursor is not None:
            with contextlib.suppress(adbc_driver_manager.Error):
                self._cursor.adbc_cancel()

    @property
    def _schema(self) -> pa.Schema:
        columns = zip(self._filling.schema, self._filling.types, strict=True)
        return pa.schema([(folded(f.name, self._connection), written_type(f.type, native)) for f, native in columns])

    def _batches(self, failed: list[BaseException]) -> Iterator[pa.RecordBatch]:
        schema, filling = self._schema, self._filling
        try:
            for batch in self._check.passing(filling.batches(_PIECE_BYTES)):
                for array, name, native in zip(batch.columns, filling.schema.names, filling.types, strict=True):
                    named(partial(sent, native=native), array, name, "Snowflake")  # what has no place is refused
                columns = [array.cast(field.type) for array, field in zip(batch.columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
        except BaseException as error:  # the driver would tell it in its own words, or not at all
            failed.append(error)
            raise

    def _settings(self) -> dict[str, str]:
        """The output's keys as the driver's options; the table is one of the session's schema."""
        first, relation = self._connection.first, self._filling.relation
        login = login_arguments(self._connection)
        given = {
            "username": first("user"),
            "password": login.get("password"),
            _OPTION + "account": str(first("account")).replace("_", "-"),
            _OPTION + "role": first("role"),
            _OPTION + "warehouse": first("warehouse"),
            _OPTION + "db": relation.database,
            _OPTION + "schema": relation.schema,
            _OPTION + "uri.host": first("host"),
            _OPTION + "uri.port": first("port"),
            _OPTION + "uri.protocol": first("protocol"),
            _OPTION + "client_option.app_name": "dvt",
            _OPTION + "client_option.login_timeout": f"{int(self._connection.options['connect_timeout_s'])}s",
            _OPTION + "client_option.disable_telemetry": "true",
        }
        kind = login.get("authenticator")
        if kind in _LOGINS:
            given[_OPTION + "auth_type"], key = _LOGINS[kind]
            given[_OPTION + "client_option.auth_token"] = login[key]
        if kind == "SNOWFLAKE_JWT":
            body = base64.encodebytes(login["private_key"]).decode()
            pem = f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"
            given[_OPTION + "auth_type"] = "auth_jwt"
            given[_OPTION + "client_option.jwt_private_key_pkcs8_value"] = pem
        return {key: str(value) for key, value in given.items() if value}


def _own(error: Any) -> Exception:
    """An error of the driver as the connector would raise it."""
    from snowflake.connector import ProgrammingError

    own: Exception = ProgrammingError(str(error), errno=error.vendor_code or None, sqlstate=error.sqlstate or None)
    return own
