"""The key of an incremental landing: the model has it, and the new rows are unique by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dvt.errors import DataError, DuplicateKeyError, RelationNotFoundError
from dvt.federation.loaders.config import LoadConfig
from dvt.identifiers import Relation, quote, quote_all


def require_unique_key(
    private: Relation,
    columns: Iterable[str],
    config: LoadConfig,
    dialect: str,
    first_row: Callable[[str], Sequence[object] | None],
    *,
    null_is_a_key: bool = False,
    first: str = "limit 1",
) -> None:
    """Raise when rows could not be matched by the key, or one of them would match twice.

    Args:
        private: The staged rows.
        columns: Their columns' names.
        config: The key and the mode.
        dialect: The engine's, for quoting.
        first_row: Runs a query and gives its first row, None when there is none.
        null_is_a_key: Whether NULL is matched with NULL; it equals nothing otherwise.
        first: The end of an ordered query of which one row is wanted.

    Raises:
        DataError: No key is given.
        RelationNotFoundError: The key is none of the columns.
        DuplicateKeyError: A key occurs more than once.
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
    where = [] if null_is_a_key else ["where", present]
    grouped = ["group by", names, "having count(*) > 1 order by", names, first]
    double = first_row(" ".join(["select", names, ", count(*) from", private.sql(dialect), *where, *grouped]))
    if double is not None:
        *values, count = double
        shown = ", ".join(f"{name} = {'NULL' if v is None else repr(v)}" for name, v in zip(key, values, strict=True))
        raise DuplicateKeyError(
            f"the result has {count} rows with the key {shown}",
            column=", ".join(key),
            phase="land",
            remedy="Make the unique key unique in the model",
        )
