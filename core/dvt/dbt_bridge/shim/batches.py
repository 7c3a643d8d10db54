"""The window of a microbatch model's batch, emptied before it is filled again."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from dvt.identifiers import Relation


def delete_batch_sql(model: Any, relation: Relation, dialect: str) -> str:
    """Delete the rows of one batch from the target.

    Args:
        model: The model's node; its `batch` holds the window, `config.event_time` the column.
        relation: The target.
        dialect: sqlglot dialect of the landing.
    """
    column = exp.column(exp.to_identifier(model.config.event_time, quoted=True))
    start, end = model.batch.event_time_start, model.batch.event_time_end
    window = exp.and_(column >= exp.Literal.string(_text(start)), column.copy() < exp.Literal.string(_text(end)))
    return exp.delete(relation.ast(), where=window).sql(dialect=dialect)


def _text(moment: Any) -> str:
    # SQLite compares dates and times as text: at midnight the bare date is right for DATE and TIMESTAMP columns alike.
    is_midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return str(moment.strftime("%Y-%m-%d" if is_midnight else "%Y-%m-%d %H:%M:%S"))
