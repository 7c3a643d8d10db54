"""Snowflake's types, its errors' families, and who may log in how: what needs no server."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.snowflake import SPEC, folded, qualified, session_parameters
from dvt.connections.snowflake_errors import translate
from dvt.identifiers import Relation
from dvt.types.snowflake import Asking, NativeType, reading
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME

BASE = {"type": "snowflake", "account": "my_org-my_account", "user": "dvt", "password": "geheim-geheim"}


def connection(**more: Any) -> Connection:
    return Connection.from_output("shop", {**BASE, **more}, SPEC)


@pytest.mark.parametrize(
    ("native", "text", "type_", "asking"),
    [
        (NativeType("FIXED", 38, 0), "NUMBER(38,0)", pa.decimal128(38, 0), Asking.AS_IS),
        (NativeType("FIXED", 18, 0), "NUMBER(18,0)", pa.int64(), Asking.AS_IS),
        (NativeType("FIXED", 19, 0), "NUMBER(19,0)", pa.decimal128(19, 0), Asking.AS_IS),
        (NativeType("FIXED", 38, 37), "NUMBER(38,37)", pa.decimal128(38, 37), Asking.AS_IS),
        (NativeType("REAL"), "FLOAT", pa.float64(), Asking.AS_IS),
        (NativeType("TEXT"), "VARCHAR", pa.string(), Asking.AS_IS),
        (NativeType("BINARY"), "BINARY", pa.binary(), Asking.AS_IS),
        (NativeType("BOOLEAN"), "BOOLEAN", pa.bool_(), Asking.AS_IS),
        (NativeType("DATE"), "DATE", pa.date32(), Asking.AS_IS),
        (NativeType("TIME", None, 6), "TIME(6)", TIME, Asking.AS_IS),
        (NativeType("TIME", None, 9), "TIME(9)", TIME, Asking.TIME_TEXT),
        (NativeType("TIMESTAMP_NTZ", None, 3), "TIMESTAMP_NTZ(3)", MICROS, Asking.AS_IS),
        (NativeType("TIMESTAMP_NTZ", None, 7), "TIMESTAMP_NTZ(7)", MICROS, Asking.MICROSECONDS),
        (NativeType("TIMESTAMP_LTZ", None, 9), "TIMESTAMP_LTZ(9)", MICROS_UTC, Asking.MICROSECONDS),
        (NativeType("TIMESTAMP_TZ", None, 6), "TIMESTAMP_TZ(6)", MICROS_UTC, Asking.AS_IS),
        (NativeType("VARIANT"), "VARIANT", JSON, Asking.AS_IS),
        (NativeType("OBJECT"), "OBJECT", JSON, Asking.AS_IS),
        (NativeType("ARRAY"), "ARRAY", JSON, Asking.AS_IS),
        (NativeType("MAP"), "MAP", JSON, Asking.AS_IS),
        (NativeType("GEOGRAPHY"), "GEOGRAPHY", pa.binary(), Asking.WKB),
        (NativeType("GEOMETRY"), "GEOMETRY", pa.binary(), Asking.WKB),
        (NativeType("INTERVAL_DAY_TIME"), "INTERVAL_DAY_TIME", pa.string(), Asking.TEXT),
        (NativeType("FIXED", 38, None), "NUMBER(38,0)", pa.string(), Asking.TEXT),  # DECFLOAT
        (NativeType("VECTOR", None, None, 3, "FIXED"), "VECTOR(INT, 3)", pa.list_(pa.int32()), Asking.AS_IS),
        (NativeType("VECTOR", None, None, 3, "REAL"), "VECTOR(FLOAT, 3)", pa.list_(pa.float32()), Asking.AS_IS),
    ],
)
def test_types(native: NativeType, text: str, type_: pa.DataType, asking: Asking) -> None:
    how = reading(native)
    assert (native.text, how.type, how.asking) == (text, type_, asking)


def test_types_without_a_carrier_are_asked_for_by_nobody() -> None:
    assert reading(NativeType("FILE")).asking is Asking.REFUSED
    assert reading(NativeType("VECTOR")).asking is Asking.REFUSED


@pytest.mark.parametrize(
    ("name", "kept"),
    [("orders", "ORDERS"), ("Orders_2$", "ORDERS_2$"), ("my orders", "my orders"), ("2x", "2x"), ("täg", "täg")],
)
def test_names_are_folded_as_the_server_does(name: str, kept: str) -> None:
    assert folded(name, connection()) == kept
    assert folded(name, connection(dvt={"names": "exact"})) == name


def test_relations_are_completed_from_the_output() -> None:
    own = connection(database="raw", schema="public")
    assert str(qualified(Relation("orders"), own)) == "RAW.PUBLIC.ORDERS"
    assert str(qualified(Relation("orders", "x", "y"), own)) == "Y.X.ORDERS"
    assert str(qualified(Relation("orders"), connection())) == "ORDERS"


def test_one_account_and_database_is_one_place() -> None:
    first = connection(database="raw", account="my_org-my_account")
    assert first.place == connection(database="RAW", account="MY-ORG-my-account", role="other").place
    assert first.place != connection(database="other").place


def test_the_output_s_parameters_do_not_reach_over_ours() -> None:
    sent = session_parameters(connection(session_parameters={"timezone": "CET", "week_start": 1}, query_tag="t"))
    assert (sent["TIMEZONE"], sent["WEEK_START"], sent["QUERY_TAG"]) == ("UTC", 1, "t")
    with pytest.raises(errors.ConfigurationError, match="session_parameters"):
        session_parameters(connection(session_parameters="TIMEZONE=CET"))


@pytest.mark.parametrize(
    ("text", "phase", "family"),
    [
        (
            "250001 (08001): Failed to connect to DB: x. Incorrect username or password",
            "connect",
            "AuthenticationError",
        ),
        ("390144 (08004): JWT token is invalid.", "connect", "AuthenticationError"),
        ("250001 (08001): Could not connect to Snowflake backend", "connect", "ConnectionFailedError"),
        ("254007: The certificate is revoked", "connect", "ConnectionFailedError"),
        ("390189 (08001): Role 'X' specified in the connect string does not exist", "connect", "ConfigurationError"),
        ("002003 (42S02): Object 'X' does not exist or not authorized.", "extract", "RelationNotFoundError"),
        ("000904 (42000): SQL compilation error: invalid identifier 'NOPE'", "extract", "RelationNotFoundError"),
        ("000630 (57014): Statement reached its statement or warehouse timeout", "extract", "TimeoutExceededError"),
        ("000606 (57P03): No active warehouse selected in the current session.", "extract", "ConfigurationError"),
        ("100038 (22018): Numeric value 'x' is not recognized", "extract", "DataError"),
        ("390114 (08001): Authentication token has expired.", "extract", "ConnectionLostError"),
    ],
)
def test_errors_have_families(text: str, phase: str, family: str) -> None:
    found = translate(type("ProgrammingError", (Exception,), {})(text), connection(), phase=phase)
    assert type(found).__name__ == family
    assert found.connection == "shop"
    assert found.column == ("NOPE" if "NOPE" in text else None)


@pytest.mark.parametrize("method", ["externalbrowser", "username_password_mfa", "oauth_authorization_code", "strange"])
def test_who_would_be_asked_is_refused(method: str) -> None:
    from dvt.connections.snowflake_login import login_arguments

    with pytest.raises(errors.ConfigurationError, match="private_key_path") as caught:
        login_arguments(connection(authenticator=method))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "given"),
    [
        ({}, {"password": "geheim-geheim"}),
        ({"authenticator": "snowflake"}, {"password": "geheim-geheim"}),
        (
            {"authenticator": "https://my.okta.com"},
            {"password": "geheim-geheim", "authenticator": "https://my.okta.com"},
        ),
        ({"authenticator": "jwt", "token": "a-token"}, {"authenticator": "oauth", "token": "a-token"}),
        (
            {
                "authenticator": "oauth_client_credentials",
                "oauth_client_id": "c",
                "oauth_client_secret": "s",
                "oauth_token_request_url": "https://idp/token",
            },
            {
                "authenticator": "OAUTH_CLIENT_CREDENTIALS",
                "oauth_client_id": "c",
                "oauth_client_secret": "s",
                "oauth_token_request_url": "https://idp/token",
                "oauth_scope": "",
            },
        ),
    ],
)
def test_what_the_connector_is_given(more: dict[str, Any], given: dict[str, Any]) -> None:
    from dvt.connections.snowflake_login import login_arguments

    assert login_arguments(connection(**more)) == given


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"password": ""}, "password"),
        ({"user": ""}, "user"),
        ({"authenticator": "oauth"}, "token"),
        ({"authenticator": "oauth", "token": "a-token", "oauth_client_id": "c"}, "oauth_client_secret"),
        ({"authenticator": "snowflake_jwt"}, "private_key"),
        ({"private_key": "x", "private_key_path": "y"}, "both"),
    ],
)
def test_what_is_missing_is_named(more: dict[str, Any], named: str) -> None:
    pytest.importorskip("cryptography")
    from dvt.connections.snowflake_login import login_arguments

    with pytest.raises(errors.ConfigurationError, match=named):
        login_arguments(connection(**more))
