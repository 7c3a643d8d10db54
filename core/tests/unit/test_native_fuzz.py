"""A short run of the native decoder's fuzz driver; `hatch run native-fuzz` runs it longer."""

from __future__ import annotations

import re

import pytest
from fuzz_native.driver import built, run


@pytest.mark.slow
def test_ten_seconds_of_wrong_bytes(tmp_path):
    program = built(tmp_path)
    if isinstance(program, str):
        pytest.skip(program)
    done = run(program, 10, 6)
    assert done.returncode == 0, done.stderr
    streams, whole = (int(number) for number in re.findall(r"\d+", done.stdout)[:2])
    assert 0 < whole < streams
