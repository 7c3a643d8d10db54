"""The contracts as pytest classes: subclass one and give it a fixture `place`, of scope "class" or wider."""

from __future__ import annotations

from dvt.testing.asking import AskingContract
from dvt.testing.changing import ChangingContract
from dvt.testing.failing import FailingContract
from dvt.testing.load_failing import LoadFailingContract
from dvt.testing.loading import LoadingContract
from dvt.testing.reading import ReadingContract
from dvt.testing.verifying import VerifyingContract


class ExtractorContract(ReadingContract, AskingContract, FailingContract):
    """Everything that an extractor has to do."""


class LoaderContract(LoadingContract, ChangingContract, LoadFailingContract, VerifyingContract):
    """Everything that a loader has to do. What lands is read by the extractor, which has a contract of its own."""
