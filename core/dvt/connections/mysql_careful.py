"""mysql-connector-python, kept from sending a password in the clear.

Where a server knows a password's hash only (`caching_sha2_password`, the default since MySQL 8, before the first login
after its start), it asks for the password itself. Over TLS that is as safe as TLS is; without, it is to be encrypted
with the server's key, which PyMySQL does. The connector's Python side sends it as it is, and the server refuses it.
"""

from __future__ import annotations

from typing import Any

_PASSWORD_WANTED = 4
_NO_SECURE_WAY = 2061  # the client library's own number for it
_NAME = "DvtCarefulPlugin"


def connect(**settings: Any) -> Any:
    """A connection of the connector's Python side; the settings are its own.

    Raises:
        mysql.connector.Error: As the connector raises, and 2061 where the password would be sent in the clear.
    """
    from mysql.connector import MySQLConnection
    from mysql.connector.plugins import caching_sha2_password as plugins

    if not settings.get("unix_socket"):
        setattr(plugins, _NAME, _careful(plugins.MySQLCachingSHA2PasswordAuthPlugin))
    owner: Any = MySQLConnection()
    owner._auth_plugin_class = _NAME  # looked for in the module of the way of logging in that the server names
    owner.connect(**settings)
    return owner


def _careful(plugin: Any) -> Any:
    from mysql.connector import InterfaceError

    class Careful(plugin):  # type: ignore[misc]
        def auth_more_response(self, sock: Any, auth_data: bytes, **kwargs: Any) -> bytes:
            if bytes(auth_data[:1]) == bytes([_PASSWORD_WANTED]) and not self.ssl_enabled:
                raise InterfaceError(
                    errno=_NO_SECURE_WAY,
                    msg="the server asks for the password, and the session is not encrypted: use TLS, or the driver"
                    " pymysql (dvt.driver), which encrypts it",
                )
            return bytes(super().auth_more_response(sock, auth_data, **kwargs))

    return Careful
