"""Azure Blob Storage and Data Lake: credentials, and what pyarrow's client is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    from dvt.connections.connection import Connection
    from dvt.connections.object_stores import Address

_PRINCIPAL = ("tenant_id", "client_id", "client_secret")


def azure_options(
    connection: Connection, address: Address, endpoint: str | None
) -> tuple[dict[str, Any], float | None]:
    """The client's options; its tokens are its own matter.

    Credentials are the account's key, a SAS token, a service principal, or those that the machine has.

    Raises:
        ConfigurationError: The account is not named, or credentials of two kinds are.
    """
    account = connection.first("account_name", default=address.account)
    if account is None:
        raise ConfigurationError(
            "the storage account is not named",
            connection=connection.name,
            phase="connect",
            remedy="Add `account_name`, or write the path as abfss://container@account.dfs.core.windows.net/folder",
        )
    options: dict[str, Any] = {"account_name": str(account), **_credentials(connection)}
    if endpoint:
        scheme, _, host = endpoint.partition("://")
        options.update(
            dict.fromkeys(("blob_storage_scheme", "dfs_storage_scheme"), scheme),
            **dict.fromkeys(("blob_storage_authority", "dfs_storage_authority"), host),
        )
    elif address.domain:
        options.update(blob_storage_authority=f".blob.{address.domain}", dfs_storage_authority=f".dfs.{address.domain}")
    return options, None


def _credentials(connection: Connection) -> dict[str, Any]:
    ways = [keys for keys in (("account_key",), ("sas_token",), _PRINCIPAL) if connection.first(keys[-1]) is not None]
    if len(ways) > 1:
        raise ConfigurationError(
            f"{' and '.join(keys[-1] for keys in ways)} are given", connection=connection.name, remedy="Keep one"
        )
    found = {key: connection.secret(key) for key in _PRINCIPAL if connection.first(key) is not None}
    if ways and ways[0] != _PRINCIPAL:
        found = {ways[0][0]: connection.secret(ways[0][0])}
    if token := found.get("sas_token"):
        found["sas_token"] = "?" + token.removeprefix("?")
    return found
