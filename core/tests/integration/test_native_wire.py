"""A COPY over a socket and libpq, cut at every byte and with wrong bytes: errors and no leak, by AddressSanitizer."""

from __future__ import annotations

import random
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from copy_streams import HEADER, TRAILER, array, numeric, row
from fuzz_native.driver import built, sanitized
from servers.copy_wire import answering, copied

from dvt.native import libpq

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libpq is looked for as Linux shows it")

_ROWS = [
    row(b"\0\0\0\1", "ä".encode(), array(23, b"\0\0\0\1", None), numeric(Decimal("1.25"))),
    row(None, b"", array(23), None),
    row(b"\xff\xff\xff\xff", b"x" * 50, None, numeric(Decimal("-99999999.99"))),
]
_ANSWER = copied(4, [HEADER + _ROWS[0], *_ROWS[1:], TRAILER], len(_ROWS))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = built(tmp_path_factory.mktemp("wire"), "wire")
    if isinstance(found, str):
        pytest.skip(found)
    return found


def outcome(program: Path, answers: list[bytes], rows: int) -> str:
    """What came of one COPY for each answer; a whole one has so many rows, -1 for any."""
    from psycopg import pq

    paths = [one._name for one in libpq._loaded()]
    assert paths, f"psycopg {pq.__impl__} has loaded a libpq"
    with answering(answers) as port:
        place = f"host=127.0.0.1 port={port} user=u dbname=d sslmode=disable gssencmode=disable connect_timeout=30"
        done = sanitized([program, paths[0], place, str(len(answers)), str(rows)])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_cut_at_every_byte(program: Path) -> None:
    cut = [_ANSWER[:count] for count in range(len(_ANSWER) + 1)]
    assert outcome(program, cut, len(_ROWS)) == f"1 whole, {len(_ANSWER)} failed"


def test_wrong_bytes(program: Path) -> None:
    """Of the values, of the stream, or of the protocol, whose errors are libpq's to find."""
    dice, wild = random.Random(5), []
    for _ in range(400):
        answer = bytearray(_ANSWER)
        for _ in range(dice.choice((1, 1, 2, 9))):
            answer[dice.randrange(len(answer))] = dice.randrange(256)
        wild.append(bytes(answer))
    whole, failed = (int(words.split()[0]) for words in outcome(program, wild, -1).split(", "))
    assert whole > 0
    assert failed > 0
