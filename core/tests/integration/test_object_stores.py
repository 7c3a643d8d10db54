"""Files in object stores, against the same files in a folder; and what is said when a store refuses or does not answer.

The stores are emulated (servers/object_stores.py): S3 by moto, which checks keys, Google's by gcp-storage-emulator,
Azure's by Azurite, which checks keys too.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import http.server
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from local_engines import read
from servers.object_stores import ACCOUNT, ACCOUNT_KEY, STORES, Store
from servers.process import free_port
from servers.tables_as_files import parquet
from sqlglot import parse_one

from dvt.connections.connection import Connection
from dvt.connections.files import SPEC
from dvt.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DataError,
    DvtError,
    MissingDriverError,
    RelationNotFoundError,
)
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.files import FilesExtractor
from dvt.identifiers import Relation
from dvt.testing.failing import _whole

ROWS = 20_000
LAKE = {
    "one.parquet": parquet(
        pa.table(
            {
                "id": pa.array(range(ROWS), pa.int64()),
                "name": [None if i % 7 == 0 else f"row {i} é" for i in range(ROWS)],
                "moment": pa.array(range(ROWS), pa.timestamp("ms", "Europe/Berlin")),
            }
        )
    ),
    "parts/1.parquet": parquet(pa.table({"a": [1], "b": ["x"]})),
    "parts/deeper/2.parquet": parquet(pa.table({"c": [True], "a": [2]})),
    "parts/_SUCCESS": b"done",
    "parts/.torn.parquet": b"torn",
    "cells.csv": b'n,t\n1.50,"a, ""b"""\n,\n-2.25,""\n',
    "sub/day 1.csv": b"d\n2026-01-31\n",
    "sub/day 2.csv": b"d\n2026-02-28\n",
    "two.csv": b"a\n1\n",
    "two.parquet": parquet(pa.table({"a": [1]})),
    "split/year=2026/1.parquet": parquet(pa.table({"a": [1]})),
    "broken.parquet": b"PAR1 torn",
}
READS: list[dict[str, Any]] = [
    {"name": "one"},
    {"name": "one", "columns": ("moment", "id"), "batch_size": 999},
    {"name": "one", "limit": 12_345},
    {"name": "one", "predicates": (parse_one("id >= 15000"), parse_one("name IS NULL")), "columns": ("id",)},
    {"name": "parts"},
    {"name": "cells", "declared": {"n": "numeric(10,2)", "t": "text"}},
    {"name": "day 2", "schema": "sub"},
    {"name": "one", "schema": "no such folder"},
    {"name": "any", "file_options": {"path": "sub/day*.csv"}, "declared": {"d": "date"}},
    {"name": "any", "file_options": {"path": "**/[12].parquet", "format": "parquet"}},
    {"name": "any", "file_options": {"path": "parts"}},
]


@pytest.fixture(scope="module", params=list(STORES))
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with STORES[request.param]() as opened:
        for name, content in LAKE.items():
            opened.put(f"lake/{name}", content)
        opened.put("outside.parquet", LAKE["two.parquet"])
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stores") / "lake"
    for name, content in LAKE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def connected(output: dict[str, Any], **options: Any) -> Connection:
    return Connection.from_output("lake", {**output, **({"dvt": options} if options else {})}, SPEC)


@pytest.mark.parametrize("request_", READS, ids=lambda request: json.dumps(request, default=str)[:60])
def test_what_comes_is_what_comes_from_a_folder(store: Store, folder: Path, request_: dict[str, Any]) -> None:
    tables = []
    for output in (store.output(), {"type": "files", "path": str(folder)}):
        with FilesExtractor(connected(output)) as extractor:
            tables.append(read(extractor, **request_))
    far, near = tables
    assert far.schema == near.schema
    assert near.num_rows > 0
    assert far.to_pylist() == near.to_pylist()


def test_footers_tell_the_size(store: Store, folder: Path) -> None:
    with (
        FilesExtractor(connected(store.output())) as far,
        FilesExtractor(connected({"type": "files", "path": str(folder)})) as near,
    ):
        for name in ("one", "parts", "cells"):
            request = ExtractionConfig(relation=Relation(name))
            assert far.statistics(request) == near.statistics(request)
        assert far.statistics(ExtractionConfig(relation=Relation("cells"))) == TableStatistics(
            bytes=len(LAKE["cells.csv"])
        )
        assert far.get_row_count(Relation("one")) == ROWS


def test_the_same_mistakes_are_found(store: Store, folder: Path) -> None:
    requests: list[tuple[str, dict[str, Any], type[DvtError]]] = [
        ("nope", {}, RelationNotFoundError),
        ("x", {"path": "no*.csv"}, RelationNotFoundError),
        ("two", {}, ConfigurationError),
        ("split", {}, ConfigurationError),
        ("broken", {}, DataError),
        ("../outside", {}, ConfigurationError),
        ("/outside", {}, ConfigurationError),
        ("x\0", {}, ConfigurationError),
        ("x", {"path": "../outside.parquet"}, ConfigurationError),
        ("x", {"path": "*/../../outside.parquet"}, ConfigurationError),
    ]
    for output in (store.output(), {"type": "files", "path": str(folder)}):
        with FilesExtractor(connected(output)) as extractor:
            for name, options, family in requests:
                with pytest.raises(DvtError) as raised:
                    read(extractor, name, file_options=options)
                assert type(raised.value) is family, (name, options, raised.value)
                assert raised.value.connection == "lake"


def test_a_bucket_or_a_prefix_that_is_not_there_is_named(store: Store) -> None:
    for path, named in (
        (f"{store.kind}://dvt-no-such-bucket/lake", "dvt-no-such-bucket"),
        (f"{store.kind}://{store.bucket}/nowhere", "nowhere"),
    ):
        with FilesExtractor(connected({**store.output(), "path": path})) as extractor:
            for ask in (extractor.ping, lambda: read(extractor, "one")):
                with pytest.raises(ConnectionFailedError, match=named) as raised:
                    ask()
                assert raised.value.remedy
    with FilesExtractor(connected({**store.output(), "path": f"{store.kind}://{store.bucket}"})) as extractor:
        assert store.bucket in extractor.ping()
        assert read(extractor, "outside").to_pydict() == {"a": [1]}


def test_a_wrong_key_is_said_to_be_one_and_never_shown(store: Store) -> None:
    if store.refused is None:
        pytest.skip("the emulator looks at no credentials")
    output = {**store.output(), **store.refused}
    secret = next(value for key, value in store.refused.items() if key in SPEC.secret_settings)
    with FilesExtractor(connected(output)) as extractor:
        for ask in (extractor.ping, lambda: read(extractor, "one")):
            with pytest.raises(AuthenticationError) as raised:
                ask()
            assert secret not in _whole(raised.value)


def test_a_port_where_nobody_answers(store: Store) -> None:
    endpoints = [f"http://127.0.0.1:{free_port()}"]
    if store.kind == "s3":  # the others' clients try for long
        endpoints.append(store.endpoint.replace("http:", "https:"))
    for endpoint in endpoints:
        with FilesExtractor(connected({**store.output(), "endpoint_url": endpoint})) as extractor:
            with pytest.raises(ConnectionFailedError) as raised:
                extractor.ping()
        assert not isinstance(raised.value, AuthenticationError)
        assert raised.value.remedy


def test_an_object_that_is_replaced_while_it_is_read_stops_the_run(store: Store) -> None:
    store.put("lake/changing.csv", b"a\n" + b"1\n" * 10)
    with FilesExtractor(connected(store.output())) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("changing"), batch_size=2)) as stream:
            assert stream.read_batch(1) is not None
            store.put("lake/changing.csv", b"a\n" + b"22\n" * 10)
            with pytest.raises(DataError, match="changed"):
                stream.to_table()


def test_rows_come_a_row_group_at_a_time_and_stop_when_told(store: Store) -> None:
    wide = pa.table({f"c{i}": pa.array(range(i, ROWS * 10 + i), pa.int64()) for i in range(8)})
    content = parquet(wide, ROWS)
    store.put("lake/wide.parquet", content)
    with FilesExtractor(connected(store.output(), batch_rows=1000)) as extractor:
        before, most = pa.total_allocated_bytes(), 0
        with extractor.scan(ExtractionConfig(relation=Relation("wide"))) as stream:
            for batch in stream.batches():
                assert batch.num_rows <= 1000
                most = max(most, pa.total_allocated_bytes() - before)
            assert stream.rows_read == ROWS * 10
        # One row group of ten, in the file's form and in Arrow's, and some batches.
        assert most < wide.nbytes / 2
        with extractor.scan(ExtractionConfig(relation=Relation("wide"))) as stream:
            assert stream.read_batch(1) is not None
        del stream, batch
        assert pa.total_allocated_bytes() - before < wide.nbytes / 20


@pytest.mark.parametrize(
    "output",
    [
        {"path": "s3://"},
        {"path": "ftp://host/folder"},
        {"path": "s3://key:s3cret@bucket/folder"},
        {"path": "abfss://account.dfs.core.windows.net/folder"},
        {"path": "s3://bucket", "account_key": "x"},
        {"path": "data", "aws_access_key_id": "x"},
        {"path": "s3://bucket", "endpoint_url": "localhost:9000"},
        {"path": "s3://bucket", "aws_access_key_id": "x", "region_name": "us-east-1"},
        {"path": "az://container", "account_key": "x"},
        {"path": "az://container", "account_name": "a", "account_key": "x", "sas_token": "y"},
    ],
    ids=str,
)
def test_addresses_and_keys_are_checked_before_anything_is_asked(output: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        FilesExtractor(connected({"type": "files", **output})).ping()
    assert raised.value.connection == "lake"
    assert raised.value.remedy
    assert "s3cret" not in _whole(raised.value)


def test_connections_of_one_place_are_one_place(tmp_path: Path) -> None:
    def place(path: str, **more: Any) -> Any:
        return connected({"type": "files", "path": path, **more}).place

    assert place("s3://bucket/a/") == place("s3://bucket/a", region_name="eu-west-1")
    assert place("abfss://c@acc.dfs.core.windows.net/a") == place("az://c/a", account_name="acc")
    assert len({place("s3://bucket/a"), place("s3://bucket/b"), place("gs://bucket/a"), place(str(tmp_path))}) == 4
    assert place("s3://bucket/a") != place("s3://bucket/a", endpoint_url="http://127.0.0.1:1")


@pytest.fixture(scope="module")
def s3() -> Iterator[Store]:
    with STORES["s3"]() as opened:
        opened.put("lake/one.parquet", LAKE["two.parquet"])
        yield opened


def test_the_ways_to_log_in_to_s3(s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = s3.output()
    key, secret = own.pop("aws_access_key_id"), own.pop("aws_secret_access_key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials").write_text(
        f"[reader]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        f"[wrong]\naws_access_key_id = {key}\naws_secret_access_key = wr0ng-s3cret\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    def seen(**more: Any) -> Any:
        with FilesExtractor(connected({**own, **more})) as extractor:
            return read(extractor, "one").to_pydict()

    assert seen(aws_profile_name="reader") == {"a": [1]}
    for profile in ("wrong", "nonesuch"):
        with pytest.raises(AuthenticationError):
            seen(aws_profile_name=profile)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    assert seen() == {"a": [1]}
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", own.pop("endpoint_url"))
    assert seen() == {"a": [1]}


def test_a_role_is_taken_on(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    own = s3.output()
    keys = {name: own[name] for name in ("aws_access_key_id", "aws_secret_access_key")}
    root = {"endpoint_url": s3.endpoint, "region_name": "us-east-1"}
    moto_lets_anybody_in(s3, True)
    people = boto3.client("iam", aws_access_key_id="root", aws_secret_access_key="root-s3cret", **root)
    arn = people.create_role(RoleName="lake", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))["Role"]
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3.endpoint)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    try:
        asked: list[dict[str, Any]] = [{**own, "aws_role_arn": arn["Arn"]}]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
        asked.append({**{k: v for k, v in own.items() if k not in keys}, "aws_role_arn": arn["Arn"]})
        for output in asked:
            with FilesExtractor(connected(output)) as extractor:
                assert read(extractor, "one").to_pydict() == {"a": [1]}
    finally:
        moto_lets_anybody_in(s3, False)


def moto_lets_anybody_in(store: Store, is_open: bool) -> None:
    from servers.object_stores import _ask

    _ask(f"{store.endpoint}/moto-api/reset-auth", b"inf" if is_open else b"0", "POST")


def test_a_profile_without_boto3_says_what_to_install(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingDriverError, match="boto3"):
        FilesExtractor(connected({"type": "files", "path": s3.output()["path"], "aws_profile_name": "x"})).ping()


def test_azure_takes_a_shared_access_signature_with_and_without_its_question_mark() -> None:
    with STORES["az"]() as store:
        store.put("lake/one.parquet", LAKE["two.parquet"])
        good = account_sas("rl")
        for token in (good, "?" + good):
            output = {**store.output(), "sas_token": token, "account_key": None}
            with FilesExtractor(connected(output)) as extractor:
                assert read(extractor, "one").to_pydict() == {"a": [1]}
        wrong = good.replace("sig=", "sig=wr0ng")
        with FilesExtractor(connected({**store.output(), "sas_token": wrong, "account_key": None})) as extractor:
            for ask in (extractor.ping, lambda: read(extractor, "one")):
                with pytest.raises(AuthenticationError) as raised:
                    ask()
                signature = urllib.parse.parse_qs(wrong)["sig"][0]
                for shown in (signature, urllib.parse.quote(signature, safe="")):
                    assert shown not in str(raised.value)


def account_sas(rights: str) -> str:
    """A token for the account's blobs, as Azure's documentation has it signed."""
    ends = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = "\n".join([ACCOUNT, rights, "b", "sco", "", ends, "", "", "2021-10-04", "", ""])
    digest = hmac.new(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256).digest()
    parts = {"sv": "2021-10-04", "ss": "b", "srt": "sco", "sp": rights, "se": ends, "sig": base64.b64encode(digest)}
    return urllib.parse.urlencode(parts)


def test_a_service_account_gets_a_token_that_the_store_is_asked_with(tmp_path: Path) -> None:
    """One server stands for Google's token service and for the store, and writes down what it is asked with."""
    google = pytest.importorskip("google.oauth2.service_account")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    assert google
    asked: list[tuple[str, str]] = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200, {"access_token": "t0ken-of-google", "expires_in": 3600, "token_type": "Bearer"})

        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            self._answer(403, {"error": {"code": 403, "message": "no storage.objects.list access"}})

        def _answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "type": "service_account",
        "client_email": "reader@project.iam",
        "private_key": pem.decode(),
        "token_uri": f"{address}/token",
    }
    (tmp_path / "key.json").write_text(json.dumps(key))
    try:
        for credentials in (
            {"keyfile": str(tmp_path / "key.json")},
            {"keyfile_json": key},
            {"token": "t0ken-of-google"},
        ):
            asked.clear()
            output = {"type": "files", "path": "gs://bucket/lake", "endpoint_url": address, **credentials}
            with pytest.raises(DvtError) as raised:
                FilesExtractor(connected(output)).ping()
            assert {header for _, header in asked} == {"Bearer t0ken-of-google"}
            assert type(raised.value).__name__ == "PrivilegeError"
            assert "t0ken-of-google" not in _whole(raised.value)
            assert pem.decode()[100:140] not in _whole(raised.value)
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_that_only_listens_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that accepts and hangs up at once: the client's own words, not the port's check."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        ended = threading.Event()

        def hang_up() -> None:
            listening.settimeout(0.2)
            while not ended.is_set():
                try:
                    listening.accept()[0].close()
                except OSError:
                    continue

        thread = threading.Thread(target=hang_up)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "s3cret-of-nobody", "region_name": "us-east-1"}
        try:
            with pytest.raises(ConnectionFailedError) as raised:
                FilesExtractor(connected({"type": "files", "path": "s3://b/l", "endpoint_url": address, **keys})).ping()
        finally:
            ended.set()
            thread.join()
        assert not isinstance(raised.value, AuthenticationError)
