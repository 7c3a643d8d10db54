"""Db2 through IBM's own client, as far as it goes without a server: what it says where nothing answers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from dvt import errors
from dvt.connections.secrets import redact
from dvt.federation.extractors.db2 import Db2Extractor
from dvt.federation.registry import open_connection

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ibm_db_dbi") is None, reason="ibm_db is not installed")
PASSWORD = "s3cret-of-db2"


def extractor(**more: Any) -> Db2Extractor:
    given = {
        "type": "db2",
        "host": "127.0.0.1",
        "port": 1,
        "database": "SHOP",
        "user": "reader",
        "password": PASSWORD,
        "dvt": {"connect_timeout_s": 5},
    }
    return Db2Extractor(open_connection("erp", {**given, **more}))


def failed(**more: Any) -> errors.ConnectionFailedError:
    with pytest.raises(errors.ConnectionFailedError) as raised:
        extractor(**more).ping()
    assert type(raised.value) is errors.ConnectionFailedError
    assert raised.value.phase == "connect"
    assert PASSWORD not in redact(f"{raised.value}{raised.value.__cause__}")
    return raised.value


def test_a_closed_port() -> None:
    assert "SQLCODE -30081" in failed().message


def test_a_host_that_is_not_there() -> None:
    assert failed(host="db2.invalid").message == 'The remote host "db2.invalid" was not found. (SQLCODE -1336)'


def test_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    error = failed(security="SSL", ssl_server_certificate=str(tmp_path / "none.arm"))
    assert "ssl_" in str(error.remedy)


def test_what_the_double_stands_for_is_there() -> None:
    """The names that dvt uses of the client."""
    import ibm_db
    import ibm_db_dbi

    assert {"close", "cursor", "set_fix_return_type"} <= set(dir(ibm_db_dbi.Connection))
    assert {"close", "description", "execute", "fetchall", "fetchmany", "fetchone", "prepare"} <= set(
        dir(ibm_db_dbi.Cursor)
    )
    assert isinstance(ibm_db.SQL_ATTR_QUERY_TIMEOUT, int)
    assert (ibm_db_dbi.SQL_ATTR_AUTOCOMMIT, ibm_db_dbi.SQL_AUTOCOMMIT_ON) == (102, 1)
    assert issubclass(ibm_db_dbi.OperationalError, ibm_db_dbi.Error)
