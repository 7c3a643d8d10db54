"""`python core/tests/fuzz_native [--seconds 60] [--seed 1]`: the native codec, fed what is wrong, under sanitizers.

Programs, for so many seconds each: mutated streams, for the decoder; batches of any shape, for the encoder and back;
rows of MySQL's text protocol; rows that go on undecoded; and both decoders under libFuzzer, where a clang is found.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz_native.driver import built, run, run_guided

_PROGRAMS = ("decoder", "encoder", "mysql", "raw", "guided-decoder", "guided-mysql")


def main() -> int:
    """Compile, run, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=_PROGRAMS)
    asked = parser.parse_args()
    codes = [
        _run(name, asked.seconds, asked.seed, is_needed=name == asked.only or "guided" not in name)
        for name in _PROGRAMS
        if asked.only in (None, name)
    ]
    return max(codes)


def _run(name: str, seconds: int, seed: int, is_needed: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        program = built(Path(folder), name)
        if isinstance(program, str):
            print(f"{name}: {program}", file=sys.stderr)
            return 2 if is_needed else 0
        if "guided" not in name:
            done = run(program, seconds, seed)
        else:
            first = built(Path(folder), name.removeprefix("guided-"))
            assert isinstance(first, Path), first
            inputs = Path(folder, "inputs")
            inputs.mkdir()
            done = run(first, 0, seed, inputs)
            done = done if done.returncode else run_guided(program, inputs, seconds, seed)
    said = done.stderr if done.returncode else "".join(re.findall(r"stat::.*\n", done.stderr))
    print(f"{name}: {done.stdout}{said}".rstrip())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
