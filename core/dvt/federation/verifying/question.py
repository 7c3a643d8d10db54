"""The checksum of a table, asked of the database in which it lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pyarrow as pa

from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.hashing.statement import digest_sql
from dvt.federation.hashing.words import HashWords
from dvt.federation.stream import ColumnSchema
from dvt.federation.verifying.checksum import Checksum, Compared
from dvt.federation.verifying.words import SumWords
from dvt.identifiers import Relation, quote

# Well below the 1,600 result columns that an engine allows: a column needs two.
_COLUMNS_A_QUERY = 300


def checksum_of(
    extractor: BaseExtractor, relation: Relation, columns: Sequence[Compared], sums: SumWords, hashes: HashWords
) -> Checksum:
    """What the database says of a relation's rows."""
    found = Checksum()
    dialect = extractor.connection.dialect
    hashed = [_as_read_back(column) for column in columns if column.is_hashed]
    for start in range(0, len(columns) or 1, _COLUMNS_A_QUERY):
        part = columns[start : start + _COLUMNS_A_QUERY]
        asked = ["count(*)", *_asked(part, sums, dialect)]
        if hashed and not start:
            digest = digest_sql(hashes, hashed, dialect)
            asked += [_half(sums, digest, 1), _half(sums, digest, 9)]
        answers = iter(_answers(extractor, asked, relation))
        found.rows = _number(next(answers))
        _take(found, part, answers, sums)
        found.halves = (_number(next(answers, None)), _number(next(answers, None))) if not start else found.halves
    return found


def _as_read_back(column: Compared) -> ColumnSchema:
    return ColumnSchema(column.name, pa.int8() if column.is_number else column.type)


def _asked(columns: Sequence[Compared], sums: SumWords, dialect: str) -> Iterator[str]:
    for column in columns:
        name = quote(column.name, dialect)
        yield f"count({name})"
        if column.scale is not None:
            total = sums.whole if pa.types.is_integer(column.type) else sums.decimal
            filled = total.replace("{scale}", str(column.scale)).replace("{power}", str(10**column.scale))
            yield filled.replace("{x}", name)


def _half(sums: SumWords, digest: str, start: int) -> str:
    return f"sum({sums.number.replace('{x}', f'substr({digest}, {start}, 8)')})"


def _answers(extractor: BaseExtractor, asked: Sequence[str], relation: Relation) -> list[object]:
    dialect = extractor.connection.dialect
    named = ", ".join(f"{sql} as {quote(f'c{index}', dialect)}" for index, sql in enumerate(asked))
    sql = " ".join(["select", named, "from", relation.sql(dialect)])
    with extractor.scan(ExtractionConfig(query=sql)) as stream:
        batch = stream.read_batch(1)
    assert batch is not None, "an aggregate gives one row"
    return [column[0].as_py() for column in batch.columns]


def _take(found: Checksum, columns: Sequence[Compared], answers: Iterator[object], sums: SumWords) -> None:
    for column in columns:
        found.present[column.name] = _number(next(answers))
        if column.scale is not None:
            total = _total(str(next(answers) or 0))
            found.sums[column.name] = total.scaleb(-column.scale) if sums.is_scaled else total


def _total(text: str) -> Decimal:
    high, colon, low = text.partition(":")
    return Decimal(int(high) * 2**32 + int(low)) if colon else Decimal(text)


def _number(answer: object) -> int:
    return int(str(answer or 0).partition(".")[0]) % 2**64
