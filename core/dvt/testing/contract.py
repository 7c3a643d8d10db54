"""The contract as pytest classes: subclass `ExtractorContract` and give it a fixture `place`."""

from __future__ import annotations

from dvt.testing.asking import AskingContract
from dvt.testing.failing import FailingContract
from dvt.testing.reading import ReadingContract


class ExtractorContract(ReadingContract, AskingContract, FailingContract):
    """Everything that an extractor has to do. The fixture `place` is of scope "class" or wider."""
