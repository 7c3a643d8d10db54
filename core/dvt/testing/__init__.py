"""The conformance kit: what extractors and loaders have to do, for the plugins of this repository and for anybody's.

An outside plugin runs it with pytest (`pip install dvt[testing]`):

    @pytest.fixture(scope="session")
    def my_place():
        with my_server() as server:
            yield Place("my_engine", Tag.REAL, server.output, server.execute, words=Path("my_engine.yml"))

    class TestMyExtractor(ExtractorContract):
        @pytest.fixture(scope="class")
        @classmethod
        def place(cls, my_place):
            return my_place

    class TestMyLoader(LoaderContract):
        ...  # the same fixture
"""

from dvt.testing.contract import ExtractorContract, LoaderContract
from dvt.testing.place import Place, Tag

__all__ = ["ExtractorContract", "LoaderContract", "Place", "Tag"]
