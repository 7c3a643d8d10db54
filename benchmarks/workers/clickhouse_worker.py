"""The vendor's client: clickhouse-connect's own stream of Arrow batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import clickhouse_connect
from stopwatch import count, main


def stream(profile: str, query: str, key: str):
    """A query by `query_arrow_stream`; nothing is made of the batches but their count and the sum of the key."""
    client = _client(profile)
    with client.query_arrow_stream(query, settings={"max_block_size": 50_000}) as batches:
        return count(batches, key), "types as the server sends them"


def _client(profile: str):
    output = json.loads(Path(profile).read_text())
    login = {"username": output["user"], "password": output["password"], "database": output["schema"]}
    return clickhouse_connect.get_client(host=output["host"], port=output["port"], **login)


def _prepare(details: Mapping[str, Any]) -> None:
    """What is imported at the first use is not timed, for anyone."""
    _client(details["profile"]).close()


if __name__ == "__main__":
    main({"stream": stream}, _prepare)
