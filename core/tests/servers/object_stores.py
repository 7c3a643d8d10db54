"""Emulated object stores on loopback ports: S3 of moto's, Google's by gcp-storage-emulator, Azure's by Azurite.

They show what dvt and pyarrow's clients ask for, and how their answers and refusals are read. They show nothing of real
rights, regions, TLS, throttling or speed; Google's emulator looks at no credentials.
"""

from __future__ import annotations

import contextlib
import functools
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from servers.own_environment import NotToBeHad, alone, kept_folder
from servers.process import free_port

AZURITE = "3.35.0"
# Azurite's one account, which its documentation names.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_INSTALL_S, _START_S = 300, 60


@dataclass(frozen=True)
class Store:
    """An empty bucket of its own.

    Args:
        kind: "s3", "gs" or "az".
        bucket: The bucket's name.
        endpoint: The server's address.
        login: The keys of an output that is let in.
        refused: The same with a wrong secret; None where nobody is refused.
        put: Writes an object: key and content.
        remove: Deletes it.
    """

    kind: str
    bucket: str
    endpoint: str
    login: Mapping[str, Any]
    refused: Mapping[str, Any] | None
    put: Callable[[str, bytes], object] = field(repr=False)
    remove: Callable[[str], object] = field(repr=False)

    def output(self, prefix: str = "lake", **more: Any) -> dict[str, Any]:
        """A profile output whose root is a prefix of the bucket."""
        path = f"{self.kind}://{self.bucket}/{prefix}"
        return {"type": "files", "path": path, "endpoint_url": self.endpoint, **self.login, **more}


@contextlib.contextmanager
def s3_store() -> Iterator[Store]:
    """An S3 that looks at who asks: a user with a key, and everybody else."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint, bucket = f"http://{host}:{port}", f"dvt-{uuid.uuid4().hex[:12]}"
    root = {"aws_access_key_id": "root", "aws_secret_access_key": "root-s3cret", "region_name": "us-east-1"}
    client = functools.partial(boto3.client, endpoint_url=endpoint)
    try:
        people = client("iam", **root)
        reader = f"reader-{bucket}"  # moto's servers of one process have the same users
        people.create_user(UserName=reader)
        rights = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        people.put_user_policy(UserName=reader, PolicyName="all", PolicyDocument=json.dumps(rights))
        key = people.create_access_key(UserName=reader)["AccessKey"]
        login = {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
            "region_name": "us-east-1",
        }
        s3 = client("s3", **login)
        s3.create_bucket(Bucket=bucket)
        with _looking_at_keys(endpoint):
            yield Store(
                "s3",
                bucket,
                endpoint,
                login,
                {**login, "aws_secret_access_key": "wr0ng-s3cret"},
                lambda name, content: s3.put_object(Bucket=bucket, Key=name, Body=content),
                lambda name: s3.delete_object(Bucket=bucket, Key=name),
            )
    finally:
        server.stop()


@contextlib.contextmanager
def _looking_at_keys(endpoint: str) -> Iterator[None]:
    """Moto checks signatures and rights meanwhile; it does so in all servers of this process."""
    _ask(f"{endpoint}/moto-api/reset-auth", b"0", "POST")
    try:
        yield
    finally:
        _ask(f"{endpoint}/moto-api/reset-auth", b"inf", "POST")


@contextlib.contextmanager
def gcs_store() -> Iterator[Store]:
    """Google's emulator, in a process of its own."""
    pytest.importorskip("gcp_storage_emulator", reason="Google's storage needs gcp-storage-emulator")

    port, bucket = free_port(), f"dvt-{uuid.uuid4().hex[:12]}"
    endpoint = f"http://127.0.0.1:{port}"

    def put(name: str, content: bytes) -> None:
        query = urllib.parse.urlencode({"uploadType": "media", "name": name})
        _ask(f"{endpoint}/upload/storage/v1/b/{bucket}/o?{query}", content, "POST")

    def remove(name: str) -> None:
        _ask(f"{endpoint}/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}", None, "DELETE")

    program = Path(__file__).with_name("object_store_gcs.py")
    with (
        tempfile.TemporaryDirectory() as folder,
        _serving([sys.executable, str(program), str(port), bucket], port, folder),
    ):
        yield Store("gs", bucket, endpoint, {"anonymous": True}, None, put, remove)


@contextlib.contextmanager
def azure_store() -> Iterator[Store]:
    """Azurite's blob service, in a process and a folder of its own."""
    from pyarrow.fs import AzureFileSystem

    port, bucket = free_port(), f"dvt-{uuid.uuid4().hex[:12]}"
    try:
        program = _azurite_program()
    except NotToBeHad as reason:
        pytest.skip(f"Azurite: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", folder]
        quiet = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--loose"]
        with _serving([program, *options, *quiet], port, folder):
            host = f"127.0.0.1:{port}"
            files = AzureFileSystem(
                ACCOUNT,
                account_key=ACCOUNT_KEY,
                blob_storage_authority=host,
                dfs_storage_authority=host,
                blob_storage_scheme="http",
                dfs_storage_scheme="http",
            )
            files.create_dir(bucket)

            def put(name: str, content: bytes) -> None:
                with files.open_output_stream(f"{bucket}/{name}") as file:
                    file.write(content)

            login = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY}
            refused = {**login, "account_key": "wr0n" + ACCOUNT_KEY[4:]}
            # Nothing is deleted: pyarrow's client waits for seconds at some deletions here. Files are written over.
            yield Store("az", bucket, f"http://{host}", login, refused, put, lambda name: None)


@contextlib.contextmanager
def _serving(command: Sequence[str], port: int, folder: str) -> Iterator[None]:
    """A program that serves a port, until the block ends."""
    log = Path(folder) / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        ends = time.monotonic() + _START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > ends:
                pytest.fail(f"{command[0]} did not start: " + log.read_text()[-500:])
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _azurite_program() -> str:
    """Azurite, installed once by npm beside the tests' environment.

    Raises:
        NotToBeHad: There is no npm, or it cannot install it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NotToBeHad("there is no npm to install it with")
    home = kept_folder() / f"azurite-{AZURITE}"
    program = home / "node_modules" / ".bin" / "azurite-blob"
    with alone(home.with_suffix(".lock")):
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
            command = [npm, "install", "--prefix", str(home), *quiet, f"azurite@{AZURITE}"]
            try:
                answer = subprocess.run(
                    command,
                    capture_output=True,
                    text=True,
                    timeout=_INSTALL_S,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise NotToBeHad("npm install took too long") from error
            if answer.returncode:
                raise NotToBeHad(f"npm install failed: {answer.stderr.strip()[-300:]}")
            (home / "ready").touch()
    return str(program)


def _answers(port: int) -> bool:
    import socket

    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _ask(url: str, content: bytes | None, method: str) -> bytes:
    asked = urllib.request.Request(url, content, {"Content-Type": "application/octet-stream"}, method=method)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        found: bytes = answer.read()
        return found


STORES: dict[str, Callable[[], contextlib.AbstractContextManager[Store]]] = {
    "s3": s3_store,
    "gs": gcs_store,
    "az": azure_store,
}
