"""`dvt copy`: one table of one connection to another, in one line."""

from __future__ import annotations

import csv
import json
import uuid
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dvt.dbt_bridge.profiles import Connections
    from dvt.federation.copying import CopyRequest

_MODES = {"replace": "table", "append": "append", "merge": "merge", "delete+insert": "delete+insert"}
_EPILOG = """\
SOURCE and TARGET are connection:schema.table, connection:table (in the output's own schema) or, where the connection
holds files, connection:path. Without a connection in front of the colon it is the default target. Parts with odd
letters stand in double quotes: 'crm:public."My.Table"'.
"""


def _names(_context: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Names between commas; one that holds a comma stands in double quotes."""
    names = [name.strip() for row in csv.reader(values, skipinitialspace=True) for name in row]
    if not all(names):
        raise click.BadParameter("a name is empty")
    return tuple(names)


@click.command("copy", epilog=_EPILOG)
@click.argument("source")
@click.argument("target")
@click.option("--where", default="", help="Only rows for which this is true. SQL of the source, sent as it stands.")
@click.option("--columns", multiple=True, callback=_names, help="These columns, in this order: a,b,c.")
@click.option(
    "--mode",
    type=click.Choice(list(_MODES)),
    default="replace",
    show_default=True,
    help="What becomes of the rows that are there.",
)
@click.option(
    "--unique-key", multiple=True, callback=_names, help="Columns that identify a row, for the last two modes."
)
@click.option("--limit", type=click.IntRange(min=0), help="At most that many rows, whichever come first.")
@click.option(
    "--verify",
    type=click.Choice(["count", "sums", "hash"]),
    default="count",
    show_default=True,
    help="Compare what landed with what was sent, before it is put in place.",
)
@click.option("--parallel", type=click.IntRange(min=1), help="Read in that many parts, where the source can.")
@click.option(
    "--full-refresh", is_flag=True, help="Replace the table whatever the mode, and drop views that stand in the way."
)
@click.option("--dry-run", is_flag=True, help="Check both ends and say what would be done; nothing is written.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("-q/", "--quiet/--no-quiet", envvar="DBT_QUIET", help="Print failures only.")
@click.option("--profiles-dir", type=click.Path(), help="Folder of profiles.yml.")
@click.option("--project-dir", type=click.Path(), help="Folder of dbt_project.yml; none is needed.")
@click.option("--profile", help="Profile, when it is not the project's, or the only one.")
@click.option("-t", "--target", "default", help="Output that is meant where no connection is named.")
@click.option("--vars", "cli_vars", default="{}", help="Variables for the profile, as YAML.")
def command(
    source: str,
    target: str,
    mode: str,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    profiles_dir: str | None,
    project_dir: str | None,
    profile: str | None,
    default: str | None,
    cli_vars: str,
    **wanted: Any,
) -> int:
    """Copy a table from one connection to another.

    It lands whole or not at all: in a private table first, which then takes the place of TARGET, or whose rows go into
    it. Types are the nearest ones of the other engine; a value that would change ends the copy. Where both ends are
    PostgreSQL, rows pass undecoded.
    """
    import yaml

    from dvt.dbt_bridge.contract import check_dbt
    from dvt.dbt_bridge.profiles import load_connections

    check_dbt()
    connections = load_connections(
        profiles_dir=profiles_dir,
        project_dir=project_dir,
        profile=profile,
        target=default,
        cli_vars=yaml.safe_load(cli_vars) or {},
    )
    request = _request(connections, source, target, mode, wanted)
    from dvt.cli.copy_running import StoppedError
    from dvt.dbt_bridge.commands import ended

    try:
        lines, document = _done(request, dry_run=dry_run, shows_progress=not quiet)
    except StoppedError as stopped:
        return ended(stopped.signal, "the copy had landed already") if stopped.is_done else ended(stopped.signal)
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif not quiet or dry_run:
        click.echo("\n".join(lines))
    return 0


def _done(request: CopyRequest, *, dry_run: bool, shows_progress: bool) -> tuple[list[str], dict[str, Any]]:
    """Copy, or say what would be done: as lines and as a document."""
    from dvt.cli import copy_report
    from dvt.cli.copy_running import in_thread
    from dvt.federation.copying import Copying

    copying = Copying(request)
    if dry_run:
        plan = in_thread(copying, copying.plan, shows_progress=False)
        return copy_report.plan_lines(request, plan), copy_report.plan_document(request, plan)
    result = in_thread(copying, copying.run, shows_progress=shows_progress)
    return copy_report.result_lines(request, result), copy_report.result_document(request, result)


def _request(connections: Connections, source: str, target: str, mode: str, wanted: dict[str, Any]) -> CopyRequest:
    from dvt.federation.copy_names import End, end_of, split_name
    from dvt.federation.copying import CopyRequest
    from dvt.federation.verifying.level import Verify

    def end(text: str) -> End:
        name, rest = split_name(text)
        name = name or connections.default_name
        _require_known(connections, name)
        return end_of(connections.get(name), rest)

    return CopyRequest(
        end(source),
        end(target),
        mode=_MODES[mode],  # type: ignore[arg-type]
        where=wanted["where"].strip(),
        columns=wanted["columns"] or None,
        unique_key=wanted["unique_key"],
        limit=wanted["limit"],
        parallel=wanted["parallel"],
        verify=Verify(wanted["verify"]),
        full_refresh=wanted["full_refresh"],
        run_id=uuid.uuid4().hex[:8],
    )


def _require_known(connections: Connections, name: str) -> None:
    from dvt.errors import ConfigurationError, nearest_first

    if name not in connections.names:
        raise ConfigurationError(
            f"unknown connection '{name}'; there are, the nearest first: {nearest_first(name, connections.names)}",
            code="DVT107",
            remedy=f"Use an output of {connections.where}",
        )
