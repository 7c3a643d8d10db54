"""docs/comparing.md says what the planner's facts say."""

from __future__ import annotations

from pathlib import Path

from dvt.testing.comparing_page import page

_PAGE = Path(__file__).parents[3] / "docs" / "comparing.md"


def test_the_page_is_made_of_todays_facts() -> None:
    assert _PAGE.read_text(encoding="utf-8") == page(), "run `hatch run comparing-page`"
