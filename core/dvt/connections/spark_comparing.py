"""How Spark SQL compares values: what holds on Databricks and Spark, whatever the table's format and settings."""

from __future__ import annotations

from dvt.connections.comparing import Comparing, ComparingFacts, Trust

_EXACT, _MORE = Trust.EXACT, Trust.SUPERSET

# A text's collation may fold case or accents, and a char(n) is compared as if padded: neither shows in the type that
# reaches a client. Such texts are equal more often, never less. Decimals stay in the engine: with a constant of many
# digits Spark narrows the type in which it compares. So do floats: IN tells 0.0 from -0.0.
SPARK_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(_EXACT, "tinyint|smallint|int|bigint"),),
        "text": (Comparing("string", equal=_MORE, prefix=_MORE),),
        "date": (Comparing("date", _EXACT, _EXACT, _EXACT, columns=_EXACT, constants=("0001-01-01", "9999-12-31")),),
        "instant": (
            Comparing("timestamp", _EXACT, _EXACT, _EXACT, columns=_EXACT, constants=("0001-01-02", "9999-12-30")),
        ),
        "boolean": (Comparing("boolean", equal=_EXACT, unequal=_EXACT),),
    },
    any_null_test=_EXACT,
)
