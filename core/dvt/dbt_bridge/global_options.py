"""dbt's global options on the commands of our own, before the command's name and after it."""

from __future__ import annotations

import copy
from collections.abc import Collection

import click

from dvt.dbt_bridge.contract import check_dbt

# dbt takes these behind its commands only; in front of ours they are clear as well.
_FOLDERS = ("--profiles-dir", "--project-dir")


def command_first(words: list[str], own: Collection[str]) -> list[str]:
    """A command line with a command of ours in front: options before its name are moved behind it.

    Args:
        words: The arguments after `dvt`, an option first.
        own: Names of our commands.

    Returns:
        The words unchanged for a command of dbt's, and for an option that dbt does not know: dbt says so itself.
    """
    check_dbt()  # before anything of dbt's is imported
    from dbt.cli.main import cli

    params = [*cli.params, *(click.Option([name]) for name in _FOLDERS)]
    reader = click.Command("dvt", params=params, context_settings={"allow_interspersed_args": False})
    try:
        rest = reader.make_parser(click.Context(reader, allow_interspersed_args=False)).parse_args(list(words))[1]
    except click.UsageError:
        return words
    if not rest or rest[0] not in own:
        return words
    return [rest[0], *words[: len(words) - len(rest)], *rest[1:]]


def with_global_options(command: click.Command) -> click.Command:
    """The command with every global option of dbt that it has not itself; they are taken, and change nothing."""
    check_dbt()
    from dbt.cli.main import cli

    known = {name for param in command.params for name in param.opts}
    taken = copy.copy(command)
    taken.params = list(command.params)
    for param in cli.params:
        if known.isdisjoint(param.opts) and param.name != "version":
            silent = copy.copy(param)
            silent.expose_value = False
            taken.params.append(silent)
    return taken
