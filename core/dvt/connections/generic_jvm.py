"""The Java machine of this process, and JDBC sessions in it. Jars come from the profile or from Debian's folder."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.generic import call_arguments, driver_name, given_jars, read_only, setting_text
from dvt.errors import ConfigurationError, MissingDriverError

_DEBIAN_JARS = Path("/usr/share/java")
# Which of Debian's jars drives which kind of address; properties without which a driver holds whole results, or says
# of a number that it is a bit, and of a year that it is a date.
_KNOWN: tuple[tuple[str, tuple[str, ...], dict[str, str]], ...] = (
    # Texts that are loaded take the type of their column.
    ("jdbc:postgresql:", ("postgresql.jar",), {"stringtype": "unspecified"}),
    ("jdbc:mariadb:", ("mariadb-java-client.jar",), {"tinyInt1isBit": "false", "yearIsDateType": "false"}),
    (
        "jdbc:mysql:",
        ("mysql-connector-java.jar", "mysql-connector-j.jar"),
        {"tinyInt1isBit": "false", "yearIsDateType": "false", "useCursorFetch": "true"},
    ),
    ("jdbc:h2:", ("h2.jar",), {}),
    ("jdbc:hsqldb:", ("hsqldb.jar",), {}),
    ("jdbc:derby:", ("derby.jar", "derbyclient.jar"), {}),
    ("jdbc:sqlite:", ("sqlite-jdbc.jar",), {}),
)
_lock = threading.Lock()
_loaders: dict[tuple[str, ...], Any] = {}


def java(name: str) -> Any:
    """A class of the running machine."""
    import jpype

    return jpype.JClass(name)


def start(connection: Connection) -> None:
    """Start the machine of this process, once. Signals stay Python's, and its time zone is UTC.

    Raises:
        MissingDriverError: JPype or Java is not installed.
    """
    if importlib.util.find_spec("jpype") is None:
        raise MissingDriverError(
            "JPype is not installed", connection=connection.name, remedy="Run: pip install 'dvt[generic]'"
        )
    import jpype

    with _lock:
        if jpype.isJVMStarted():
            return
        try:
            jpype.startJVM("-Xrs", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", interrupt=False)
        except (jpype.JVMNotFoundException, OSError) as error:
            raise MissingDriverError(
                f"there is no Java: {error}",
                connection=connection.name,
                remedy="Install a Java runtime (Debian: default-jre-headless), or set JAVA_HOME",
            ) from error


def sql_errors() -> tuple[type[BaseException], ...]:
    """What JDBC calls raise."""
    import jpype

    if not jpype.isJVMStarted():
        return ()
    return (jpype.JClass("java.sql.SQLException"), jpype.JClass("java.lang.RuntimeException"))


def open_session(connection: Connection, dialect: str) -> Any:
    """A JDBC connection that reads in transactions, as drivers want for streaming.

    Raises:
        MissingDriverError: No jar, or no driver in it, for the address.
        ConfigurationError: The database quotes names as the output's dialect does not.
    """
    import jpype

    start(connection)
    url = setting_text(connection, "url")
    driver = _driver(connection, url, jars_of(connection, url))
    properties = java("java.util.Properties")()
    for key, value in login_properties(connection, url).items():
        properties.setProperty(key, value)
    java("java.sql.DriverManager").setLoginTimeout(jpype.JInt(int(connection.options["connect_timeout_s"])))
    session = driver.connect(url, properties)
    if session is None:
        raise _no_driver(connection, url)
    session.setAutoCommit(False)
    if read_only(connection, can=True):
        session.setReadOnly(True)
    _check_quotes(session, connection, dialect)
    return session


def login_properties(connection: Connection, url: str) -> dict[str, str]:
    """What the driver is told besides the address, the password among it: for the connect call only."""
    login = {"user": connection.first("user"), "password": connection.secret("password")}
    given = {**_known(url)[2], **{key: value for key, value in login.items() if value is not None}}
    given.update(call_arguments(connection, "properties"))
    return {str(key): str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()}


def _known(url: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    return next((entry for entry in _KNOWN if url.lower().startswith(entry[0])), ("", (), {}))


def jars_of(connection: Connection, url: str) -> tuple[str, ...]:
    """The driver's jars: the profile's, or Debian's.

    Raises:
        MissingDriverError: There are none.
    """
    given, debian = given_jars(connection), _known(url)[1]
    if given:
        paths = [connection.root / jar for jar in given]
    else:
        paths = [_DEBIAN_JARS / name for name in debian if (_DEBIAN_JARS / name).is_file()]
    for path in paths:
        if not path.is_file():
            raise MissingDriverError(
                f"there is no jar {path}", connection=connection.name, remedy="Correct `jars` in profiles.yml"
            )
    if not paths:
        raise MissingDriverError(
            f"no jar is known for {driver_name(connection)}",
            connection=connection.name,
            remedy="Name the driver's jars in `dvt: {jdbc: {jars: ...}}`; dvt downloads none",
        )
    return tuple(str(path.resolve()) for path in paths)


def _driver(connection: Connection, url: str, jars: tuple[str, ...]) -> Any:
    """A driver of jars that stand apart from those of other connections."""
    import jpype

    with _lock:
        if jars not in _loaders:
            urls = [java("java.io.File")(jar).toURI().toURL() for jar in jars]
            _loaders[jars] = java("java.net.URLClassLoader")(urls)
    loader = _loaders[jars]
    name = connection.first("driver")
    if name is None:
        for driver in java("java.util.ServiceLoader").load(java("java.sql.Driver"), loader):
            if driver.acceptsURL(url):
                return driver
        raise _no_driver(connection, url)
    try:
        return jpype.JClass("java.lang.Class").forName(str(name), True, loader).getDeclaredConstructor().newInstance()
    except java("java.lang.ReflectiveOperationException") as error:
        raise MissingDriverError(
            f"there is no class {name} in {', '.join(jars)}",
            connection=connection.name,
            remedy="Correct `driver` or `jars` in profiles.yml",
        ) from error


def _no_driver(connection: Connection, url: str) -> ConfigurationError:
    scheme = ":".join(url.split(":")[:2])
    return ConfigurationError(
        f"the driver does not take addresses of {scheme}",
        connection=connection.name,
        remedy="Correct `url`, or name the right `jars`",
    )


def _check_quotes(session: Any, connection: Connection, dialect: str) -> None:
    """MySQL takes a name in double quotes for a text: a dialect that quotes so would read wrong rows."""
    from sqlglot import exp

    theirs = str(session.getMetaData().getIdentifierQuoteString() or "").strip()
    ours = exp.to_identifier("x", quoted=True).sql(dialect=dialect)[0]
    if theirs in ('"', "`") and ours in ('"', "`") and theirs != ours:
        session.close()
        raise ConfigurationError(
            f"the database quotes names with {theirs}, and the output's dialect with {ours}",
            connection=connection.name,
            remedy="Write the database's `dialect` in profiles.yml, for example mysql",
        )
