"""Why a condition or a row limit stays in the engine. The codes are stable; `docs/pushdown.md` explains them."""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """A reason code and its sentence."""

    code: str
    text: str

    def __new__(cls, code: str, text: str) -> Reason:
        """A member whose value is its code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.code = code
        member.text = text
        return member

    OFF = "P01", "pushdown is off"
    NOT_FOLLOWED = "P02", "the query has a shape that is not followed"
    NOT_COMPARABLE = "P10", "not a comparison of a column that engines are known to answer alike"
    NO_CONSTANT = "P11", "not compared with a constant of the column's own kind"
    PATTERN = "P12", "only the beginning of the pattern can be asked for"
    SEVERAL_READS = "P13", "another place in the query reads the relation without this condition"
    SOURCE_UNKNOWN = "P20", "nothing is known of how this source compares"
    SOURCE_DIFFERS = "P21", "the source compares values of this type in another way"
    SOURCE_INEXACT = "P22", "the source may keep more rows: the condition is checked again"
    DECLARED = "P23", "the project declares another type for the column"
    WATERMARK = "P30", "read before all others when the model runs; comparisons with it are then sent to the sources"
    KEYS = "P31", "the other relation is read first; when it has few keys, the source is asked for these only"
    KEYS_SAMPLED = "P32", "a sample of the other relation is read first; when it is the smaller one, then as P31"
    LIMIT_RESIDUAL = "P40", "a condition is checked in the engine, so more rows may be needed"
    LIMIT_ORDER = "P42", "the source may order these rows in another way"
    LIMIT_SHARED = "P41", "several places of the query read the relation"
    JOINED = "P50", "these relations are joined at their source"
    GROUPED = "P51", "rows that are alike for the rest of the query are counted at the source; the engine adds up"
    DIRECT_OFF = "P60", "the direct lane is off"
    DIRECT_INPUTS = "P61", "not one relation alone is read"
    DIRECT_SHAPE = "P62", "the query does more than choose columns and rows of one relation"
    DIRECT_RESIDUAL = "P63", "a condition or a row limit is checked in the engine"
    DIRECT_ORDER = (
        "P64",
        "the rows are to land in an order, or the first of an order are meant that only the engine has",
    )
    DIRECT_TYPE = "P65", "the engine may give a column's values another type or name"
    DIRECT_SHARED = "P66", "the relation is read once for several models"
    DIRECT_WATERMARK = "P67", "decided when the watermark has been read"
