"""Rows that pass undecoded, but for the padding of char(n): any cut into messages and blocks gives the same bytes."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from copy_streams import HEADER, TRAILER, Messages, row
from hypothesis import given, settings
from hypothesis import strategies as st

from dvt.native import library as codec
from dvt.native import raw
from dvt.native.decoder import ENDED, FULL, WAITING
from dvt.native.raw import RawPull, RawRefusedError

pytestmark = pytest.mark.skipif(isinstance(codec.load(), str), reason="dvt was built without its codec")


def passed(checks: list[int], messages: Messages, size: int = 64) -> bytes:
    """All blocks, the first of `size` bytes."""
    library = codec.load()
    assert not isinstance(library, str), library
    pull = RawPull(library, messages, len(checks))  # type: ignore[arg-type]
    pull.look_for(checks)
    pull._size = size
    blocks, outcome = [], FULL
    try:
        while outcome in (FULL, WAITING):
            outcome, block = pull.next_block()
            blocks.append(bytes(block))
    finally:
        pull.close()
    assert messages.held == 0
    assert outcome == ENDED
    return b"".join(blocks)


VALUES = st.none() | st.binary(max_size=4) | st.sampled_from([b"", b" ", b"   ", b"a ", b" a", b"a b  ", b"\n  "])
CHECKS = st.lists(st.sampled_from([raw.NONE, raw.PADDED]), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_padding_goes_and_nothing_else(data):
    checks = data.draw(CHECKS)
    rows = data.draw(st.lists(st.lists(VALUES, min_size=len(checks), max_size=len(checks)), max_size=6))
    wanted = [
        [v.rstrip(b" ") if v is not None and c == raw.PADDED else v for c, v in zip(checks, values, strict=True)]
        for values in rows
    ]
    pieces = [HEADER, *(row(*values) for values in rows), TRAILER]
    cuts = data.draw(st.lists(st.integers(0, len(pieces)), max_size=3))
    ends = sorted({0, *cuts, len(pieces)})
    messages = [b"".join(pieces[first:last]) for first, last in pairwise(ends)]
    found = passed(checks, Messages(messages), data.draw(st.integers(1, 40)))
    assert found == HEADER + b"".join(row(*values) for values in wanted) + TRAILER


def test_lengths_that_are_not_there():
    for length in (b"\x7f\xff\xff\xff", b"\x00\x00\x00\x04", b"\xff\xff\xff\xfe"):
        with pytest.raises(RawRefusedError):
            passed([raw.PADDED], Messages([HEADER, b"\x00\x01" + length + b"ab "]))


def test_wild_streams_are_refused_or_pass():
    """Each byte of a stream exchanged: nothing is read or written outside of the message."""
    stream = HEADER + row(b"a  ", b"   ", None) + row(b"", b" b ", b"ccc") + TRAILER
    dice = random.Random(3)
    for place in range(len(HEADER), len(stream)):
        for _ in range(4):
            wild = bytearray(stream)
            wild[place] = dice.randrange(256)
            try:
                found = passed([raw.PADDED, raw.PADDED, raw.NONE], Messages([bytes(wild)]))
            except RawRefusedError:
                continue
            assert len(found) <= len(stream)
