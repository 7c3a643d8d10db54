"""The Python entry point for reading: a query on one connection as a stream of Arrow batches."""

from __future__ import annotations

from pathlib import Path

from dvt.federation.extractors.base import BaseExtractor
from dvt.federation.registry import new_extractor
from dvt.federation.stream import RowStream


def read(
    connection: str,
    query: str,
    *,
    profiles_dir: str | Path | None = None,
    profile: str | None = None,
) -> RowStream:
    """Run a query on a connection of the profile and stream its result.

    Memory stays within a few batches, whatever the size of the result. Use the stream as a context manager, or read it
    to its end: either closes the session.

    Args:
        connection: Name of an output in `profiles.yml`.
        query: A query in the connection's own SQL.
        profiles_dir: Folder of `profiles.yml`; found as dbt finds it when not given.
        profile: Name of the profile; the project's, or the only one, when not given.

    Raises:
        ConfigurationError: There is no such connection, or its profile is wrong.
        DvtError: The source refused the connection or the query.

    Example:
        with dvt.read("crm", "select id, city from customers") as stream:
            for batch in stream.batches():
                ...
    """
    from dvt.dbt_bridge.profiles import load_connections

    folder = Path(profiles_dir) if profiles_dir is not None else None
    found = load_connections(profiles_dir=folder, profile=profile, project_dir=None).get(connection)
    extractor = new_extractor(found)
    try:
        stream = extractor.extract_stream(query)
    except BaseException:
        extractor.close()
        raise
    return RowStream(
        stream.columns,
        stream.batches(),
        close=lambda: _close_both(stream, extractor),
        estimated_row_count=stream.estimated_row_count,
        method=stream.method,
        how=stream.how,
    )


def _close_both(stream: RowStream, extractor: BaseExtractor) -> None:
    try:
        stream.close()
    finally:
        extractor.close()
