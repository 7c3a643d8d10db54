"""What a load is asked for, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dvt.federation.extractors.methods import PassedOver
from dvt.identifiers import Relation

Mode = Literal["table", "append", "merge", "delete+insert"]


@dataclass(frozen=True)
class LoadConfig:
    """Where and how a stream lands.

    Args:
        relation: The target relation.
        mode: "table" replaces the whole; the others keep what is there.
        unique_key: Columns that identify a row, for "merge" and "delete+insert".
        run_id: Eight hexadecimal digits that make private names unique to a run.
        streaming_batch_size: Rows sent at a time.
        declared: Native types that a contract declares, by column name.
        drop_dependents: Whether views that stand in the way of a new shape may be dropped (only with --full-refresh).
        keep_indexes: Whether a replaced table's indexes are made on the new one; False when the caller makes them.
        keep_constraints: The same for keys, checks and NOT NULL; False when a contract's DDL has made them.
        file_options: For files: format, layout and partition_by, where the project says them for one table.
    """

    relation: Relation
    mode: Mode = "table"
    unique_key: tuple[str, ...] = ()
    run_id: str = "00000000"
    streaming_batch_size: int = 10_000
    declared: Mapping[str, str] = field(default_factory=dict)
    drop_dependents: bool = False
    keep_indexes: bool = True
    keep_constraints: bool = True
    file_options: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Args:
        rows: Rows, as the database counted them.
        bytes: Arrow bytes sent.
        method: For example "copy_binary", "load_data", "insert", "arrow", "parquet".
        seconds: Wall time.
        passed_over: The methods before it in the chain, and why they were not taken.
    """

    rows: int
    bytes: int
    method: str
    seconds: float
    passed_over: tuple[PassedOver, ...] = ()
