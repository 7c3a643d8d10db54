"""A bucket that dvt reaches as Google's storage, over HTTP, and Spark as `gs://`, by files: the same objects.

Google's connector for Hadoop is not to be had here. But Hadoop itself can serve any scheme by another file system
(`ViewFileSystemOverloadScheme`), and the emulator keeps its objects as files.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from servers.object_stores import _serving
from servers.process import free_port

TOKEN_ENV = "DVT_TEST_STORE_TOKEN"
TOKEN = "ya29.st0re-t0ken"


@dataclass(frozen=True)
class SparkBucket:
    """The bucket.

    Args:
        name: Its name.
        endpoint: The server's address.
        folder: The folder that holds its objects as files.
    """

    name: str
    endpoint: str
    folder: Path

    def options(self, **more: Any) -> dict[str, Any]:
        """What dvt.yml would say of it, under engines.spark."""
        return {"staging": f"gs://{self.name}/lake", "store": self.store(), **more}

    def store(self) -> dict[str, Any]:
        """Where it is, and who dvt is there."""
        return {"endpoint_url": self.endpoint, "token_env": TOKEN_ENV}

    def config(self) -> dict[str, str]:
        """Spark's settings: what its connector would need."""
        return {
            "spark.hadoop.fs.gs.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
            f"spark.hadoop.fs.viewfs.mounttable.{self.name}.linkFallback": self.folder.as_uri(),
        }

    def objects(self) -> list[str]:
        """What lies in it."""
        found = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        return sorted(path.as_posix() for path in found)


@contextmanager
def spark_bucket(folder: Path) -> Iterator[SparkBucket]:
    """An empty bucket; who has the token of the environment is let in."""
    pytest.importorskip("gcp_storage_emulator", reason="Google's storage needs gcp-storage-emulator")
    from servers.object_store_gcs import bucket_folder

    port, name = free_port(), f"dvt-{uuid.uuid4().hex[:12]}"
    program = Path(__file__).with_name("object_store_gcs.py")
    command = [sys.executable, str(program), str(port), name, str(folder), TOKEN]
    with _serving(command, port, str(folder)), pytest.MonkeyPatch.context() as patch:
        patch.setenv(TOKEN_ENV, TOKEN)
        yield SparkBucket(name, f"http://127.0.0.1:{port}", bucket_folder(folder, name))
