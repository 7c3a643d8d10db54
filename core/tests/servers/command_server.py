"""Runs commands of `dvt` or `dbt`, each in a process that is a fork of an interpreter in which all is imported.

`python command_server.py dvt SOCKET` answers on a Unix socket until its input ends. A request is a line of JSON,
{"words": [...], "cwd": ..., "env": {...}}, with two open files for output and errors. The first answer is the process's
id, the second how it ended, as `subprocess` counts. Imports take most of a short command's time, and the tests run
hundreds of commands. The process leads a session, and has its own signals, working directory, environment and exit;
what it has not is the moment before its imports are done.

What a command is to import from folders of its own, in the place of modules that are not preloaded, stands in its
variable DVT_TEST_LATE_PATH, written as PYTHONPATH; a module `late_start` of theirs is imported first.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

_DBT = ("dbt.cli.main", "dbt.task.build", "dbt.task.retry", "dbt.adapters.duckdb", "dbt.adapters.postgres", "pandas")
_ENGINES = ("postgres", "mysql", "duckdb", "sqlite", "files")
# What every command imports, or every one that runs something over the tests' usual engines. (pandas: pyarrow does.)
_PRELOADED = {
    "dbt": _DBT,  # it knows nothing of dvt
    "dvt": (
        *(*_DBT, "dvt.cli.debug", "dvt.cli.main", "dvt.cli.plan", "dvt.dbt_bridge.tasks", "dvt.federation.session"),
        *("dvt.federation.engines.duckdb", "dvt.federation.loaders.duckdb", "dvt.federation.loaders.postgres"),
        *(f"dvt.federation.extractors.{engine}" for engine in _ENGINES),
        *("psycopg", "pymysql"),
    ),
}


# Of these classes nearly every command makes the schema by which dbt checks what it reads: a third of its time.
_CHECKED = frozenset(
    {
        *("Configuration", "Contract", "ModelConfig", "PackageConfig", "ProfileConfig", "Project", "ProjectFlags"),
        *("GenericTestNode", "ModelNode", "SeedNode", "SingularTestNode", "SeedConfig", "SourceConfig", "TestConfig"),
        *("DuckDBCredentials", "PostgresCredentials", "SelectorFile"),
        *("UnparsedModelUpdate", "UnparsedSourceDefinition"),
    }
)


def main() -> NoReturn:
    """Serve; a fork leaves the loop with its request, and runs it with nothing of the server below it."""
    program, address = sys.argv[1:]
    for module in _PRELOADED[program]:
        importlib.import_module(module)
    _make_schemas()
    inspect.stack()  # it reads the source of every module that there is
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks that wait
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    print("ready", flush=True)
    request = None
    while request is None:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in ready:
            os._exit(0)  # whoever started this is gone
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            request = _forked(client)
        client.close()
    _run(program, request)


def _make_schemas() -> None:
    from dbt_common.dataclass_schema import dbtClassMixin

    classes = [dbtClassMixin]
    for each in classes:
        classes += each.__subclasses__()
        if each.__name__ in _CHECKED:
            each.json_schema()


def _forked(client: socket.socket) -> dict[str, Any]:
    """The request, in the process that runs it; the one between it and the server says how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, files, _, _ = socket.recv_fds(client, 1 << 20, 2)
    while not text.endswith(b"\n"):
        text += client.recv(1 << 20)
    child = os.fork()
    if child:
        client.sendall(b"%d\n" % child)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        client.sendall(b"%d\n" % code)
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, *files)):
        os.dup2(file, number)
        os.close(file)
    request: dict[str, Any] = json.loads(text)
    return request


def _run(program: str, request: dict[str, Any]) -> NoReturn:
    """As `python -m dvt ...` does; an exception is the interpreter's to show, and its exit is any program's."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    late = [folder for folder in os.environ.get("DVT_TEST_LATE_PATH", "").split(os.pathsep) if folder]
    sys.path[:1] = [request["cwd"], *late]
    if late and importlib.util.find_spec("late_start"):
        importlib.import_module("late_start")
    sys.argv = [program, *request["words"]]
    if program == "dbt":
        from dbt.cli.main import cli

        cli(prog_name="dbt")
    else:
        runpy.run_module("dvt", run_name="__main__", alter_sys=True)
    sys.exit(0)


if __name__ == "__main__":
    main()
