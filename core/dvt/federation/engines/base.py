"""The engine contract: register inputs, execute one query, give a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    from dvt.federation.stream import ColumnSchema, RowStream


@dataclass(frozen=True, order=True)
class Handle:
    """The three-part name under which an input stands in an engine's query.

    The catalogue part is made from the connection's name, the others are the relation's own, so that a reference
    such as `orders.id` without an alias still binds.
    """

    catalog: str
    schema: str
    name: str


@dataclass(frozen=True)
class EngineLimits:
    """Bounds of one engine session.

    Args:
        memory_bytes: Memory that the engine may hold.
        threads: Threads it may use.
        spill_folder: Private folder for what does not fit in memory.
    """

    memory_bytes: int
    threads: int
    spill_folder: Path


class BaseEngine(ABC):
    """One compute session: private, empty at first, gone when closed.

    Args:
        limits: Its bounds.
        options: What `engines:` in dvt.yml says under the engine's name, checked.
    """

    def __init__(self, limits: EngineLimits, options: Mapping[str, Any] | None = None) -> None:
        self.limits = limits
        self.options = options or {}

    @classmethod
    def check_options(cls, given: Mapping[str, Any]) -> None:
        """Refuse what `engines:` in dvt.yml may not say of this engine.

        Raises:
            ConfigurationError: A key is unknown or a value is not what it takes.
        """
        for key in given:
            raise ConfigurationError(f"dvt.yml: this engine takes no option '{key}'", code="DVT111", remedy="Remove it")

    @classmethod
    def check_query(
        cls, sql: str, relations: Mapping[Handle, Sequence[ColumnSchema]], columns: Callable[[], list[ColumnSchema]]
    ) -> None:
        """Refuse, before anything is read, a query that this engine does not compute.

        Args:
            sql: The query, which DuckDB binds.
            relations: The columns that are read of each relation that it names.
            columns: Gives the query's own.

        Raises:
            UnsupportedError: What is not carried is named.
        """
        return  # what DuckDB binds, the embedded engine computes

    @classmethod
    def check_place(cls, given: Mapping[str, Any]) -> None:
        """Refuse, before anything is read, options by which the engine could not reach its inputs.

        Raises:
            ConfigurationError: What is missing is named.
        """
        return

    @classmethod
    def landing_remark(cls, given: Mapping[str, Any], how: str) -> str:
        """How a result lands, where that is not by dvt's own process; for `dvt plan`.

        Args:
            given: The engine's options.
            how: What the engine's processes would do for the target, empty where they are not asked.
        """
        return ""

    def prepare(self) -> None:
        """Find out, before anything is read, what can only be found out by trying.

        Raises:
            DvtError: The engine does not run, or would not reach its inputs.
        """
        return

    @abstractmethod
    def register(self, handle: Handle, stream: RowStream) -> int:
        """Read a stream to its end into a relation of the engine, in the place of an older one; returns the rows."""

    @abstractmethod
    def register_parquet(self, handle: Handle, paths: list[Path]) -> None:
        """Make staged Parquet files a relation of the engine without copying them."""

    @abstractmethod
    def execute(self, sql: str, batch_rows: int = 50_000) -> RowStream:
        """Run a query; its batches are in the carrying vocabulary of `dvt.types`."""

    def look_up(self, sql: str) -> RowStream:
        """A small query over registered relations, asked while others are still read."""
        return self.execute(sql)

    def bind(self, sql: str) -> None:
        """Refuse a query that `execute` would refuse; an engine that can do so without running it says so here."""
        self.execute(sql).close()

    @abstractmethod
    def interrupt(self) -> None:
        """End a running query from another thread."""

    @abstractmethod
    def close(self) -> None:
        """End the session and delete what it spilled."""

    def __enter__(self) -> BaseEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
