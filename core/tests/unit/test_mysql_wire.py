"""Packets of the MySQL protocol, sent by a stand-in for the server over a real socket pair."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvt.connections.mysql_errors import ServerError
from dvt.connections.mysql_wire import Wire
from dvt.native import library as codec
from dvt.native.mysql_rows import Walk, walk_of

_MOST = 0xFFFFFF
_EOF = b"\xfe\x00\x00\x02\x00"


def lenenc(value: bytes | None) -> bytes:
    if value is None:
        return b"\xfb"
    size = len(value)
    if size < 0xFB:
        return bytes([size]) + value
    if size < 1 << 16:
        return b"\xfc" + size.to_bytes(2, "little") + value
    if size < 1 << 24:
        return b"\xfd" + size.to_bytes(3, "little") + value
    return b"\xfe" + size.to_bytes(8, "little") + value


def packets(payloads: Sequence[bytes], sequence: int = 0) -> bytes:
    out = bytearray()
    for payload in payloads:
        while True:
            part, payload = payload[:_MOST], payload[_MOST:]
            out += len(part).to_bytes(3, "little") + bytes([sequence % 256]) + part
            sequence += 1
            if len(part) < _MOST:
                break
    return bytes(out)


_CODEC = codec.load()
WALKS = [None] if isinstance(_CODEC, str) else [None, walk_of(_CODEC)]


@pytest.fixture(params=WALKS, ids=lambda walk: "codec" if walk else "python")
def walk(request: pytest.FixtureRequest) -> Walk | None:
    return request.param


def serve(data: bytes, walk: Walk | None = None) -> tuple[Wire, socket.socket]:
    """A wire whose server has sent `data`, then hung up its sending side."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        try:
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    threading.Thread(target=send, daemon=True).start()
    return Wire(ours, False, walk), theirs


def read_all(wire: Wire, columns: int, most: int = 1000) -> list[tuple[bytes | None, ...]]:
    found: list[tuple[bytes | None, ...]] = []
    while (rows := wire.read_rows(most)) is not None:
        assert len(rows) <= most
        found += zip(*(column.to_pylist() for column in rows.columns(columns)), strict=True)
    return found


values = st.one_of(st.none(), st.binary(max_size=20), st.integers(240, 70_000).map(lambda n: b"x" * n))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[values] * n), max_size=40)),
    st.integers(1, 50),
    st.sampled_from(WALKS),
)
def test_rows_come_out_as_they_went_in(rows: list[tuple[bytes | None, ...]], most: int, walk: Walk | None) -> None:
    columns = len(rows[0]) if rows else 1
    wire, _ = serve(packets([*(b"".join(map(lenenc, row)) for row in rows), _EOF]), walk)
    assert read_all(wire, columns, most) == rows


@pytest.mark.parametrize("size", [_MOST - 5, _MOST - 4, _MOST - 3, _MOST, 2 * _MOST + 7])
def test_rows_longer_than_a_packet(size: int, walk: Walk | None) -> None:
    rows: list[tuple[bytes | None, ...]] = [(b"a", None), (b"y" * size, b"z"), (b"", b"b")]
    wire, _ = serve(packets([*(b"".join(map(lenenc, row)) for row in rows), _EOF]), walk)
    assert read_all(wire, 2) == rows


def test_many_rows_cross_the_buffer(walk: Walk | None) -> None:
    rows: list[tuple[bytes | None, ...]] = [(str(i).encode(), b"v" * (i % 300)) for i in range(60_000)]
    wire, _ = serve(packets([*(b"".join(map(lenenc, row)) for row in rows), _EOF]), walk)
    assert read_all(wire, 2, 7_000) == rows


def test_more_rows_than_the_codec_finds_at_once(walk: Walk | None) -> None:
    """All of them are there, and nothing more comes: whoever waited would wait for ever."""
    rows: list[tuple[bytes | None, ...]] = [(b"",)] * 200_000
    wire, theirs = serve(packets([*(b"".join(map(lenenc, row)) for row in rows), _EOF]), walk)
    found = wire.read_rows(1 << 20)
    assert found is not None
    assert len(found) == len(rows)
    theirs.close()


def test_an_error_between_rows_is_told(walk: Walk | None) -> None:
    wire, _ = serve(packets([lenenc(b"1"), b"\xff\x25\x05#70100Query execution was interrupted"]), walk)
    with pytest.raises(ServerError, match="interrupted") as caught:
        read_all(wire, 1)
    assert caught.value.errno == 1317


def test_a_cut_connection_is_not_an_end(walk: Walk | None) -> None:
    data = packets([lenenc(b"1"), lenenc(b"2"), _EOF])
    wire, _ = serve(data[:-3], walk)
    with pytest.raises(ServerError) as caught:
        read_all(wire, 1)
    assert caught.value.errno == 2013


def test_a_lost_packet_is_noticed(walk: Walk | None) -> None:
    one = packets([lenenc(b"1")])
    wire, _ = serve(one + packets([lenenc(b"3"), _EOF], sequence=2), walk)
    with pytest.raises(ServerError, match="out of order"):
        read_all(wire, 1)


def test_a_row_with_other_columns_is_refused(walk: Walk | None) -> None:
    wire, _ = serve(packets([lenenc(b"1") + lenenc(b"2"), _EOF]), walk)
    with pytest.raises(ServerError, match="announced columns"):
        read_all(wire, 1)


def test_a_file_that_the_server_asks_for_is_never_sent() -> None:
    wire, theirs = serve(packets([b"\xfb/etc/passwd"]) + packets([b"\x00\x00\x00\x02\x00\x00\x00"], sequence=2))
    with pytest.raises(ServerError, match="no statement of ours"):
        wire.read_fields()
    theirs.settimeout(5)
    assert theirs.recv(100) == b"\x00\x00\x00\x01"  # an empty file


def test_long_statements_are_cut_into_packets() -> None:
    ours, theirs = socket.socketpair()
    got = bytearray()

    def receive() -> None:
        while data := theirs.recv(1 << 20):
            got.extend(data)

    reader = threading.Thread(target=receive)
    reader.start()
    sql = "x" * (_MOST + 10)
    Wire(ours, False).ask(sql)
    ours.close()
    reader.join(30)
    assert bytes(got) == packets([b"\x03" + sql.encode()])


def test_statements_carry_no_attributes_where_the_session_has_them() -> None:
    ours, theirs = socket.socketpair()
    Wire(ours, True).ask("do 0")
    assert theirs.recv(100) == packets([b"\x03\x00\x01do 0"])
