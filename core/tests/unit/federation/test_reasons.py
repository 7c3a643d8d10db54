"""Every reason code has its line on the page."""

from __future__ import annotations

import re
from pathlib import Path

from dvt.federation.plan.reasons import Reason

PAGE = Path(__file__).parents[4] / "docs" / "pushdown.md"


def test_every_code_stands_on_the_page_once() -> None:
    written = re.findall(r"^\| (P\d\d) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(written) == sorted(reason.code for reason in Reason)
