"""The judgement over dbt's own tests: it must see a failure, whichever way pytest writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

CASES = {
    "<testcase classname='m.C' name='a' time='1'/>": "passed",
    "<testcase classname='m.C' name='a'><failure message='boom&#10;more'>x</failure></testcase>": "failed",
    "<testcase classname='m.C' name='a'><error message='setup'>x</error></testcase>": "failed",
    "<testcase classname='m.C' name='a'><skipped message='why'/></testcase>": "skipped",
    "<testcase classname='m.C' name='a'/><testcase classname='m.C' name='a'><error message='t'/></testcase>": "failed",
    "<testcase classname='m.C' name='a'><error message='t'/></testcase><testcase classname='m.C' name='a'/>": "failed",
}


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch) -> None:
    # They are scripts beside each other, and find each other by their folder.
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "conformance")


def _outcomes(folder: Path, cases: str) -> dict:
    from results import read_outcomes

    file = folder / "results.xml"
    file.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return read_outcomes(file)


@pytest.mark.parametrize(("cases", "state"), CASES.items(), ids=range(len(CASES)))
def test_outcomes(tmp_path: Path, cases: str, state: str) -> None:
    assert {name: outcome.state for name, outcome in _outcomes(tmp_path, cases).items()} == {"m.C::a": state}


def test_equal_and_different_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from compare import compare

    passed, _, failed = (_outcomes(tmp_path, cases) for cases in list(CASES)[:3])
    assert compare("t", passed, passed)
    assert compare("t", failed, failed)
    assert not compare("t", passed, failed)
    assert not compare("t", failed, passed)
    assert not compare("t", passed, {})
    assert "DVT ONLY  m.C::a  setup" in capsys.readouterr().out


def test_forced_failures_are_exactly_the_expected_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import forced

    listed = tmp_path / "forced.txt"
    listed.write_text("# because\nm.C::a\n")
    monkeypatch.setattr(forced, "_EXPECTED", listed)
    passed, _, failed = (_outcomes(tmp_path, cases) for cases in list(CASES)[:3])
    assert forced.expected_failures() == {"m.C::a": "because"}
    assert forced.report(passed, failed)
    assert not forced.report(passed, passed)  # no longer fails
    listed.write_text("")
    assert not forced.report(passed, failed)  # fails unexpectedly
    assert forced.report(failed, failed)  # fails with stock dbt too
