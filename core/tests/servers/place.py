"""A running server as the tests of an engine need it; the kit's own."""

from dvt.testing.place import Place, Tag

__all__ = ["Place", "Tag"]
