"""`dvt debug`: check every connection of the profile, a line each."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import click

from dvt.connections.landing import file_to_come, landing_schema, require_creatable
from dvt.errors import DvtError
from dvt.federation.registry import can_land, loader_class, new_extractor
from dvt.native import library as native

if TYPE_CHECKING:
    from dvt.connections.connection import Connection
    from dvt.dbt_bridge.profiles import Connections

# Types whose rows the native codec decodes, and for PostgreSQL encodes.
_BY_CODEC = frozenset({"postgres", "mysql", "mariadb"})


@dataclass(frozen=True)
class Check:
    """What was found for one connection.

    Args:
        connection: Name of the output.
        type: The engine.
        ok: Whether everything works.
        version: The server's own version.
        can_create: Whether tables can be made in the output's schema; None when that was not reached.
        seconds: Wall time of the check.
        to_come: The database file that is not there yet and that the first landing makes, else empty.
        error: What failed, with code and remedy.
    """

    connection: str
    type: str
    ok: bool
    version: str = ""
    can_create: bool | None = None
    seconds: float = 0.0
    to_come: str = ""
    error: str = ""


@click.command("debug")
@click.option("--profiles-dir", type=click.Path(), help="Folder of profiles.yml.")
@click.option("--project-dir", type=click.Path(), help="Folder of dbt_project.yml.")
@click.option("--profile", help="Profile, when it is not the project's.")
@click.option("-t", "--target", "only", help="Check this output only.")
@click.option("--vars", "cli_vars", default="{}", help="Variables for the profile, as YAML.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("-q/", "--quiet/--no-quiet", envvar="DBT_QUIET", help="Print failures only.")
def command(
    profiles_dir: str | None,
    project_dir: str | None,
    profile: str | None,
    only: str | None,
    cli_vars: str,
    as_json: bool,
    quiet: bool,
) -> int:
    """Check driver, network, TLS, login, server version and the right to create, for every output.

    The target must allow tables to be made; of the other outputs it is only said.
    """
    import yaml

    from dvt.dbt_bridge.contract import check_dbt
    from dvt.dbt_bridge.profiles import load_connections

    check_dbt()
    connections = load_connections(
        profiles_dir=profiles_dir, project_dir=project_dir, profile=profile, cli_vars=yaml.safe_load(cli_vars) or {}
    )
    names = (only,) if only else connections.names
    checks = [_check(connections, name, bool(only) or name == connections.default_name) for name in names]
    if as_json:
        click.echo(
            json.dumps(
                {
                    "profiles": str(connections.where),
                    "native_codec": _native_codec() or "ok",
                    "connections": [asdict(c) for c in checks],
                },
                indent=2,
            )
        )
    else:
        if not quiet:
            click.echo(f"profile in {connections.where}")
        for check in checks:
            if not (quiet and check.ok):
                click.echo(_line(check))
        if not quiet and any(check.type in _BY_CODEC for check in checks):
            why = _native_codec()
            click.echo(f"native codec: {f'none, PyArrow does its work: {why}' if why else 'ok'}")
    return 0 if all(check.ok for check in checks) else 1


def _native_codec() -> str:
    """Why rows of these types are not read and written natively; empty when they are."""
    found = native.load()
    return found if isinstance(found, str) else ""


def _check(connections: Connections, name: str, is_landing: bool) -> Check:
    started = time.monotonic()
    check = Check(name, "?", False)
    try:
        connection = connections.get(name)
        check = replace(check, type=connection.type)
        connection.require_driver()
        is_landing = is_landing and (can_land(connection.type) or name == connections.default_name)
        check = replace(check, can_create=False if is_landing else None)
        check = _checked(check, connection, is_landing)
    except DvtError as failure:
        check = replace(check, ok=False, error=str(failure))
    return replace(check, seconds=round(time.monotonic() - started, 3))


def _checked(check: Check, connection: Connection, is_landing: bool) -> Check:
    file = file_to_come(connection)
    # A SQLite file that is not the landing is a source: one that is missing is a mistake in `path`.
    if file is not None and (is_landing or connection.type == "duckdb"):
        require_creatable(file, connection)
        return replace(check, ok=True, can_create=True, to_come=str(file))
    if is_landing:
        _create(connection)
    version = _ping(connection)
    return replace(
        check,
        ok=True,
        version=version,
        can_create=is_landing or (can_land(connection.type) and _may_create(connection)),
    )


def _ping(connection: Connection) -> str:
    with new_extractor(connection) as extractor:
        return extractor.ping()


def _create(connection: Connection) -> None:
    with loader_class(connection.type)(connection) as loader:
        loader.check_create_privilege(landing_schema(connection))


def _may_create(connection: Connection) -> bool:
    """A source that is only read needs no right to create: that it is missing is said, not failed."""
    try:
        _create(connection)
    except DvtError:
        return False
    return True


def _line(check: Check) -> str:
    head = f"{'ok  ' if check.ok else 'FAIL'}  {check.connection} ({check.type})"
    if not check.ok:
        return f"{head}  {check.error}"
    if check.to_come:
        return f"{head}  {check.to_come} will be created"
    create = "may create tables" if check.can_create else "read only: models cannot land here"
    return f"{head}  {check.version}; {create}; {check.seconds:.2f} s"
