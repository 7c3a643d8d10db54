"""Places of the conformance kit where rows land in folders of parts, and in emulated object stores."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvt.connections.files import root_path
from dvt.connections.object_paths import ObjectPath
from dvt.connections.object_stores import filesystem
from dvt.federation.registry import open_connection
from dvt.testing import Place, Tag
from servers.object_stores import STORES

_DROPPED = re.compile(r'drop table if exists "(.*)"', re.DOTALL)
_STORES = {"s3": "S3, moto", "gs": "GCS, gcp-storage-emulator", "az": "Azure, Azurite"}


def parts_place(folder: Path, format_: str, **landing: Any) -> Place:
    """A folder in which models land as folders of parts."""

    def execute(sql: str) -> None:
        name = _dropped(sql)
        shutil.rmtree(folder / name, ignore_errors=True)

    dvt = {"layout": "folder", "part_bytes": 64 * 1024, **landing}
    output = {"type": "files", "path": str(folder), "format": format_, "dvt": dvt}
    listed = lambda: [path.name for path in folder.iterdir()]  # noqa: E731
    name = f"files ({format_}, {'partitioned' if landing.get('partition_by') else 'folder'})"
    return Place("files", Tag.REAL, output, execute, name=name, tables=listed, words=f"files-{format_}")


@contextmanager
def store_place(kind: str, layout: str) -> Iterator[Place]:
    """A prefix of an object store in which models land as Parquet."""
    with STORES[kind]() as store:
        output = store.output(format="parquet", dvt={"layout": layout})
        connection = open_connection("kit", output)
        root = root_path(connection)
        assert isinstance(root, ObjectPath)

        def execute(sql: str) -> None:
            name = _dropped(sql)
            if not (root / name).is_dir() and layout == "folder":
                return
            if layout == "folder":  # Azure's client takes seconds for files one by one
                filesystem(connection, root.address).delete_dir(f"{root.key}/{name}")
            else:
                (root / f"{name}.parquet").unlink(missing_ok=True)

        refused = None if store.refused is None else {**output, **store.refused}
        yield Place(
            "files",
            Tag.EMULATED,
            output,
            execute,
            refused=refused,
            closed={**output, "endpoint_url": "http://127.0.0.1:1"},
            name=f"files ({layout}, {_STORES[kind]})",
            tables=lambda: [path.name for path in root.glob("*")],
            words="files-parquet",
        )


def _dropped(sql: str) -> str:
    found = _DROPPED.fullmatch(sql)
    assert found is not None, f"files take no {sql}"
    return found.group(1).replace('""', '"')
