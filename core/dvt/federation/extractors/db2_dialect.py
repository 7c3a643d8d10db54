"""Db2's SQL as far as dvt writes it: sqlglot has no dialect of that name."""

from __future__ import annotations

from sqlglot.dialects.oracle import Oracle


class Db2(Oracle):
    """What a scan says is the same in Oracle's words: FETCH FIRST n ROWS ONLY, NULLs that are large, CAST to TIMESTAMP.

    sqlglot finds it by its entry point.

    >>> from sqlglot import exp
    >>> exp.select("*").from_("t").where("a > 1").limit(3).sql(dialect="db2")
    'SELECT * FROM t WHERE a > 1 FETCH FIRST 3 ROWS ONLY'
    """
