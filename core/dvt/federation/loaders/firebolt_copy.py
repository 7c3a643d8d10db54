"""COPY of Parquet files in a bucket into a Firebolt table: its words, who reads the bucket, and what is in the files.

Numbers, truth values and texts are Parquet's own. Decimals, days, moments and bytes, of which the documentation does
not say what they are read from, are the texts that an INSERT would send, for the same cast: they are copied into a
table beside the private one, from which a query makes the values.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.secrets import register
from dvt.connections.shared_folder import private_bucket
from dvt.connections.store_folder import StoreFolder
from dvt.errors import ConfigurationError
from dvt.federation.loaders.through_files import Carried
from dvt.identifiers import Relation, quote
from dvt.types.exact_values import exact
from dvt.types.firebolt_landing import carrier, cell_texts

_ENVIRONMENT = "environment"
_OWN = (pa.bool_(), pa.int32(), pa.int64(), pa.float32(), pa.float64())
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def carried(native: str) -> Carried | None:
    """How a column goes through a file.

    >>> carried("bigint").made_by, carried("numeric(9, 2)").made_by
    ('{}', 'cast({} as numeric(9, 2))')
    """
    to = carrier(native)
    if to is None:
        return None
    if to in _OWN:
        return Carried(f"{native} null", to, partial(exact, to=to))
    made_by = "{}" if pa.types.is_string(to) else f"cast({{}} as {native})"
    return Carried("text null", pa.string(), partial(cell_texts, native=native), made_by)


def private_folder(connection: Connection) -> StoreFolder:
    """A new folder below the one that `dvt.load_through` names, which is in S3: Firebolt reads no other store.

    Raises:
        ConfigurationError: It is no such address.
    """
    return private_bucket(connection, "s3", "Firebolt")


def credentials(connection: Connection, literal: Callable[[str], str]) -> str:
    """The words by which Firebolt is let into the bucket; they may hold secrets, which are registered as such.

    Raises:
        ConfigurationError: The output does not say by which; or by the environment's, which has none.
    """
    role, known = str(connection.options["load_role"]), str(connection.options["load_external_id"])
    if not role:
        raise ConfigurationError(
            "dvt.load_through is given without dvt.load_role",
            connection=connection.name,
            remedy="Name the role (its ARN) with which Firebolt reads the bucket; or write `environment`, by which it"
            " is told the keys of dvt's environment",
        )
    if role != _ENVIRONMENT:
        given = {"AWS_ROLE_ARN": role, **({"AWS_ROLE_EXTERNAL_ID": known} if known else {})}
    else:
        given = {name: os.environ[name] for name in _KEYS if os.environ.get(name)}
        if not {*_KEYS[:2]} <= set(given):
            raise ConfigurationError(
                "dvt.load_role is environment, and the environment has no keys",
                connection=connection.name,
                remedy=f"Set {_KEYS[0]} and {_KEYS[1]}, or name a role",
            )
        for name in given.keys() - {_KEYS[0]}:
            register(given[name])
    return " ".join(f"{name} = {literal(value)}" for name, value in given.items())


def copy_sql(relation: Relation, columns: Sequence[str], url: str, given: str, literal: Callable[[str], str]) -> str:
    """COPY INTO: each column from the file's of its place (c0, c1, ...), and nothing that does not fit passed over."""
    mapped = ", ".join(f"{quote(name, 'postgres')} c{place}" for place, name in enumerate(columns))
    into = ["copy into", relation.sql("postgres"), "(", mapped, ") from", literal(url)]
    options = ["with credentials = (", given, ") pattern = '*.parquet' type = parquet auto_create = false"]
    return " ".join([*into, *options, "allow_column_mismatch = false max_errors_per_file = 0"])
