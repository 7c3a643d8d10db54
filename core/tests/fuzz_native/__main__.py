"""`python core/tests/fuzz_native [--seconds 60] [--seed 1]`: the native decoder, fed wrong bytes, under sanitizers."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz_native.driver import built, run


def main() -> int:
    """Compile, run, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = built(Path(folder))
        if isinstance(program, str):
            print(program, file=sys.stderr)
            return 2
        done = run(program, asked.seconds, asked.seed)
    print(done.stdout, done.stderr, sep="", end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
