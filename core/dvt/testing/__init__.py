"""The conformance kit: what every extractor has to do, for the plugins of this repository and for anybody's.

An outside plugin runs it with pytest (`pip install dvt[testing]`):

    class TestMyEngine(ExtractorContract):
        @pytest.fixture(scope="class")
        @classmethod
        def place(cls):
            with my_server() as server:
                yield Place("my_engine", Tag.REAL, server.output, server.execute, words=Path("my_engine.yml"))
"""

from dvt.testing.contract import ExtractorContract
from dvt.testing.place import Place, Tag

__all__ = ["ExtractorContract", "Place", "Tag"]
