"""The `dvt` command. Help and version import neither dbt nor a driver."""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

from dvt import __version__, exit_codes, signals
from dvt.cli.last_words import last_words

# Commands of ours, by module; everything else is dbt's.
_OWN = {"init": "dvt.cli.init", "debug": "dvt.cli.debug", "copy": "dvt.cli.copy", "plan": "dvt.cli.plan"}

_HELP = """\
Usage: dvt [OPTIONS] COMMAND [ARGS]...

  One dbt project whose models read from any mix of databases.

Commands of dvt:
  init    Make a project that runs at once.
  debug   Check every connection of the profile.
  copy    Copy a table from one connection to another.
  plan    Show each model's lane, the SQL for each source and the landing, without touching data.

Commands of dbt, federated:
  build, clean, clone, compile, deps, docs, list (ls), parse, retry, run, run-operation, seed, show, snapshot,
  source freshness, test

Options:
  -v, --version  Show the version and exit.
  -h, --help     Show this text; `dvt COMMAND --help` shows a command's options.

All global options of dbt are accepted before and after the command.
"""


def main(args: list[str] | None = None) -> NoReturn:
    """Run one command and exit: 0 done, 1 something failed, 2 wrong usage or configuration, 130 or 143 a signal."""
    words = sys.argv[1:] if args is None else args
    signals.install()
    sys.excepthook = last_words
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it warns of what is an error of ours a moment later
    try:
        code = _run(words)
    except KeyboardInterrupt:
        signals.ending()
        print("dvt: interrupted", file=sys.stderr)
        code = exit_codes.INTERRUPTED
    signals.forget_interrupt()
    sys.exit(code)


def _run(words: list[str]) -> int:
    from dvt.errors import ConfigurationError, DvtError

    if not words or words[0] in ("-h", "--help"):
        print(_HELP, end="")
        return 0
    if words[0] in ("-V", "-v", "--version"):  # dbt's own would ask a package registry for its latest version
        print(f"dvt {__version__}")
        return 0
    try:
        if words[0].startswith("-") and not _OWN.keys().isdisjoint(words):
            from dvt.dbt_bridge.global_options import command_first

            words = command_first(words, _OWN)
        return _own(words[0], words[1:]) if words[0] in _OWN else _dbt(words)
    except ConfigurationError as error:
        print(f"dvt: {error}", file=sys.stderr)
        return exit_codes.USAGE
    except DvtError as error:
        print(f"dvt: {error}", file=sys.stderr)
        return exit_codes.FAILED


def _own(name: str, words: list[str]) -> int:
    """Run a command of ours; its return value is the exit code."""
    import importlib

    import click

    from dvt.cli.log_lines import told

    command: click.Command = importlib.import_module(_OWN[name]).command

    def run(command: click.Command) -> object:
        with told():
            return command.main(args=list(words), prog_name=f"dvt {name}", standalone_mode=False)

    try:
        try:
            result = run(command)
        except click.NoSuchOption:  # it may be one of dbt's: dbt is not imported before it is needed
            from dvt.dbt_bridge.global_options import with_global_options

            result = run(with_global_options(command))
    except click.exceptions.Abort:
        return exit_codes.INTERRUPTED
    except click.exceptions.Exit as ended:
        return int(ended.exit_code)
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    return result if isinstance(result, int) else 0


def _dbt(words: list[str]) -> int:
    """Run one of dbt's commands, federated, with dbt's exit codes."""
    from dvt.dbt_bridge.commands import run_dbt_command

    return run_dbt_command(words)


if __name__ == "__main__":
    main()
