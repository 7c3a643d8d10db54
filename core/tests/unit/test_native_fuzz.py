"""Short runs of the native codec's fuzz programs; `hatch run native-fuzz` runs them longer."""

from __future__ import annotations

import re

import pytest
from fuzz_native.driver import built, run


@pytest.mark.slow
@pytest.mark.parametrize("name", ["decoder", "encoder", "mysql", "raw"])
def test_a_few_seconds_under_sanitizers(tmp_path, name):
    """Wrong bytes for the decoders and for undecoded rows, batches of any shape for the encoder and back."""
    program = built(tmp_path, name)
    if isinstance(program, str):
        pytest.skip(program)
    done = run(program, 3, 6)
    assert done.returncode == 0, done.stderr
    tries, whole = (int(number) for number in re.findall(r"\d+", done.stdout)[:2])
    assert 0 < whole < tries
