"""Small projects that are made to fail: written in a test, run as a user does, and looked at from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml
from servers import commands

_CODED = re.compile(r"DVT\d{3} .*")
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_PATIENCE_S = 90

PROJECT = """\
name: faults
version: "1.0"
profile: faults
model-paths: [models]
flags: {send_anonymous_usage_stats: false}
models: {+materialized: table}
"""


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Args:
        code: Exit code; negative for a signal.
        output: stdout with stderr.
    """

    code: int
    output: str

    @property
    def coded(self) -> set[str]:
        """The different messages with a code of dvt; dbt shows a node's message again in its summary."""
        return {re.sub(r"\s+", " ", found).strip() for found in _CODED.findall(self.output)}

    def message(self) -> str:
        """The one message, whatever is printed around it."""
        assert "Traceback" not in self.output, self.output
        assert len(self.coded) == 1, self.output
        return self.coded.pop()


@dataclass
class Faulty:
    """A project in a temporary folder, whose passwords come from the environment.

    Args:
        folder: Where it lies.
        outputs: The profile's outputs.
        env: Variables of its commands.
        secrets: Texts that must not be found anywhere.
    """

    folder: Path
    outputs: dict[str, Any]
    env: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)

    def write(self, **files: str) -> None:
        """Write files; `models__a__sql` is models/a.sql."""
        for name, text in files.items():
            path = self.folder / ".".join(name.rsplit("__", 1)).replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def write_profile(self, target: str = "warehouse") -> None:
        """Write the outputs as they are now."""
        text = yaml.safe_dump({"faults": {"target": target, "outputs": self.outputs}})
        (self.folder / "profiles.yml").write_text(text)

    def start(
        self, *words: str, env: dict[str, str] | None = None, before: Callable[[], None] | None = None
    ) -> Running:
        """Start `dvt ...` as the leader of a process group of its own."""
        with self._output() as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "dvt", *words],
                cwd=self.folder,
                env=self._environment(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: _prepare(before),
            )
            return Running(self, process, Path(output.name))

    def run(
        self, *words: str, code: int, env: dict[str, str] | None = None, before: Callable[[], None] | None = None
    ) -> Ended:
        """Run `dvt ...` to its end; the exit code is asserted, and that nothing shows a secret.

        It starts warm, but for what has to be there before its imports.
        """
        is_cold = before is not None or "PYTHONPATH" in {**self.env, **(env or {})}
        ended = (self.start(*words, env=env, before=before) if is_cold else self._start_warm(words, env)).wait()
        assert ended.code == code, f"ended with {ended.code}, not {code}:\n{ended.output}"
        return ended

    def _start_warm(self, words: tuple[str, ...], env: dict[str, str] | None) -> Running:
        with self._output() as output:
            process = commands.start("dvt", words, self.folder, self._environment(env), output, output)
            return Running(self, process, Path(output.name))

    def _output(self) -> IO[str]:
        return (self.folder / f"output-{uuid.uuid4().hex[:6]}.txt").open("w+")

    def _environment(self, env: dict[str, str] | None) -> dict[str, str]:
        return {**os.environ, "DBT_PROFILES_DIR": str(self.folder), "NO_COLOR": "1", **self.env, **(env or {})}

    def check_secrets(self) -> None:
        """No file that a command wrote holds a secret, in any spelling."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name != "profiles.yml":
                content = path.read_bytes()
                for secret in self.secrets:
                    for form in {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote(secret)}:
                        assert form.encode() not in content, f"{path} holds a secret"


@dataclass
class Running:
    """A command that runs."""

    project: Faulty
    process: subprocess.Popen[bytes] | commands.Command
    log: Path

    @property
    def output(self) -> str:
        return _COLOUR.sub("", self.log.read_text(errors="replace"))

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is true while the command runs."""
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            assert self.process.poll() is None, f"ended before {what}:\n{self.output}"
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"never {what}:\n{self.output}")
            time.sleep(0.05)

    def signal(self, number: int, *, group: bool = True) -> None:
        """Send a signal to the process's group, as a terminal does, or to the process alone."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def interrupt(self, *, group: bool = True) -> Ended:
        """Ctrl-C, to the end."""
        self.signal(signal.SIGINT, group=group)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self) -> Ended:
        """The end of it, and that nothing shows a secret."""
        try:
            code = self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"never ended:\n{self.output}") from None
        self.project.check_secrets()
        return Ended(code, self.output)


def _prepare(before: Callable[[], None] | None) -> None:
    # Jobs in the background of some shells ignore Ctrl-C, and their children would, too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if before is not None:
        before()
