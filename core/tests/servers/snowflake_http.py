"""fakesnow's server, and in front of it what it leaves out: logging in, results in several chunks, ending a statement.

Run as a program, with the interpreter of an environment in which fakesnow is. SQL is fakesnow's (DuckDB's, by way of
sqlglot). Some of what the client gets is ours: users, tokens and refusals; results of more than `DVT_TEST_CHUNK_ROWS`
rows cut into chunks that are fetched by address; stages, COPY and CLONE (`snowflake_stages`); and relations named
`CANNED...`, whose description and Arrow chunks a test has put there in Snowflake's own wire form, because DuckDB holds
no such values.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import importlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import fakesnow.server
import pyarrow as pa
import uvicorn

_CANNED = re.compile(r'"?(CANNED\w*)"?')
_CANCEL = re.compile(r"(?i)system\$cancel_all_queries\((\d+)\)")
_WAIT = re.compile(r"(?i)system\$wait\((\d+)\)")
_NO_LOGIN = {"code": "390100", "message": "Incorrect username or password was specified.", "success": False, "data": {}}
_CANCELLED = ("000604", "57014", "SQL execution canceled")
_TIMED_OUT = (
    "000630",
    "57014",
    "Statement reached its statement or warehouse timeout of 1 second(s) and was canceled.",
)


# Modules beside this one: the interpreter is isolated, and does not look here.
sys.path.append(str(Path(__file__).parent))
_wire = importlib.import_module("snowflake_wire")


class Front:
    """An ASGI application in front of fakesnow's."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.users = json.loads(os.environ["DVT_TEST_USERS"])
        self.chunk_rows = int(os.environ["DVT_TEST_CHUNK_ROWS"])
        self.statements: list[str] = []
        self.logins: list[dict[str, Any]] = []
        self.canned: dict[str, dict[str, Any]] = {}
        self.chunks: list[tuple[bytes, str]] = []
        self.sessions: dict[str, int] = {}
        self.limits: dict[int, float] = {}
        self.ended: dict[int, asyncio.Event] = {}
        self.stages = importlib.import_module("snowflake_stages").Stages(self.address)
        self.ingest = importlib.import_module("snowflake_ingest").Ingest(self.stages)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await fakesnow.server.app(scope, receive, send)
            return
        path = scope["path"]
        if path.startswith("/dvt/chunk/"):
            await self._chunk(int(path.rsplit("/", 1)[1]), send)
            return
        body = await _body(receive)
        if path.startswith("/dvt/stage/"):
            self.stages.took(path.rsplit("/", 1)[1], body)
            await _reply(send, b"")
            return
        headers = dict(scope["headers"])
        plain = gzip.decompress(body) if headers.get(b"content-encoding") == b"gzip" else body
        if path == "/oauth/token-request":
            await self._refreshed(plain, headers, send)
        elif path.startswith("/dvt/"):
            await _reply(send, self._asked(path, plain))
        elif path.endswith("/login-request"):
            await self._login(scope, body, json.loads(plain)["data"], send)
        elif path.endswith("/query-request"):
            await self._query(scope, body, json.loads(plain), headers.get(b"authorization", b"").decode(), send)
        else:
            if path == "/session" and b"delete=true" in scope["query_string"]:
                self.stages.ended(headers.get(b"authorization", b"").decode()[17:-1])
            await _reply(send, await _inner(scope, body))

    def _asked(self, path: str, body: bytes) -> bytes:
        """What the tests ask beside the protocol."""
        if path == "/dvt/canned":
            entry = json.loads(body)
            self.canned[entry["name"]] = entry
            return b"{}"
        if path == "/dvt/store":
            self.stages.store = json.loads(body)
            return b"{}"
        if path == "/dvt/stages":
            shown = {"stages": self.stages.names(), "grants": {k: sorted(v) for k, v in self.stages.grants.items()}}
            return json.dumps(shown).encode()
        given: list[Any] = self.logins if path == "/dvt/logins" else self.statements
        found, given[:] = list(given), []
        return json.dumps(found).encode()

    async def _refreshed(self, form: bytes, headers: dict[bytes, bytes], send: Any) -> None:
        login = base64.b64encode(b"client:client-secret")
        is_known = parse_qs(form.decode()).get("refresh_token") == ["refresh-token"]
        if is_known and headers.get(b"authorization") == b"Basic " + login:
            await _reply(send, json.dumps({"access_token": self.users["token"]}).encode())
        else:
            await _reply(send, b'{"error": "invalid_grant"}', status=400)

    async def _login(self, scope: Any, body: bytes, data: dict[str, Any], send: Any) -> None:
        kind = data.get("AUTHENTICATOR", "")
        shown = {key: data.get(key) for key in ("LOGIN_NAME", "AUTHENTICATOR", "SESSION_PARAMETERS", "ACCOUNT_NAME")}
        self.logins.append({**shown, "client": data.get("CLIENT_APP_VERSION")})
        if kind in ("OAUTH", "PROGRAMMATIC_ACCESS_TOKEN"):
            is_let_in = data.get("TOKEN") == self.users["token"]
        elif kind == "SNOWFLAKE_JWT":
            is_let_in = _key_of(data.get("TOKEN", "")) == self.users["key"]
        else:
            is_let_in = data.get("PASSWORD") == self.users["password"]
        if not is_let_in:
            await _reply(send, json.dumps(_NO_LOGIN).encode())
            return
        answer = json.loads(await _inner(scope, body))
        number = len(self.sessions) + 1001
        self.sessions[answer["data"]["token"]] = number
        limit_s = (data.get("SESSION_PARAMETERS") or {}).get("STATEMENT_TIMEOUT_IN_SECONDS")
        self.limits[number] = float(limit_s or 0)
        # Connector 5 wants these, and fakesnow leaves them out.
        answer["data"].update(masterToken="m", validityInSeconds=3600, masterValidityInSeconds=14400, sessionId=number)
        await _reply(send, json.dumps(answer).encode())

    async def _query(self, scope: Any, body: bytes, asked: dict[str, Any], authorization: str, send: Any) -> None:
        sql = asked["sqlText"]
        session = self.sessions.get(authorization[17:-1], 0)
        self.statements.append(("-- describe only\n" if asked.get("describeOnly") else "") + sql)
        if found := _CANCEL.search(sql):
            self.ended.setdefault(int(found.group(1)), asyncio.Event()).set()
            await _reply(send, json.dumps(self._result(_wire.text_column("S"), [["1 statement"]])).encode())
            return
        if (found := _WAIT.search(sql)) and not asked.get("describeOnly"):
            await _reply(send, json.dumps(await self._waited(session, float(found.group(1)))).encode())
            return
        if (named := _CANNED.search(sql)) and named.group(1) in self.canned:
            canned = self.canned[named.group(1)]
            answer = self._described(canned) if asked.get("describeOnly") else self._given(canned)
            await _reply(send, json.dumps(answer).encode())
            return
        if found:  # a description of a statement that waits
            await _reply(send, json.dumps(self._result(_wire.text_column("WAITED"), [])).encode())
            return
        if not asked.get("describeOnly"):
            token, bound = authorization[17:-1], asked.get("bindings") or {}
            staged = await asyncio.to_thread(self.ingest.answer, token, sql, bound)
            if staged is None:
                staged = await asyncio.to_thread(self.stages.answer, token, sql)
            if staged is not None:
                await _reply(send, json.dumps(self._staged(staged)).encode())
                return
        answer = json.loads(await _inner(scope, body))
        await _reply(send, json.dumps(self._cut(answer)).encode())

    def _staged(self, answer: Any) -> dict[str, Any]:
        """What a stage's statement gave, in the protocol's words."""
        if isinstance(answer, dict):
            return {"data": answer, "success": True, "code": None, "message": None}
        if len(answer) == 3:
            return _wire.failed(*answer)
        names, rows = answer
        return self._result([column for name in names for column in _wire.text_column(name)], rows)

    async def _waited(self, session: int, seconds: float) -> dict[str, Any]:
        """A statement that runs for some time, unless its session's statements are ended."""
        event = self.ended.setdefault(session, asyncio.Event())
        limit_s = self.limits.get(session) or seconds
        try:
            await asyncio.wait_for(event.wait(), min(limit_s, seconds))
        except asyncio.TimeoutError:
            return (
                _wire.failed(*_TIMED_OUT)
                if limit_s < seconds
                else self._result(_wire.text_column("WAITED"), [["done"]])
            )
        return _wire.failed(*_CANCELLED)

    def _result(self, rowtype: list[dict[str, Any]], rows: list[list[str]]) -> dict[str, Any]:
        columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(rowtype))]
        fields = [pa.field(c["name"], pa.string(), metadata={"logicalType": "TEXT"}) for c in rowtype]
        chunk = _wire.ipc(pa.Table.from_arrays(columns, schema=pa.schema(fields)))
        return self._answer(rowtype, chunk if rows else b"", [], len(rows))

    def _described(self, canned: dict[str, Any]) -> dict[str, Any]:
        return self._answer(canned["described"], b"", [], 0)

    def _given(self, canned: dict[str, Any]) -> dict[str, Any]:
        """A canned result: the first chunk stands in the answer, the others are fetched; one may be spoilt."""
        if number := canned.get("error"):
            return _wire.failed(*number)
        chunks = [(base64.b64decode(data), rows) for data, rows in canned["chunks"]]
        first, rest = (chunks[0], chunks[1:]) if chunks else ((b"", 0), [])
        fault = canned.get("fault", "")
        links = [self._link(data, rows, fault if i == len(rest) - 1 else "") for i, (data, rows) in enumerate(rest)]
        total = canned.get("total", sum(rows for _, rows in chunks))
        return self._answer(canned.get("sent") or canned["described"], first[0], links, total)

    def _link(self, data: bytes, rows: int, fault: str = "") -> dict[str, Any]:
        self.chunks.append((data, fault))
        address = f"{self.address}/dvt/chunk/{len(self.chunks) - 1}"
        return {"url": address, "rowCount": rows, "uncompressedSize": len(data), "compressedSize": len(data)}

    def _answer(
        self, rowtype: list[dict[str, Any]], first: bytes, links: list[dict[str, Any]], total: int
    ) -> dict[str, Any]:
        data = {
            "parameters": [{"name": "TIMEZONE", "value": "UTC"}],
            "rowtype": [_wire.whole(column) for column in rowtype],
            "rowsetBase64": base64.b64encode(first).decode(),
            "queryResultFormat": "arrow",
            "total": total,
            "returned": total,
            "queryId": f"01b00000-0000-0000-0000-{len(self.statements):012d}",
            "statementTypeId": 4096,
            "finalDatabaseName": None,
            "finalSchemaName": None,
            **({"chunks": links, "chunkHeaders": {}} if links else {}),
        }
        return {"data": data, "success": True, "code": None, "message": None}

    def _cut(self, answer: dict[str, Any]) -> dict[str, Any]:
        """fakesnow's result with its NULL moments mended, and in chunks when it is a long one."""
        data = answer.get("data") or {}
        if data.get("stageInfo") or not data.get("rowsetBase64"):
            return answer
        table = _wire.with_nulls(pa.ipc.open_stream(base64.b64decode(data["rowsetBase64"])).read_all())
        if table.num_rows <= self.chunk_rows:
            data["rowsetBase64"] = base64.b64encode(_wire.ipc(table)).decode()
            return answer
        parts = [table.slice(start, self.chunk_rows) for start in range(0, table.num_rows, self.chunk_rows)]
        data["rowsetBase64"] = base64.b64encode(_wire.ipc(parts[0])).decode()
        data["chunks"] = [self._link(_wire.ipc(part), part.num_rows) for part in parts[1:]]
        data["chunkHeaders"] = {}
        return answer

    async def _chunk(self, number: int, send: Any) -> None:
        data, fault = self.chunks[number]
        if fault == "late":
            self.chunks[number] = data, ""
            await _reply(send, b"<Error>not yet</Error>", status=503)
        elif fault == "short":  # a whole Arrow stream of fewer rows
            table = pa.ipc.open_stream(data).read_all()
            await _reply(send, _wire.ipc(table.slice(0, table.num_rows - 1)))
        else:
            await _reply(send, data)


def _key_of(token: str) -> str:
    """The fingerprint of the public key with which a JWT says that it was signed."""
    part = token.split(".")[1] if token.count(".") == 2 else ""
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) or b"{}")
    return str(claims.get("iss", "")).partition("SHA256:")[2]


async def _body(receive: Any) -> bytes:
    parts, is_more = [], True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message.get("more_body", False)
    return b"".join(parts)


async def _inner(scope: Any, body: bytes) -> bytes:
    """What fakesnow answers."""
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    await fakesnow.server.app(scope, receive, send)
    return b"".join(parts)


async def _reply(send: Any, body: bytes, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until the process is ended."""
    port = int(sys.argv[1])
    uvicorn.run(Front(port), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
