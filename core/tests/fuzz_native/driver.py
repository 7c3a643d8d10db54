"""Compiling the fuzz programs with the codec's sources under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parents[2] / "dvt" / "native" / "src"
_HERE = Path(__file__).parent
_COMMON = ("fuzz.c", "check.c", "streams.c", "decoding.c", "mutating.c")
# Each with its own sources. `guided` ones are a decoder under libFuzzer, whose engine looks for inputs that reach more,
# from those that the program of the same name makes; `wire` is the decoder over sockets, whose server is a test's.
PROGRAMS: Final = {
    "decoder": (*_COMMON, "fuzz_decoder.c"),
    "encoder": (*_COMMON, "batches.c", "values.c", "fuzz_encoder.c"),
    "mysql": (*_COMMON, "mysql_input.c", "fuzz_mysql.c"),
    "raw": ("fuzz.c", "check.c", "streams.c", "fuzz_raw.c"),
    "guided-decoder": (*_COMMON, "libfuzzer_decoder.c"),
    "guided-mysql": (*_COMMON, "mysql_input.c", "libfuzzer_mysql.c"),
    "wire": (*_COMMON, "wire.c"),
}
_FLAGS = ("-std=c11", "-g", "-O1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
_MOST_BYTES = 4096


def built(folder: Path, name: str) -> Path | str:
    """A program of PROGRAMS in a folder, or the reason why there is none."""
    is_guided = name.startswith("guided-")
    sanitizers = "-fsanitize=address,undefined" + (",fuzzer" if is_guided else "")
    own = [str(_HERE / source) for source in PROGRAMS[name]]
    return compiled(folder / name, [sanitizers, *own, *map(str, sorted(SOURCES.glob("*.c")))], is_guided)


def compiled(program: Path, arguments: list[str], is_guided: bool = False) -> Path | str:
    """A program of these sources and further options, or the reason why there is none.

    Args:
        program: Where it will be.
        arguments: Sources, the sanitizers first.
        is_guided: Whether libFuzzer is linked, which only clang has.
    """
    compiler = _compiler(is_guided)
    if not compiler:
        return "no clang was found, and only it has libFuzzer" if is_guided else "no C compiler was found"
    probe = program.with_suffix(".c")
    entry = "int LLVMFuzzerTestOneInput(const char *a, long b) { (void)a; (void)b; return 0; }"
    probe.write_text(entry if is_guided else "int main(void) { return 0; }")
    command = [*compiler, *_FLAGS, f"-I{SOURCES}", f"-I{_HERE}", "-o", str(program)]
    tried = subprocess.run([*command, arguments[0], str(probe)], capture_output=True, check=False)
    if tried.returncode or subprocess.run([program, "-runs=0"], capture_output=True, check=False).returncode:
        return f"{compiler[0]} has no {'libFuzzer' if is_guided else 'sanitizers'} here"
    done = subprocess.run([*command, *arguments, "-ldl"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return program


def run(program: Path, seconds: int, seed: int, *more: Path) -> subprocess.CompletedProcess[str]:
    """Run it; what the sanitizers find is in `stderr`, with an exit code that is not 0. Leaks are found at its end."""
    return sanitized([program, str(seconds), str(seed), *more])


def run_guided(program: Path, inputs: Path, seconds: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Run libFuzzer from the inputs of a folder, which it adds to."""
    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={_MOST_BYTES}", "-verbosity=0"]
    return sanitized([program, *options, "-print_final_stats=1", inputs], inputs.parent)


def sanitized(command: list[str | Path], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program that was built with sanitizers, in a folder for what it writes."""
    options = {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    environment = {**os.environ, **options}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)


def _compiler(is_guided: bool) -> list[str]:
    named = shlex.split(os.environ.get("CC", ""))
    if named and not (is_guided and "clang" not in named[0]):
        return named
    newest = [f"clang-{version}" for version in range(30, 12, -1)]
    names = ["clang", *newest] if is_guided else ["gcc", "clang"]
    return [name for name in names if shutil.which(name)][:1]
