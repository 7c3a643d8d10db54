"""Runs commands of `dbt` or `dvt`, each in a fork of an interpreter that has imported them: `command_server.py dvt`.

A request is a line of JSON, {"words": [...], "cwd": ..., "env": {...}, "output": file}; the answer is the exit code.
Imports take most of a short command's time, and the tests run hundreds of commands.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import NoReturn

_PRELOADED = {
    "dbt": ("dbt.cli.main", "dbt.task.build", "dbt.task.retry", "dbt.adapters.duckdb"),
    "dvt": ("dbt.cli.main", "dbt.task.build", "dbt.task.retry", "dbt.adapters.duckdb", "dvt.dbt_bridge.tasks"),
}


def main(program: str) -> None:
    """Answer requests until the input ends."""
    for module in _PRELOADED[program]:
        importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(program, json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(program: str, request: dict) -> NoReturn:
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = [program, *request["words"]]
    code = 70
    try:
        if program == "dbt":
            from dbt.cli.main import cli

            cli(prog_name="dbt")
        else:
            from dvt.cli.main import main as dvt

            dvt()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    # As any program ends: what dbt leaves to the interpreter's exit is done.
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
