"""What every command says and does when it is interrupted."""

from __future__ import annotations

from fault.kit import Ended


def check_interrupted(ended: Ended, *, is_batch: bool = False) -> None:
    """Exit code 130, and one line that says what was done.

    Args:
        ended: The command.
        is_batch: Whether a batch was interrupted, which dbt reports as it reports every batch that does not end well.
    """
    assert ended.code == 130, ended.output
    assert "Traceback" not in ended.output, ended.output
    assert "Encountered an error" not in ended.output, ended.output
    lines = [line for line in ended.output.splitlines() if line.startswith("dvt: ")]
    assert len(lines) == 1, ended.output
    assert "cancelled" in lines[0]
    unexpected = {message for message in ended.coded if not (is_batch and message.startswith("DVT800 "))}
    assert unexpected == set(), ended.output
