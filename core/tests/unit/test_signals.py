"""Signals that end a command."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PRESSED_AGAIN = """\
import os, signal, threading, time
from dvt import signals
signals.install()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    signals.ending()
while any(thread.name == "dvt-signals" for thread in threading.enumerate()):
    time.sleep(0.01)
pipes = [os.pipe() for _ in range(4)]  # they take the numbers that are free
os.kill(os.getpid(), signal.SIGINT)
for reader, writer in pipes:
    os.close(writer)
    print(os.read(reader, 1))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_another_signal_while_the_command_ends_says_one_line():
    """Nothing that was closed is written to, nor whatever has its number by then."""
    command = [sys.executable, "-c", PRESSED_AGAIN]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False)
    assert (ended.returncode, ended.stdout.split()) == (0, 4 * ["b''"])
    line = "dvt: still ending the running queries; once more leaves at once, and may leave private relations behind"
    assert ended.stderr.splitlines() == [line]
