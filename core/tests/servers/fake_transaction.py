"""A fake's session that does not commit by itself."""

from __future__ import annotations

from servers.fake_sql import FakeCursor, FakeSQL


class Transaction:
    """What a session does while it does not commit by itself."""

    def __init__(self, engine: FakeSQL) -> None:
        self._engine = engine
        self._open: FakeCursor | None = None
        self.is_automatic = True

    def cursor(self) -> FakeCursor:
        """What the next statement runs on."""
        if self.is_automatic:
            return self._engine.cursor()
        if self._open is None:
            self._open = self._engine.cursor()
            self._open.own.execute("begin")
        return FakeCursor(self._open.own)

    def end(self, word: str) -> None:
        """COMMIT or ROLLBACK."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.own.execute(word)

    def set_automatic(self, is_automatic: bool) -> None:
        """Whether each statement commits; what is open is committed."""
        if is_automatic:
            self.end("commit")
        self.is_automatic = is_automatic
