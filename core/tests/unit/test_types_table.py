"""The table in the design record says what the mapping tables say."""

from __future__ import annotations

from types_table import PLAN, written


def test_the_plan_is_up_to_date() -> None:
    plan = PLAN.read_text()
    assert plan == written(plan), "run `python core/tests/types_table.py`"
