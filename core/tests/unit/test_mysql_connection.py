"""Keys, places and errors of MySQL connections."""

from __future__ import annotations

import pytest

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.mysql import SPEC, spec_for
from dvt.connections.mysql_errors import ServerError, named_column, translate


def connection(**output: object) -> Connection:
    given = {"type": "mysql", "server": "db", "username": "u", "password": "geheim", "schema": "s", **output}
    return Connection.from_output("c", given, SPEC)


def test_both_types_have_their_own_name() -> None:
    assert (spec_for("mysql").type, spec_for("mariadb").type) == ("mysql", "mariadb")
    assert spec_for("mariadb").dialect == "mysql"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"server": "localhost"}, {"server": "127.0.0.1", "schema": "other"}, True),
        ({"server": "DB.example."}, {"server": "db.example", "port": 3306}, True),
        ({"server": "db"}, {"server": "db", "port": 3307}, False),
        ({"server": "[::1]"}, {"server": "localhost"}, True),
    ],
)
def test_places(one: dict[str, object], other: dict[str, object], is_same: bool) -> None:
    assert (connection(**one).place == connection(**other).place) is is_same


def test_the_password_is_a_secret() -> None:
    assert "geheim" not in repr(connection().settings)


def test_unknown_choice_is_refused() -> None:
    with pytest.raises(errors.ConfigurationError, match="zero_dates"):
        connection(dvt={"zero_dates": "keep"})


@pytest.mark.parametrize(
    ("number", "phase", "family"),
    [
        (1045, "connect", errors.AuthenticationError),
        (1049, "connect", errors.ConfigurationError),
        (2003, "connect", errors.ConnectionFailedError),
        (2013, "connect", errors.ConnectionFailedError),
        (2013, "extract", errors.ConnectionLostError),
        (1927, "extract", errors.ConnectionLostError),
        (1142, "extract", errors.PrivilegeError),
        (1146, "describe", errors.RelationNotFoundError),
        (1969, "extract", errors.TimeoutExceededError),
        (3024, "extract", errors.TimeoutExceededError),
        (1317, "extract", errors.InterruptedRunError),
        (1062, "land", errors.DuplicateKeyError),
        (1265, "load", errors.DataError),
        (1114, "load", errors.ResourceError),
        (1064, "extract", errors.QueryError),
    ],
)
def test_families(number: int, phase: str, family: type[errors.DvtError]) -> None:
    found = translate(ServerError(number, "words"), connection(), phase=phase, relation="t")
    assert type(found) is family
    assert "words" in str(found)
    assert found.connection == "c"


@pytest.mark.parametrize(
    ("message", "column"),
    [
        ("Data truncated for column 'a b' at row 1", "a b"),
        ("Incorrect integer value: 'x' for column `shop`.`t`.`a` at row 7", "a"),
        ("CONSTRAINT `t.j` failed for `shop`.`t`", "j"),
        ("Unknown column 'zz' in 'field list'", "zz"),
        ("Duplicate entry '1' for key 'PRIMARY'", None),
    ],
)
def test_the_column_in_a_message(message: str, column: str | None) -> None:
    assert named_column(message) == column
