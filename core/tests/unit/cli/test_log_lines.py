"""Warnings of dvt's layers in commands that are not dbt's."""

from __future__ import annotations

import io
import logging

import pytest

from dvt.cli.log_lines import told


def test_a_warning_is_one_line_and_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.StreamHandler(others := io.StringIO())
    logging.getLogger().addHandler(root)
    log = logging.getLogger("dvt.federation.anything")
    try:
        with told():
            log.warning("%s is left, at postgresql://me:geheim@host/db", "t")
            log.info("not of interest")
        assert capsys.readouterr().err == "dvt: t is left, at postgresql://me:***@host/db\n"
        assert others.getvalue() == ""
        log.warning("afterwards")
        assert others.getvalue() == "afterwards\n"
    finally:
        logging.getLogger().removeHandler(root)
