"""How a process with a Spark session answers: one request a line on its input, one answer a line on its output.

Both are JSON, until the input ends. A worker runs this file by its path, and dvt runs the worker, on Spark's own
PySpark: nothing of dvt is imported here, which Spark's Python may be without. Whatever Java prints goes to the error
output. A request that is urgent is served while another one is, and has no answer.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


def serve(make_session: Callable[[dict[str, str]], Any], urgent: frozenset[str] = frozenset()) -> None:
    """Serve requests, each a method of the session, which is made with the first one."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
    sessions: list[Any] = []

    def read() -> None:
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] not in urgent:
                requests.put(request)
            elif sessions:
                getattr(sessions[0], request["do"])(**request["with"])
        # Whoever started it has ended without a word, and the folder is its own.
        shutil.rmtree(os.getcwd(), ignore_errors=True)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        answers.write(json.dumps(_answer(requests.get(), make_session, sessions)) + "\n")
        answers.flush()


def _answer(
    request: dict[str, Any], make_session: Callable[[dict[str, str]], Any], sessions: list[Any]
) -> dict[str, Any]:
    try:
        if not sessions:
            sessions.append(make_session(request["settings"]))
        return {"found": getattr(sessions[0], request["do"])(**request["with"])}
    except _faults() as error:
        return {"error": _told(error)}


def _faults() -> tuple[type[Exception], ...]:
    """What Spark and its clients raise; anything else is a fault of the worker, and ends it."""
    from pyspark.errors import PySparkException

    found: list[type[Exception]] = [PySparkException, OSError, ImportError]
    for module, name in (("py4j.protocol", "Py4JError"), ("grpc", "RpcError")):
        try:
            found.append(getattr(importlib.import_module(module), name))
        except ImportError:
            continue
    return tuple(found)


def _told(error: Exception) -> dict[str, str]:
    """An error's innermost words: those of a driver, where it is a driver's."""
    cause = getattr(error, "java_exception", None)
    if cause is None:
        cause = getattr(error, "_origin", None)
    words, state, kind = str(error), "", type(error).__name__
    while cause is not None:
        kind = str(cause.getClass().getName())
        words = str(cause.getMessage())
        if _is_of_sql(cause):
            state = str(cause.getSQLState() or "")
            break
        cause = cause.getCause()
    return {"words": words, "state": state, "kind": kind}


def _is_of_sql(cause: Any) -> bool:
    type_ = cause.getClass()
    while type_ is not None:
        if type_.getName() == "java.sql.SQLException":
            return True
        type_ = type_.getSuperclass()
    return False
