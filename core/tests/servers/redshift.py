"""PostgreSQL in Redshift's clothes: what redshift_connector meets behind a proxy.

It takes Redshift's start-up keys off, names another server version, gives JSON as SUPER, has VARBYTE, counts a text's
length in bytes, refuses large portions as a cluster of one node does, and makes UNLOAD of what it is told: it runs the
query and writes Parquet to an S3 (moto). COPY of Parquet goes by redshift_copy.py. It proves how dvt talks to the
vendor's driver, and that files and statements are of the documented form. It proves nothing of Redshift's own SQL,
limits, logins and S3 rights: the engine is PostgreSQL, and the files of UNLOAD are those that this module writes.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from servers.place import Place, Tag
from servers.postgres import PostgresServer
from servers.redshift_copy import COPY, CREATE, Copies

_SSL_REQUEST, _SASL = 80877103, 10
_KEPT = (b"user", b"database", b"application_name")
_UNLOAD = re.compile(
    r"(?is)^unload \('(?P<query>.*)'\) to 's3://(?P<bucket>[^/]+)/(?P<prefix>[^']*)' iam_role \S+ format as parquet$"
)
_FETCH = re.compile(r"(?i)^fetch forward (\d+) ")
_JSON, _SUPER, _VARBYTE = 114, 4000, 6551
_ARROW = {16: pa.bool_(), 20: pa.int64(), 21: pa.int16(), 23: pa.int32(), 700: pa.float32(), 701: pa.float64()}
_ARROW |= {25: pa.string(), 1042: pa.string(), 1043: pa.string(), 1082: pa.date32(), 1114: pa.timestamp("us")}


@dataclass
class RedshiftServer:
    """A running proxy.

    Args:
        postgres: What answers.
        database: The database that stands for the cluster's.
        port: Where the proxy listens.
        s3_url: Where UNLOAD writes; None when there is no S3.
        is_single_node: Whether more than 1000 rows at once are refused.
        loses_a_row: Whether UNLOAD counts a row more than it writes.
        loses_a_file: Whether the second file of an UNLOAD does not arrive.
        breaks_a_file: Whether it arrives as its first half.
        refuses_unload: What S3 says to the cluster, when it refuses.
        copies: What COPY knows of tables.
        kinds: PostgreSQL's numbers of types, and Redshift's.
    """

    postgres: PostgresServer
    database: str
    port: int = 0
    s3_url: str | None = None
    is_single_node: bool = False
    sent: list[str] = field(default_factory=list)
    loses_a_row: bool = False
    loses_a_file: bool = False
    breaks_a_file: bool = False
    refuses_unload: str = ""
    copies: Copies = field(default_factory=Copies)
    kinds: dict[int, int] = field(default_factory=lambda: {_JSON: _SUPER})

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output."""
        place = {"host": "127.0.0.1", "port": self.port, "user": self.postgres.user, "password": self.postgres.password}
        return {"type": "redshift", **place, "dbname": self.database, "schema": "public", "sslmode": "disable", **more}

    def statements(self) -> list[str]:
        """What was sent since this was last asked."""
        taken, self.sent[:] = list(self.sent), []
        return taken

    def rewritten(self, sql: str) -> str:
        """What PostgreSQL is asked for a statement of Redshift's."""
        self.sent.append(sql)
        portion = _FETCH.match(sql)
        if portion and self.is_single_node and int(portion.group(1)) > 1000:
            return _raising(f"Fetch size {portion.group(1)} exceeds the limit of 1000 for a single node configuration.")
        if sql == "select pg_last_unload_count()":
            return "select last_value from dvt_unloaded"  # the driver keeps the statement: no constant
        if sql == "select pg_last_copy_count()":
            return "select last_value from dvt_copied"
        if len(sql.encode()) > 16 << 20:
            return _raising("Statement is too large. Maximum 16777216 bytes")
        if CREATE.match(sql):
            return self.copies.created(sql)
        if COPY.match(sql):
            return self._copy(sql)
        unload = _UNLOAD.match(sql)
        if unload is None:
            return _OF_VARBYTE.sub("varbyte", sql) if "varbyte(" in sql else sql
        try:
            if self.refuses_unload:
                raise OSError(self.refuses_unload)
            self._unload(unload["query"].replace("''", "'").replace("\\\\", "\\"), unload["bucket"], unload["prefix"])
        except Exception as error:
            return _raising(f"S3ServiceException: {error}")
        return "do $$begin end$$"

    def _copy(self, sql: str) -> str:
        """COPY in the session that asks for it: PostgreSQL reads what was made of the files."""
        try:
            path, rows = self.copies.file(sql, self.s3_url)
        except Exception as error:
            return _raising(str(error))
        self.postgres.psql(self.database, f"select setval('public.dvt_copied', {rows})")
        return path

    def _unload(self, query: str, bucket: str, prefix: str) -> None:
        import boto3

        client = boto3.client("s3", endpoint_url=self.s3_url)
        with psycopg.connect(**self._upstream(), autocommit=True) as session:
            cursor = session.execute(query)
            fields = [(column.name, _arrow_type(column)) for column in cursor.description or ()]
            rows = cursor.fetchall()
            session.execute("select setval('public.dvt_unloaded', %s)", [len(rows) + self.loses_a_row])
        for number, start in enumerate(range(0, len(rows), 1000)):
            portion = rows[start : start + 1000]
            arrays = [pa.array([row[i] for row in portion], kind) for i, (_, kind) in enumerate(fields)]
            sink = pa.BufferOutputStream()
            table = pa.Table.from_arrays(arrays, names=[name for name, _ in fields])
            pq.write_table(table, sink, use_deprecated_int96_timestamps=True)
            body = sink.getvalue().to_pybytes()
            if number == 1 and self.loses_a_file:
                continue
            if number == 1 and self.breaks_a_file:
                body = body[: len(body) // 2]
            client.put_object(Bucket=bucket, Key=f"{prefix}{number:04d}_part_00.parquet", Body=body)

    def _upstream(self) -> dict[str, Any]:
        server = self.postgres
        return {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "password": server.password,
            "dbname": self.database,
            "options": "-c timezone=UTC",
        }


def _arrow_type(column: Any) -> pa.DataType:
    if column.type_code == 1700:
        return pa.decimal128(column.precision, column.scale)
    return _ARROW[column.type_code]


def _raising(message: str) -> str:
    words = message.replace("'", "''").replace("%", "%%")
    return f"do $dvt$begin raise exception '{words}' using errcode = 'XX000'; end$dvt$"


@contextmanager
def running(postgres: PostgresServer, database: str, s3_url: str | None = None) -> Iterator[RedshiftServer]:
    """Make a database, and a proxy in front of it."""
    postgres.create_database(database)
    # Redshift descends from a PostgreSQL in which a backslash in a text was an escape.
    postgres.psql(
        "postgres",
        f"alter database {database} set standard_conforming_strings to off;"
        f" alter database {database} set escape_string_warning to off;",
    )
    postgres.psql(database, _CATALOG)
    server = RedshiftServer(postgres, database, s3_url=s3_url)
    server.kinds[int(postgres.psql(database, "select 'public.varbyte'::regtype::oid"))] = _VARBYTE
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    threading.Thread(target=_accept, args=(listener, server), daemon=True).start()
    try:
        yield server
    finally:
        listener.close()
        server.copies.close()


@contextmanager
def redshift_place(postgres: PostgresServer, database: str = "redshift") -> Iterator[Place]:
    """The place of the conformance kit."""
    with running(postgres, database) as server:
        execute = lambda sql: server.postgres.psql(database, sql)  # noqa: E731
        yield Place("redshift", Tag.FAKE, server.output(), lambda sql: execute(sql) and None, server.statements)


_OF_VARBYTE = re.compile(r"varbyte\(\d+\)")
# A text of hexadecimal digits is what VARBYTE looks like. A column's length counts bytes; too long a text is an error.
_CATALOG = """
create sequence dvt_unloaded minvalue 0;
create sequence dvt_copied minvalue 0;
create type varbyte;
create function varbyte_in(cstring) returns varbyte language internal immutable strict as 'textin';
create function varbyte_out(varbyte) returns cstring language internal immutable strict as 'textout';
create type varbyte (input = varbyte_in, output = varbyte_out, internallength = variable, storage = extended);
create cast (varbyte as text) without function as implicit;
create cast (text as varbyte) without function as assignment;
create function from_hex(digits text) returns varbyte language plpgsql immutable strict as
  $$begin return encode(decode(digits, 'hex'), 'hex')::varbyte; end$$;
create function to_hex(bytes varbyte) returns text language sql immutable strict as 'select bytes::text';
create function strtol(digits text, base int) returns bigint language sql immutable strict as
  $$select ('x' || lpad(digits, 8, '0'))::bit(32)::bigint where base = 16$$;
create domain super as json;
create function json_parse(document text) returns json language sql immutable strict as 'select document::json';
create function dvt_fits(value text, most int) returns boolean language plpgsql immutable as $$begin
  if octet_length(value) > most then
    raise exception 'Value too long for character type' using errcode = '22001';
  end if; return true; end$$;
create function dvt_lengths() returns event_trigger language plpgsql as $$
declare made record; col record; begin
  for made in select objid from pg_event_trigger_ddl_commands() where object_type = 'table' loop
    for col in select attname, atttypmod - 4 as most from pg_attribute
        where attrelid = made.objid and atttypid in (1042, 1043) and atttypmod > 4 and attnum > 0 loop
      execute format('alter table %s add check (public.dvt_fits(%I, %s))', made.objid::regclass, col.attname, col.most);
    end loop;
  end loop; end$$;
create event trigger dvt_lengths on ddl_command_end when tag in ('CREATE TABLE') execute function dvt_lengths();
create view svv_relation_privileges as
select n.nspname as namespace_name, c.relname as relation_name, a.privilege_type,
       case when a.grantee = 0 then 'public' else 'user' end as identity_type,
       coalesce(r.rolname, 'public') as identity_name, a.is_grantable as admin_option
from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a
left join pg_roles r on r.oid = a.grantee;
create function getdate() returns timestamp language sql as 'select localtimestamp';
create view svv_table_info as
select n.nspname as "schema", c.relname as "table", c.reltuples::numeric(38,0) as tbl_rows,
       (pg_relation_size(c.oid) / 1048576 + 1)::bigint as size
from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r';
"""


def _accept(listener: socket.socket, server: RedshiftServer) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_session, args=(client, server), daemon=True).start()


def _session(client: socket.socket, server: RedshiftServer) -> None:
    with suppress(OSError, EOFError), client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = _startup(client)
        with socket.create_connection(("127.0.0.1", server.postgres.port)) as behind:
            behind.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            behind.sendall(start)
            threading.Thread(target=_to_client, args=(behind, client, server), daemon=True).start()
            _to_server(client, behind, server)


def _startup(client: socket.socket) -> bytes:
    body = _read(client, struct.unpack("!I", _read(client, 4))[0] - 4)
    if struct.unpack("!I", body[:4])[0] == _SSL_REQUEST:
        client.sendall(b"N")
        return _startup(client)
    words = body[4:].rstrip(b"\0").split(b"\0")
    keys = dict(zip(words[::2], words[1::2], strict=True))
    kept = b"".join(key + b"\0" + keys[key] + b"\0" for key in _KEPT if key in keys) + b"\0"
    return struct.pack("!I", len(kept) + 8) + body[:4] + kept


def _to_server(client: socket.socket, behind: socket.socket, server: RedshiftServer) -> None:
    try:
        # A password comes before the first statement, and looks like any other message.
        while True:
            kind, body = _message(client)
            if kind == b"P":
                name, sql, rest = body.split(b"\0", 2)
                body = b"\0".join([name, server.rewritten(sql.decode()).encode(), rest])
            behind.sendall(kind + struct.pack("!I", len(body) + 4) + body)
    finally:
        with suppress(OSError):
            behind.shutdown(socket.SHUT_RDWR)


def _to_client(behind: socket.socket, client: socket.socket, server: RedshiftServer) -> None:
    with suppress(OSError, EOFError):
        while True:
            kind, body = _message(behind)
            if kind == b"S" and body.startswith(b"server_version\0"):
                body = b"server_version\x008.0.2\0"
            elif kind == b"T":
                body = _described(body, server.kinds)
            elif kind == b"R" and body.endswith(b"\0\0") and body[:4] == struct.pack("!I", _SASL):
                body = body[:-1]  # the driver takes the end of the list for a mechanism
            client.sendall(kind + struct.pack("!I", len(body) + 4) + body)
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


def _described(body: bytes, kinds: dict[int, int]) -> bytes:
    """A row description with Redshift's numbers of types."""
    found, at = bytearray(body), 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        at = body.index(b"\0", at) + 1
        kind = struct.unpack_from("!i", body, at + 6)[0]
        struct.pack_into("!i", found, at + 6, kinds.get(kind, kind))
        at += 18
    return bytes(found)


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    head = _read(source, 5)
    return head[:1], _read(source, struct.unpack("!I", head[1:])[0] - 4)


def _read(source: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = source.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
