"""Object stores: which one an address names, who one is there, and the file system that reads and writes it.

Everything goes through pyarrow's own clients, which come in its wheel; nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dvt.connections.object_store_clients import client
from dvt.connections.object_store_errors import translate
from dvt.connections.reach import require_port
from dvt.errors import ConfigurationError, ConnectionFailedError, DvtError, UnsupportedError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from dvt.connections.connection import Connection

_COMMON = ("endpoint_url", "anonymous")
_KEYS: dict[str, tuple[str, ...]] = {
    "s3": (
        *_COMMON,
        *("region_name", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_profile_name"),
        *("aws_role_arn", "aws_external_id", "ca_file"),
    ),
    "gs": (*_COMMON, "keyfile", "keyfile_json", "token"),
    "az": ("endpoint_url", "account_name", "account_key", "sas_token", "tenant_id", "client_id", "client_secret"),
}
SETTINGS = tuple(dict.fromkeys(key for keys in _KEYS.values() for key in keys))
SECRET_SETTINGS = (
    *("aws_secret_access_key", "aws_session_token", "keyfile_json", "token"),
    *("account_key", "sas_token", "client_secret"),
)
_EXAMPLES = "s3://bucket/folder, gs://bucket/folder, az://container/folder or a local folder"
# A token that dvt fetched itself is renewed, before a file is opened, when it has less than this left.
_RENEWED_S = 300
_MOST_OPEN = 16

_lock = threading.Lock()
_open: dict[Any, tuple[FileSystem, float | None]] = {}


@dataclass(frozen=True)
class Address:
    """A place in an object store.

    Args:
        kind: "s3", "gs" or "az".
        key: Bucket, or container, and what is below, as the file system names it.
        account: Azure's account, where the address names it.
        domain: The rest of Azure's host, where the address names it.
    """

    kind: str
    key: str
    account: str | None = None
    domain: str | None = None

    @property
    def bucket(self) -> str:
        """Bucket or container."""
        return self.key.partition("/")[0]


def address_of(settings: Mapping[str, Any]) -> Address | None:
    """The address that `path` holds; None for a folder of this machine.

    Raises:
        ConfigurationError: It is an address, but of no store that is known, or names no bucket.
    """
    text = str(settings["path"])
    scheme, mark, rest = text.partition("://")
    if not mark:
        return None
    host, _, below = rest.partition("/")
    key = "/".join(part for part in (host, *below.split("/")) if part)
    if scheme in ("abfs", "abfss") and "@" in host:
        container, _, server = host.partition("@")
        account, _, domain = server.partition(".")
        domain = domain.removeprefix("dfs.").removeprefix("blob.")
        if container and account and ":" not in container:
            return Address("az", container + key.removeprefix(host), account, domain or None)
    elif scheme in _KEYS and host and "@" not in host:
        return Address(scheme, key)
    raise ConfigurationError(
        f"`path` is no address of an object store: {scheme}://...",
        remedy=f"Write {_EXAMPLES}; credentials stand under keys of their own, not in the address",
    )


def check_settings(connection: Connection) -> Address | None:
    """The address, after a look at the keys beside it.

    Raises:
        ConfigurationError: A key belongs to another kind of store.
    """
    try:
        address = address_of(connection.settings)
        if address:
            endpoint_of_settings(connection.settings, address.kind)
    except ConfigurationError as error:
        raise error.at(connection=connection.name) from None
    known = _KEYS[address.kind] if address else ()
    for key in SETTINGS:
        if connection.first(key) is not None and key not in known:
            where = f"{address.kind}://" if address else "a local folder"
            raise ConfigurationError(
                f"key '{key}' means nothing for {where}",
                code="DVT104",
                connection=connection.name,
                remedy=f"Remove it, or correct `path`: {_EXAMPLES}",
            )
    return address


def endpoint_of_settings(settings: Mapping[str, Any], kind: str) -> str | None:
    """The address of a server that is not the vendor's own."""
    given = settings.get("endpoint_url") or None
    if given is None and kind == "s3":
        from dvt.connections.object_store_s3 import endpoint_of_environment

        given = endpoint_of_environment()
    if given is None and kind == "gs":  # as Google's own clients do
        given = os.environ.get("STORAGE_EMULATOR_HOST") or None
    if given is None:
        return None
    parts = urlsplit(str(given))
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ConfigurationError("endpoint_url is no address of a server", remedy="Write https://host:port")
    return f"{parts.scheme}://{parts.netloc}"


def filesystem(connection: Connection, address: Address) -> FileSystem:
    """What reads and writes the store. Connections of the same settings share one, and its open sockets.

    Raises:
        DvtError: The credentials cannot be had, or the server's port does not answer.
    """
    endpoint = endpoint_of_settings(connection.settings, address.kind)
    same = (connection.root, address.kind, address.account, address.domain, endpoint, _fixed(connection.settings))
    with _lock:
        found, expires = _open.get(same, (None, None))
    if found is not None and (expires is None or expires - time.time() > _RENEWED_S):
        return found
    if endpoint:
        parts = urlsplit(endpoint)
        require_port(connection, str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80))
    try:
        with translated(connection):
            options, expires = _client_options(connection, address, endpoint)
            made = client(address.kind, options), expires
    except (ImportError, TypeError) as error:  # older ones lack clients, or arguments of theirs
        import pyarrow as pa

        raise UnsupportedError(
            f"pyarrow {pa.__version__} cannot do what the connection asks of {address.kind}://: {error}",
            connection=connection.name,
            phase="connect",
            remedy="Install a newer pyarrow",
        ) from error
    with _lock:
        _open[same] = made
        while len(_open) > _MOST_OPEN:
            _open.pop(next(iter(_open)))
    return made[0]


def client_options(connection: Connection, address: Address) -> dict[str, Any]:
    """What another process needs to make the same client (`object_store_clients.client`), as JSON; secrets too.

    Credentials that are this machine's own are not among it: there they are that machine's. Of a key file, a profile or
    a role it is the token that dvt was given for it.
    """
    with translated(connection):
        return _client_options(connection, address, endpoint_of_settings(connection.settings, address.kind))[0]


def _client_options(
    connection: Connection, address: Address, endpoint: str | None
) -> tuple[dict[str, Any], float | None]:
    """The options, and when the credentials among them end."""
    from dvt.connections.object_store_azure import azure_options
    from dvt.connections.object_store_gcs import gcs_options
    from dvt.connections.object_store_s3 import s3_options

    return {"s3": s3_options, "gs": gcs_options, "az": azure_options}[address.kind](connection, address, endpoint)


@contextlib.contextmanager
def translated(connection: Connection, address: Address | None = None, what: str = "") -> Iterator[None]:
    """Errors of the store's client as dvt's.

    A refusal that comes without a body does not say whether the key is wrong or lacks a right; the store is then asked
    something that it answers with one.
    """
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, ValueError) as error:
        told: BaseException = error
        if address is not None and "No response body" in str(error):
            told = _refusal(connection, address) or error
        raise translate(told, connection, None, None, what) from error


def require_bucket(connection: Connection, address: Address) -> None:
    """Whether the store answers, takes the credentials, and has the bucket and something below the prefix.

    Raises:
        ConnectionFailedError: And its family.
    """
    from pyarrow.fs import FileType

    files = filesystem(connection, address)
    if error := _refusal(connection, address):
        raise translate(error, connection, None, "connect") from error
    for key, what in ((address.bucket, "no bucket"), (address.key, "nothing below")):
        with translated(connection, address):
            found = files.get_file_info(key).type
        if found == FileType.NotFound:
            raise ConnectionFailedError(
                f"there is {what} {address.kind}://{key}",
                connection=connection.name,
                phase="connect",
                remedy="Correct `path`",
            )


def _refusal(connection: Connection, address: Address) -> Exception | None:
    """What the store says against listing what is not there; None when that is all it has to say."""
    import pyarrow as pa
    from pyarrow.fs import FileSelector

    try:
        nothing = FileSelector(f"{address.bucket}/dvt-{uuid.uuid4()}", allow_not_found=True)
        filesystem(connection, address).get_file_info(nothing)
    except DvtError:
        raise
    except (OSError, pa.ArrowException) as error:
        return error
    return None


def _fixed(value: Any) -> Any:
    """Settings as something that a dictionary takes for a key; secrets are compared, and not shown."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), _fixed(inner)) for key, inner in value.items() if inner is not None))
    return tuple(map(_fixed, value)) if isinstance(value, (list, tuple)) else value
