"""`dvt copy` as it is typed: without a project, its progress on a terminal and nowhere else."""

from __future__ import annotations

import os
import pty
import sqlite3
import sys
from pathlib import Path

from fault.kit import Faulty


def _files(folder: Path) -> Faulty:
    connection = sqlite3.connect(folder / "crm.db")
    connection.execute("create table orders (id integer primary key, city text)")
    connection.executemany("insert into orders values (?, ?)", [(n, f"c{n}") for n in range(30_000)])
    connection.commit()
    connection.close()
    made = Faulty(folder, {"crm": {"type": "sqlite", "path": "crm.db"}, "lake": {"type": "duckdb", "path": "l.duckdb"}})
    made.write_profile("lake")
    return made


def test_progress_is_for_terminals(tmp_path: Path) -> None:
    made = _files(tmp_path)
    words = ("copy", "crm:orders", ":raw.orders", "--profiles-dir", str(tmp_path))
    # Not on a terminal: one line; and quiet: none.
    assert made.run(*words, code=0).output.count("\n") == 1
    assert made.run(*words, "--quiet", code=0).output == ""
    shown = _on_terminal(tmp_path, words)
    assert "\x1b[2K" in shown
    last = shown.rstrip().rsplit("\x1b[2K", 1)[1]
    assert last.startswith("crm:main.orders -> lake:raw.orders: 30,000 rows, ")
    assert last.endswith("read by cursor_streaming, loaded by arrow, swapped in one transaction")
    assert "\x1b" not in _on_terminal(tmp_path, (*words, "--quiet"))


def _on_terminal(folder: Path, words: tuple[str, ...]) -> str:
    """What a terminal receives."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "dvt", *words])
    shown = b""
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    return shown.decode()
