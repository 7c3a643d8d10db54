"""The catalogue of the double of Teradata's driver."""

from __future__ import annotations

import re

VIEWS = (
    'drop table "DBC"."TablesV"',
    'create table "DBC"."TablesV" (DatabaseName VARCHAR(128), TableName VARCHAR(128), TableKind CHAR(1),'
    " CheckOpt CHAR(1))",
    'create table "DBC"."ColumnsV" (DatabaseName VARCHAR(128), TableName VARCHAR(128), ColumnName VARCHAR(128),'
    " ColumnType VARCHAR(2), ColumnLength INTEGER, DecimalTotalDigits INTEGER, DecimalFractionalDigits INTEGER,"
    " CharType INTEGER, UpperCaseFlag VARCHAR(1), ColumnId INTEGER)",
)
# The catalogue's code of a type.
_CODES = {
    "BYTEINT": "I1", "SMALLINT": "I2", "INTEGER": "I", "BIGINT": "I8", "DECIMAL": "D", "FLOAT": "F", "DATE": "DA",
    "TIME": "AT", "TIMESTAMP": "TS", "TIMESTAMP WITH TIME ZONE": "SZ", "VARCHAR": "CV", "CHAR": "CF", "VARBYTE": "BV",
}  # fmt: skip


def row_of(native: str) -> list[str]:
    """What DBC.ColumnsV says of a type, as SQL."""
    base = " ".join(re.sub(r"\([^)]*\)", " ", native).upper().split())
    numbers = [int(text) for text in re.findall(r"\d+", native)]
    code = _CODES.get(base, "++")
    total, digits, length = "null", "null", numbers[0] if numbers and code in ("CV", "CF", "BV") else 8
    if code == "D":
        total, digits = str(numbers[0]), str(numbers[1])
    elif code in ("TS", "SZ", "AT"):
        digits = str(numbers[0] if numbers else 6)
    is_text = code in ("CV", "CF")
    return [f"'{code}'", str(length * 2 if is_text else length), total, digits, "2" if is_text else "0", "'C'"]
