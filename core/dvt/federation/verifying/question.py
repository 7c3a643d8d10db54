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
_DIGEST = "dvt_digest"


def checksum_of(
    extractor: BaseExtractor, relation: Relation, columns: Sequence[Compared], sums: SumWords, hashes: HashWords | None
) -> Checksum:
    """What the database says of a relation's rows."""
    found = Checksum()
    hashed = [_as_read_back(column, extractor) for column in columns if column.is_hashed]
    for start in range(0, len(columns) or 1, _COLUMNS_A_QUERY):
        part = columns[start : start + _COLUMNS_A_QUERY]
        asked = [sums.count.replace("{x}", "*"), *_asked(part, sums, extractor)]
        digest = ""
        if hashes and hashed and not start:
            digest = digest_sql(hashes, hashed, extractor.connection.dialect)
            asked += [_half(sums, first) for first in (1, 9)]
        answers = iter(_answers(extractor, asked, relation, digest))
        found.rows = _number(next(answers))
        _take(found, part, answers, sums)
        found.halves = (_number(next(answers, None)), _number(next(answers, None))) if not start else found.halves
    return found


def _as_read_back(column: Compared, extractor: BaseExtractor) -> ColumnSchema:
    return ColumnSchema(extractor.landed_name(column.name), column.lands_as or column.type)


def _asked(columns: Sequence[Compared], sums: SumWords, extractor: BaseExtractor) -> Iterator[str]:
    for column in columns:
        name = quote(extractor.landed_name(column.name), extractor.connection.dialect)
        yield sums.count.replace("{x}", name)
        if column.scale is not None:
            total = sums.whole if pa.types.is_integer(column.type) else sums.decimal
            filled = total.replace("{scale}", str(column.scale)).replace("{power}", str(10**column.scale))
            yield filled.replace("{x}", name)


def _half(sums: SumWords, start: int) -> str:
    part = sums.part.replace("{x}", _DIGEST).replace("{start}", str(start))
    return f"sum({sums.number.replace('{x}', part)})"


def _answers(extractor: BaseExtractor, asked: Sequence[str], relation: Relation, digest: str) -> list[object]:
    dialect = extractor.connection.dialect
    named = ", ".join(f"{sql} as {quote(f'c{index}', dialect)}" for index, sql in enumerate(asked))
    # A relation's own statement knows in which schema it lies, and how its name is meant.
    source = " ".join(["(", extractor.source_sql(ExtractionConfig(relation=relation)), ") dvt_source"])
    if digest:  # made once for each row, and said once
        source = " ".join(["( select dvt_source.*,", digest, "as", _DIGEST, "from", source, ") dvt_rows"])
    sql = " ".join(["select", named, "from", source])
    with extractor.scan(ExtractionConfig(query=sql)) as stream:
        batch = stream.read_batch(1)
    assert batch is not None, "an aggregate gives one row"
    return [column[0].as_py() for column in batch.columns]


def _take(found: Checksum, columns: Sequence[Compared], answers: Iterator[object], sums: SumWords) -> None:
    for column in columns:
        found.present[column.name] = _number(next(answers))
        if column.scale is not None:
            total = _total(str(next(answers) or 0).strip())
            found.sums[column.name] = total.scaleb(-column.scale) if sums.is_scaled else total


def _total(text: str) -> Decimal:
    high, colon, low = text.partition(":")
    return Decimal(int(high) * 2**32 + int(low)) if colon else Decimal(text)


def _number(answer: object) -> int:
    return int(str(answer or 0).partition(".")[0]) % 2**64
