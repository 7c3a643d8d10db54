"""Compiling the fuzz driver with the decoder's sources under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

_SOURCES = Path(__file__).parents[2] / "dvt" / "native" / "src"
_DECODER = ("decode.c", "decode_batch.c", "decode_numeric.c", "decode_text.c", "pull.c", "source.c", "vector.c")
_FLAGS = (
    *("-std=c11", "-g", "-O1", "-fno-omit-frame-pointer"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
)


def built(folder: Path) -> Path | str:
    """The program in a folder, or the reason why there is none."""
    compiler = shlex.split(os.environ.get("CC", "")) or [name for name in ("gcc", "clang") if shutil.which(name)][:1]
    if not compiler:
        return "no C compiler was found"
    program, probe = folder / "fuzz_decoder", folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    if _compiled(compiler, [probe], program).returncode or subprocess.run([program], check=False).returncode:
        return f"{compiler[0]} has no sanitizers here"
    sources = [Path(__file__).with_name("fuzz_decoder.c"), *(_SOURCES / name for name in _DECODER)]
    done = _compiled(compiler, sources, program)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return program


def run(program: Path, seconds: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Run it; what the sanitizers find is in `stderr`, with an exit code that is not 0. Leaks are found at its end."""
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"}
    return subprocess.run(
        [program, str(seconds), str(seed)], capture_output=True, text=True, check=False, env=environment
    )


def _compiled(compiler: list[str], sources: list[Path], program: Path) -> subprocess.CompletedProcess[str]:
    command = [*compiler, *_FLAGS, f"-I{_SOURCES}", *map(str, sources), "-o", str(program)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
