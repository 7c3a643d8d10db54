"""dbt's click commands under the name `dvt`, with dbt's exit codes."""

from __future__ import annotations

import sys
from typing import Any

import click

from dvt import exit_codes, signals


def dbt_group() -> click.Group:
    """A group that composes dbt's own: the same options and commands; dbt's objects are not changed."""
    from dbt.cli.main import cli

    return click.Group(
        name="dvt",
        params=list(cli.params),
        callback=cli.callback,
        commands={name: command for name, command in cli.commands.items() if name not in ("init", "debug")},
        context_settings=cli.context_settings,
        invoke_without_command=True,
        no_args_is_help=True,
    )


def run_dbt_command(words: list[str]) -> int:
    """Run one command line.

    Args:
        words: The arguments after `dvt`.

    Returns:
        0 done, 1 a node failed, 2 the command could not run, 130 interrupted, 143 terminated.
    """
    from dvt.dbt_bridge.substitution import substituted

    with substituted(words):
        return exit_code_of(dbt_group(), words, "dvt")


def exit_code_of(command: click.Command, words: list[str], name: str) -> int:
    """Run a click command that uses dbt's decorators and turn its end into an exit code."""
    from dbt.cli.exceptions import ExceptionExit, ResultExit

    try:
        result = command.main(args=words, prog_name=name, standalone_mode=False)
    except ResultExit:
        return exit_codes.FAILED
    except ExceptionExit as ending:
        return ended(ending.exception) if _is_interrupt(ending.exception) else exit_codes.USAGE
    except (KeyboardInterrupt, click.exceptions.Abort, SystemExit) as ending:
        return ended(ending)
    except click.exceptions.Exit as ending:
        return int(ending.exit_code)
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    return result if isinstance(result, int) else 0


def _is_interrupt(error: Any) -> bool:
    return isinstance(error, (KeyboardInterrupt, SystemExit))


def ended(signal: Any, done: str = "running queries were cancelled, old tables are whole") -> int:
    """Say that a signal ended the command, and what was done; gives the exit code."""
    signals.ending()
    code = exit_codes.TERMINATED if isinstance(signal, SystemExit) else exit_codes.INTERRUPTED
    word = "terminated" if code == exit_codes.TERMINATED else "interrupted"
    print(f"dvt: {word}; {done}", file=sys.stderr)
    return code
