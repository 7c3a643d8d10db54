"""Writing to the double of Oracle: what its SQL layer does with what it is given, and what a direct path load does not.

As Oracle documents it: '' is NULL, also in arrays and in direct path loads; numbers are rounded to their column's scale
and moments to their digits without a word, CHAR is padded, what is too long is an error (ORA-12899); DDL commits what
is open, before it and after it; a direct path load converts and checks nothing, wants all columns, takes names in upper
case, and commits. The types of values are those that the driver takes for a bind type.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

from servers.driver_double import parts
from servers.fake_sql import FakeCursor, FakeSQLError
from servers.fake_transaction import Transaction
from servers.oracle_driver import failure
from servers.oracle_sql import SCHEMA, OracleSQLDouble

_NAME = r"(\"(?:[^\"]|\"\")*\"|\w+)(?:\.(\"(?:[^\"]|\"\")*\"|\w+))?"
_RENAME = re.compile(rf"(?is)^alter table ({_NAME}) rename to (\"(?:[^\"]|\"\")*\"|\w+)$")
_DROP = re.compile(rf"(?is)^drop (table|view) ({_NAME})( purge)?$")
_VIEW = re.compile(rf"(?is)^create or replace view ({_NAME}) as")
_INTO = re.compile(rf"(?is)^(?:insert|merge) into ({_NAME})")
_ARRAY = re.compile(rf"(?is)^insert into ({_NAME}) \( (.*) \) values \( (.*) \)$")
_SIZED = re.compile(r"(?i)(N?VARCHAR2|N?CHAR|RAW)\s*\((\d+)\s*(BYTE|CHAR)?\)")
_MOMENT = re.compile(r"(?i)TIMESTAMP\s*\((\d)\)|DATE")
_TAKEN = {
    "DB_TYPE_NUMBER": (int, Decimal),
    "DB_TYPE_VARCHAR": (str,),
    "DB_TYPE_RAW": (bytes,),
    "DB_TYPE_TIMESTAMP": (dt.datetime,),
    "DB_TYPE_DATE": (dt.datetime,),
    "DB_TYPE_BINARY_DOUBLE": (float,),
    "DB_TYPE_BINARY_FLOAT": (float,),
    "DB_TYPE_BOOLEAN": (bool,),
}


class OracleWritingDouble(OracleSQLDouble):
    """What stands for a server with one schema, which can be written."""

    def __init__(self) -> None:
        super().__init__()
        self.views: set[tuple[str, ...]] = set()
        self.users = ["SYS", SCHEMA]
        self._loads = 0

    def writing(self) -> Any:
        """A session's transaction."""
        return Transaction(self.sql)

    def execute(self, sql: str) -> None:
        """Run a statement beside dvt."""
        if dropped := _DROP.match(sql):
            words = sql.removesuffix(" purge")
            name = tuple(parts(dropped.group(2)))
            if name not in self.names:
                raise failure(f"ORA-00942: table or view {dropped.group(2)} does not exist")
            (self.views if dropped.group(1).lower() == "view" else self.names).discard(name)
            self.names.discard(name)
            self._run(words)
        elif renamed := _RENAME.match(sql):
            self._rename(tuple(parts(renamed.group(1))), parts(renamed.group(4))[0], sql)
        elif view := _VIEW.match(sql):
            name = tuple(parts(view.group(1)))
            if name in self.names - self.views:
                raise failure("ORA-00955: name is already used by an existing object")
            self._run(sql)
            self.names.add(name)
            self.views.add(name)
        else:
            super().execute(sql)

    def _rename(self, old: tuple[str, ...], name: str, sql: str) -> None:
        new = (*old[:-1], name)
        if old not in self.names:
            raise failure(f'ORA-00942: table or view "{old[-1]}" does not exist')
        if new in self.names:
            raise failure("ORA-00955: name is already used by an existing object")
        natives = dict(self.sql.native_columns(SCHEMA, old[-1]))
        self._run(sql)
        self.sql.is_now(SCHEMA, name, natives)
        self.names = (self.names - {old}) | {new}

    def written(self, sql: str, session: Any) -> int:
        """Run a statement of dvt's or dbt's, without dbt's comment; DDL commits what is open."""
        sql = re.sub(r"(?s)^\s*/\*.*?\*/\s*", "", sql)
        if re.match(r"(?i)\s*(create|drop|alter)\b", sql):
            session.writing.end("commit")
            if re.match(r"(?i)create\s+schema|drop\s+table\s+if\s+exists", sql):
                raise failure("ORA-00900: invalid SQL statement")
            self.execute(sql)
            return 0
        return self._changed(sql, session)

    @property
    def was_asked(self) -> bool:
        """Whether it was sent anything."""
        return bool(self.log)

    def listed(self) -> list[str]:
        """Names of what there is."""
        return sorted(name[-1] for name in self.names)

    def content(self, name: str) -> list[list[Any]]:
        """The rows of a relation."""
        rows = self._run(f'select * from "{SCHEMA}"."{name}"').fetchmany(1000)
        return [[_number(value) for value in row] for row in rows]

    def catalogued(self, sql: str, bound: dict[Any, Any]) -> list[tuple[Any, ...]] | None:
        """What ALL_USERS, ALL_OBJECTS and ALL_TAB_COLUMNS have, and a query of the loader's."""
        if "all_users" in sql:
            return [(user,) for user in self.users if bound.get("name", user) == user]
        if "all_objects" in sql:
            owner = bound.get("owner") or bound.get(0)
            kinds = {name: "VIEW" if name in self.views else "TABLE" for name in self.names if name[0] == owner}
            if "object_name, object_type" in sql:
                return [(name[-1], kind) for name, kind in kinds.items()]
            return [(kind,) for name, kind in kinds.items() if name[-1] == bound["name"]]
        if "all_tab_columns" in sql:
            found = (bound["owner"], bound["name"]) in self.names
            natives = self.sql.natives(SCHEMA, bound["name"]) if found else {}
            return [(name, *_catalogue_row(native)) for name, native in natives.items()]
        if sql.startswith("select"):
            return [tuple(map(_number, row)) for row in self._run(sql).fetchmany(1_000_000)]
        return None

    def inserted(self, sql: str, sizes: tuple[Any, ...], rows: list[tuple[Any, ...]], session: Any) -> int:
        """An array INSERT: each value of the type that its bind has, then as the SQL layer stores it."""
        found = _ARRAY.match(sql)
        assert found is not None, sql
        columns = list(zip(*rows, strict=True))
        for size, values in zip(sizes, columns, strict=True):
            taken = (str, bytes) if size is None else _TAKEN[size.name]
            if bad := next((v for v in values if v is not None and type(v) not in taken), None):
                raise failure(f"DPY-3013: unsupported Python type {type(bad).__name__} for database type {size}")
        place = tuple(parts(found.group(1)))
        if place not in self.names:
            raise failure("ORA-00942: table or view does not exist")
        given = re.sub(r":(\d+)", r'"c\1"', found.group(5))
        given = re.sub(r"to_timestamp\((\"c\d+\"), '[^']*\.FF9'\)", r"CAST(\1 AS TIMESTAMP(9))", given)
        given = re.sub(r"(?i)\bjson\((\"c\d+\")\)", r"\1", given)
        arrays = {f"c{n}": _array(values) for n, values in enumerate(columns, start=1)}
        words = f"insert into {found.group(1)} ({found.group(4)}) select {given} from "
        self._changed(words, session, pa.table(arrays))
        return len(rows)

    def loaded_directly(self, place: tuple[str, str], columns: list[str], rows: Any) -> None:
        """A direct path load: names are without quotes, so in upper case; nothing is converted."""
        place = (place[0].upper(), place[1].upper())
        self.log.append(f"DIRECT PATH LOAD {'.'.join(place)}")
        natives = self.sql.natives(SCHEMA, place[1])
        if place not in self.names:
            raise failure("ORA-00942: table or view does not exist")
        if [name.upper() for name in columns] != list(natives):
            raise failure(f"DPY-4009: {len(natives)} positional bind values are required")
        stored = [[self._direct(v, native, name) for v in values]
                  for (name, native), values in zip(natives.items(), zip(*rows, strict=True), strict=True)]  # fmt: skip
        arrays = {f"c{n}": _array(values) for n, values in enumerate(stored, start=1)}
        zoned = ["ZONE" in native.upper() for native in natives.values()]
        given = [f"from_tz(\"c{n}\", '+00:00')" if z else f'"c{n}"' for n, z in enumerate(zoned, start=1)]
        names = ", ".join(f'"{name}"' for name in natives)
        words = f'insert into "{place[0]}"."{place[1]}" ({names}) select {", ".join(given)} from '
        self._inserted_from(words, pa.table(arrays), self.sql.cursor())

    def _direct(self, value: Any, native: str, name: str) -> Any:
        base = native.upper()
        if value is None:
            return None
        wanted: tuple[type, ...] = (str,)
        if base.startswith("NUMBER"):
            precision, scale = (int(n) for n in re.findall(r"\d+", base))
            wanted = (int, Decimal)
            number = Decimal(value) if type(value) in wanted else Decimal(0)
            assert number == round(number, scale), f"{value} would be stored in {native} as it is"
            assert abs(number) < 10 ** (precision - scale), f"{value} would be stored in {native} as it is"
        elif base.startswith(("DATE", "TIMESTAMP")):
            wanted = (dt.datetime,)
            assert value.tzinfo is None
        elif base.startswith("BINARY_"):
            wanted = (float,)
        elif base.startswith(("BLOB", "RAW")):
            wanted = (bytes,)
        if type(value) not in wanted:
            raise failure(f"DPY-3013: unsupported Python type {type(value).__name__} for {native}")
        if isinstance(value, str):
            sized = _SIZED.match(base)
            if sized and len(value.encode()) > int(sized.group(2)):
                raise failure(f"DPY-4030: value for column {name} is too large")
            value = value if self.charset == "AL32UTF8" else value.encode().decode("latin-1")
        return None if value in ("", b"") else value

    def _changed(self, sql: str, session: Any, rows: pa.Table | None = None) -> int:
        """Run a statement, and make of what it put into a table what the SQL layer would have."""
        alone = session.writing.is_automatic
        if alone:
            session.writing.is_automatic = False
        try:
            cursor = session.writing.cursor()
            if rows is not None:
                self._inserted_from(sql, rows, cursor)
            else:
                self._run(sql, cursor)
            if into := _INTO.match(sql):
                self._settled(parts(into.group(1))[-1], into.group(1), cursor)
            if alone:
                session.writing.end("commit")
        except BaseException:
            if alone:
                session.writing.end("rollback")
            raise
        finally:
            session.writing.is_automatic = alone
        return 0

    def _inserted_from(self, words: str, rows: pa.Table, cursor: FakeCursor) -> None:
        self._loads += 1
        name = f"rows_{self._loads}"
        cursor.own.register(name, rows)
        try:
            self._run(f'{words}"{name}"', cursor)
        finally:
            cursor.own.unregister(name)

    def _settled(self, name: str, said: str, cursor: FakeCursor) -> None:
        for column, native in self.sql.natives(SCHEMA, name).items():
            quoted = '"' + column.replace('"', '""') + '"'
            own = cursor.own
            if re.match(r"(?i)N?VARCHAR2|N?CHAR|CLOB", native):
                own.execute(f"update {said} set {quoted} = null where {quoted} = ''")
            if sized := _SIZED.match(native):
                base, most, unit = sized.group(1).upper(), int(sized.group(2)), (sized.group(3) or "BYTE").upper()
                if base == "CHAR":
                    own.execute(f"update {said} set {quoted} = rpad({quoted}, {most}, ' ')")
                length = f"octet_length({quoted})" if base == "RAW" else f"strlen({quoted})"
                length = f"length({quoted})" if unit == "CHAR" or base.startswith("N") else length
                found = own.execute(f"select max({length}) from {said}").fetchone()
                if found and found[0] is not None and found[0] > most:
                    label = f'"{SCHEMA}"."{name}"."{column}"'
                    raise failure(
                        f"ORA-12899: value too large for column {label} (actual: {found[0]}, maximum: {most})"
                    )
            moment = _MOMENT.match(native)
            if moment and int(moment.group(1) or 0) < 6:
                own.execute(f"update {said} set {quoted} = date_trunc('second', {quoted})")

    def _run(self, sql: str, cursor: FakeCursor | None = None) -> Any:
        try:
            return super()._run(sql, cursor)
        except FakeSQLError as error:
            raise failure(f"ORA-00900: {error.message[:200]}") from None


def _number(value: Any) -> Any:
    """A whole number as the driver gives it: as an int."""
    return int(value) if isinstance(value, Decimal) and value == int(value) else value


def _array(values: Any) -> pa.Array:
    """Values of one column; whole numbers, of which Arrow would guess the type, as decimals."""
    return pa.array([Decimal(v) if type(v) is int else v for v in values])


def _catalogue_row(native: str) -> tuple[Any, ...]:
    """DATA_TYPE, DATA_PRECISION, DATA_SCALE, DATA_LENGTH, CHAR_LENGTH, CHAR_USED of a type."""
    base = re.sub(r"\s*\((\d+)[^)]*\)", "", native).strip().upper()
    numbers = [int(n) for n in re.findall(r"-?\d+", native.partition("(")[2].partition(")")[0])]
    if base == "NUMBER":
        return base, *(numbers or [None]), *([] if len(numbers) == 2 else [None if not numbers else 0]), 22, 0, None
    if base.startswith("TIMESTAMP"):
        digits = numbers[0] if numbers else 6
        return base.replace("TIMESTAMP", f"TIMESTAMP({digits})"), None, digits, 11, 0, None
    if "CHAR" in base:
        unit = "C" if "CHAR)" in native.upper() or base.startswith("N") else "B"
        return base, None, None, numbers[0], numbers[0], unit
    return base, None, None, numbers[0] if numbers else 4000, 0, None
