"""`engines.spark.staging` as an address of a bucket, and `engines.spark.store`: where it is, and who dvt is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.files import SPEC
from dvt.connections.object_stores import SECRET_SETTINGS, SETTINGS, Address
from dvt.connections.store_folder import StoreFolder, store_folder
from dvt.errors import ConfigurationError, nearest

_ENV = "_env"
_WHERE = "engines.spark"
# What a secret is while nothing but the address is looked at.
_UNKNOWN = "?"
_AZURE = "core.windows.net"


def is_address(staging: str) -> bool:
    """Whether `staging` names a bucket, and no folder."""
    return "://" in staging


def check_store(staging: str, store: Mapping[str, Any]) -> None:
    """Refuse what is no address of a bucket, and keys that its store has not.

    Raises:
        ConfigurationError: What it is, without the place in dvt.yml.
    """
    known = [*SETTINGS, *(key + _ENV for key in SETTINGS)]
    for key, value in store.items():
        name = str(key).removesuffix(_ENV)
        if key not in known:
            raise ConfigurationError(f"unknown key 'store.{key}': {nearest(str(key), known)}", remedy="Correct it")
        if key in SECRET_SETTINGS:
            raise ConfigurationError(
                f"store.{key} stands in dvt.yml, which is committed",
                remedy=f"Name, in store.{key}{_ENV}, the environment variable that holds it",
            )
        if isinstance(value, (Mapping, list)) or (key != name and not isinstance(value, str)):
            raise ConfigurationError(f"store.{key} is {value!r}", remedy="It takes a text")
    _folder(staging, {key.removesuffix(_ENV): _UNKNOWN if key.endswith(_ENV) else store[key] for key in store}, Path())


def bucket_folder(staging: str, store: Mapping[str, Any], root: Path) -> StoreFolder:
    """The folder, with its secrets.

    Raises:
        ConfigurationError: An environment variable that is named is not set.
    """
    settings = {}
    for key, value in store.items():
        if key.endswith(_ENV) and value not in os.environ:
            raise ConfigurationError(
                f"{_WHERE}.store: the environment variable {value} is not set",
                code="DVT111",
                remedy=f"Set it to the store's {key.removesuffix(_ENV)}",
            )
        settings[key.removesuffix(_ENV)] = os.environ[value] if key.endswith(_ENV) else value
    return _folder(staging, settings, root)


def spark_url(folder: StoreFolder) -> str:
    """The folder as Spark's connectors call it, without a slash at the end."""
    address = folder.address
    if address.kind == "az":
        return _azure_url(address, str(folder.store.first("account_name", default=address.account)))
    return f"{'s3a' if address.kind == 's3' else address.kind}://{address.key}"


def _azure_url(address: Address, account: str) -> str:
    container, _, below = address.key.partition("/")
    return f"abfss://{container}@{account}.dfs.{address.domain or _AZURE}/{below}".rstrip("/")


def _folder(staging: str, settings: Mapping[str, Any], root: Path) -> StoreFolder:
    url = staging.replace("s3a://", "s3://", 1)  # as Hadoop calls it
    return store_folder(Connection(_WHERE, SPEC, {}, {}, root), url, settings, "staging")
