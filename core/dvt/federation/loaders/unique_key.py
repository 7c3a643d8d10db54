"""The key of an incremental landing: the model has it, and the new rows are unique by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dvt.errors import DataError, DuplicateKeyError, RelationNotFoundError
from dvt.federation.loaders.base import LoadConfig
from dvt.identifiers import Relation, quote, quote_all


def require_unique_key(
    private: Relation,
    columns: Iterable[str],
    config: LoadConfig,
    dialect: str,
    first_row: Callable[[str], Sequence[object] | None],
) -> None:
    """Raise when rows could not be matched by the key, or one of them would match twice.

    Args:
        private: The staged rows.
        columns: Their columns' names.
        config: The key and the mode.
        dialect: The engine's, for quoting.
        first_row: Runs a query and gives its first row, None when there is none.

    Raises:
        DataError: No key is given.
        RelationNotFoundError: The key is none of the columns.
        DuplicateKeyError: A key occurs more than once; NULL equals nothing.
    """
    key = config.unique_key
    if not key:
        raise DataError(f"mode {config.mode} needs a unique_key", remedy="Set unique_key in the model's config")
    known = {name.lower() for name in columns}
    for name in key:
        if name.lower() not in known:
            raise RelationNotFoundError("the unique_key is not a column of the model", column=name, phase="land")
    names = quote_all(key, dialect)
    present = " and ".join(f"{quote(name, dialect)} is not null" for name in key)
    query = ["select", names, "from", private.sql(dialect), "where", present, "group by", names]
    double = first_row(" ".join([*query, "having count(*) > 1 limit 1"]))
    if double is not None:
        raise DuplicateKeyError(
            f"the new rows hold the key {tuple(double)!r} more than once",
            column=", ".join(key),
            remedy="Make the model's rows unique by its unique_key",
        )
