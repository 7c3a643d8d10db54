"""BigQuery's types, words, errors' families and credentials: what needs no server."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dvt import errors
from dvt.connections.bigquery import SPEC, qualified, table_path
from dvt.connections.bigquery_errors import translate
from dvt.connections.connection import Connection
from dvt.identifiers import Relation, quote
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME

bigquery = pytest.importorskip("google.cloud.bigquery")

BASE = {"type": "bigquery", "method": "oauth-secrets", "token": "ya29-geheim", "project": "dvt", "dataset": "shop"}


def connection(**more: Any) -> Connection:
    return Connection.from_output("lake", {**BASE, **more}, SPEC)


def field(kind: str, mode: str = "NULLABLE", **more: Any) -> Any:
    return bigquery.SchemaField.from_api_repr({"name": "c", "type": kind, "mode": mode, **more})


@pytest.mark.parametrize(
    ("given", "native", "type_"),
    [
        (field("INTEGER"), "INT64", pa.int64()),
        (field("FLOAT"), "FLOAT64", pa.float64()),
        (field("BOOLEAN"), "BOOL", pa.bool_()),
        (field("STRING"), "STRING", pa.string()),
        (field("STRING", collation="und:ci"), "STRING COLLATE 'und:ci'", pa.string()),
        (field("BYTES"), "BYTES", pa.binary()),
        (field("NUMERIC"), "NUMERIC", pa.decimal128(38, 9)),
        (field("NUMERIC", precision="5"), "NUMERIC(5, 0)", pa.decimal128(5, 0)),
        (field("BIGNUMERIC"), "BIGNUMERIC", pa.decimal128(38, 9)),
        (field("BIGNUMERIC", precision="60", scale="30"), "BIGNUMERIC(60, 30)", pa.decimal128(38, 30)),
        (field("DATE"), "DATE", pa.date32()),
        (field("DATETIME"), "DATETIME", MICROS),
        (field("TIMESTAMP"), "TIMESTAMP", MICROS_UTC),
        (field("TIME"), "TIME", TIME),
        (field("JSON"), "JSON", JSON),
        (field("JSON", "REPEATED"), "ARRAY<JSON>", pa.list_(pa.string())),
        (field("GEOGRAPHY"), "GEOGRAPHY", pa.string()),
        (field("INTERVAL"), "INTERVAL", pa.string()),
        (
            field("RANGE", rangeElementType={"type": "DATETIME"}),
            "RANGE<DATETIME>",
            pa.struct([("start", MICROS), ("end", MICROS)]),
        ),
        (
            field("RECORD", fields=[{"name": "x", "type": "INTEGER", "mode": "NULLABLE"}]),
            "STRUCT<x INT64>",
            pa.struct([("x", pa.int64())]),
        ),
    ],
)
def test_types(given: Any, native: str, type_: pa.DataType) -> None:
    from dvt.types.bigquery import reading

    how = reading(given)
    assert (how.native, how.type, how.refused) == (native, type_, "")


def test_relations_are_completed_from_the_output() -> None:
    assert table_path(qualified(Relation("t"), connection())) == "projects/dvt/datasets/shop/tables/t"
    assert str(qualified(Relation("t", "d", "p"), connection())) == "p.d.t"


@pytest.mark.parametrize(("name", "quoted"), [("a b", "`a b`"), ("a`b", "`a\\`b`"), ("a\\b", "`a\\\\b`")])
def test_names_are_quoted_as_strings_are(name: str, quoted: str) -> None:
    assert quote(name, "bigquery") == quoted


def test_an_array_is_never_null() -> None:
    from sqlglot import exp

    from dvt.federation.extractors.bigquery_words import in_words

    is_null = exp.Is(this=exp.column("c", quoted=True), expression=exp.Null())
    fields = {"c": field("INTEGER", "REPEATED")}
    assert in_words(is_null, fields).sql("bigquery") == "FALSE"
    assert in_words(exp.Not(this=is_null), fields).sql("bigquery") == "NOT FALSE"
    assert in_words(is_null, {"c": field("INTEGER")}).sql("bigquery") == "`c` IS NULL"


@pytest.mark.parametrize(
    ("kind", "message", "reason", "family"),
    [
        ("Forbidden", "Access Denied: Table x", "accessDenied", "PrivilegeError"),
        ("Forbidden", "Quota exceeded", "quotaExceeded", "ResourceError"),
        ("NotFound", "Not found: Table x", "notFound", "RelationNotFoundError"),
        ("BadRequest", "Unrecognized name: nope at [1:8]", "invalidQuery", "RelationNotFoundError"),
        ("BadRequest", "division by zero: 1 / 0", "invalidQuery", "DataError"),
        ("BadRequest", "Syntax error: Unexpected", "invalidQuery", "QueryError"),
        ("InternalServerError", "Query exceeded limit for bytes billed: 1", "x", "ResourceError"),
        ("Cancelled", "Job execution was cancelled: Job timed out after 1s", "stopped", "TimeoutExceededError"),
        ("BadRequest", "Job execution was cancelled: User requested cancellation", "stopped", "InterruptedRunError"),
        ("ServiceUnavailable", "try later", "backendError", "ConnectionLostError"),
        ("Unauthorized", "Request had invalid authentication credentials.", "authError", "AuthenticationError"),
    ],
)
def test_errors_have_families(kind: str, message: str, reason: str, family: str) -> None:
    from google.api_core import exceptions

    error = getattr(exceptions, kind)(message, errors=[{"reason": reason, "message": message}])
    found = translate(error, connection(), phase="extract", relation="shop.t")
    assert type(found).__name__ == family
    assert (found.connection, found.relation) == ("lake", "shop.t")
    assert found.column == ("nope" if "nope" in message else None)


def _key() -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return {
        "type": "service_account",
        "client_email": "robot@dvt.iam",
        "token_uri": "https://example.invalid/token",
        "private_key": made.private_bytes(*form).decode(),
    }


@pytest.mark.parametrize("form", ["mapping", "json", "base64", "escaped", "file"])
def test_keys_of_a_service_account(form: str, tmp_path: Path) -> None:
    from dvt.connections.bigquery_login import credentials

    key = _key()
    text = json.dumps(key)
    (tmp_path / "key.json").write_text(text)
    output: dict[str, dict[str, Any]] = {
        "mapping": {"method": "service-account-json", "keyfile_json": key},
        "json": {"method": "service-account-json", "keyfile_json": text},
        "base64": {"method": "service-account-json", "keyfile_json": base64.b64encode(text.encode()).decode()},
        "escaped": {
            "method": "service-account-json",
            "keyfile_json": {**key, "private_key": key["private_key"].replace("\n", "\\n")},
        },
        "file": {"method": "service-account", "keyfile": str(tmp_path / "key.json")},
    }
    made = connection(**output[form])
    assert credentials(made).service_account_email == "robot@dvt.iam"
    assert "PRIVATE" not in repr(made)


def test_another_account_can_be_impersonated() -> None:
    from dvt.connections.bigquery_login import credentials

    found = credentials(connection(impersonate_service_account="other@dvt.iam", scopes=["https://x/bigquery"]))
    assert found.service_account_email == "other@dvt.iam"


def test_a_machine_without_default_credentials_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dvt.connections.bigquery_login import credentials

    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(errors.AuthenticationError, match="gcloud auth application-default login"):
        credentials(connection(method="oauth"))
