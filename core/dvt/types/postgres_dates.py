"""Dates and times that Arrow's own parser refuses: infinity, years before Christ, years above 9999, 24:00:00."""

from __future__ import annotations

import re

from dvt.types.vocabulary import DATE_INFINITY, DATE_MINUS_INFINITY, TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY

_DATE = re.compile(r"(\d{4,})-(\d\d)-(\d\d)( BC)?")
_TIMESTAMP = re.compile(r"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:\+00)?( BC)?")
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_MICROS_PER_DAY = 86_400_000_000
TOO_LATE = "a timestamp carries years up to 294246"


def date_days(text: str) -> int:
    """Days since 1970-01-01 of PostgreSQL's ISO text.

    >>> date_days("1970-01-02"), date_days("10000-01-01"), date_days("0001-12-31 BC")
    (1, 2932897, -719163)
    """
    if text == "infinity":
        return DATE_INFINITY
    if text == "-infinity":
        return DATE_MINUS_INFINITY
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError("it is not a date")
    year, month, day = (int(part) for part in found.groups()[:3])
    return _days(1 - year if found.group(4) else year, month, day)


def time_micros(text: str) -> int:
    """Microseconds since midnight; 24:00:00 is a time in PostgreSQL.

    >>> time_micros("24:00:00"), time_micros("00:00:00.5")
    (86400000000, 500000)
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("it is not a time")
    hours, minutes, seconds, fraction = found.groups()
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1_000_000 + int((fraction or "").ljust(6, "0"))


def timestamp_micros(text: str) -> int:
    """Microseconds since 1970-01-01 00:00 of PostgreSQL's ISO text in UTC.

    >>> timestamp_micros("0001-01-01 00:00:00+00 BC")
    -62167219200000000
    """
    if text == "infinity":
        return TIMESTAMP_INFINITY
    if text == "-infinity":
        return TIMESTAMP_MINUS_INFINITY
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError("it is not a timestamp in UTC")
    date, time, era = found.groups()
    micros = date_days(date + (era or "")) * _MICROS_PER_DAY + time_micros(time)
    if abs(micros) >= TIMESTAMP_INFINITY:
        raise ValueError(TOO_LATE)
    return micros


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, with a year 0.

    Counting from the first of March puts the leap day last, so that months have fixed offsets.
    """
    year -= month <= 2
    shifted = (month + 9) % 12
    of_year = (153 * shifted + 2) // 5 + day - 1
    return 365 * year + year // 4 - year // 100 + year // 400 + of_year - 719_468


def date_text(days: int) -> str:
    """PostgreSQL's text of a day number, the inverse of `date_days`.

    >>> [date_text(d) for d in (1, 2932897, -719163, DATE_INFINITY)]
    ['1970-01-02', '10000-01-01', '0001-12-31 BC', 'infinity']
    """
    if days in (DATE_INFINITY, DATE_MINUS_INFINITY):
        return "infinity" if days > 0 else "-infinity"
    body, era = _civil(days)
    return body + era


def timestamp_text(micros: int, zone: str = "") -> str:
    """PostgreSQL's text of a timestamp, the inverse of `timestamp_micros`.

    >>> timestamp_text(-62167219200000000, "+00")
    '0001-01-01 00:00:00.000000+00 BC'
    """
    if micros in (TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY):
        return "infinity" if micros > 0 else "-infinity"
    days, rest = divmod(micros, _MICROS_PER_DAY)
    body, era = _civil(days)
    return f"{body} {time_text(rest)}{zone}{era}"


def time_text(micros: int) -> str:
    """A time of day with microseconds.

    >>> time_text(86_400_000_000)
    '24:00:00.000000'
    """
    seconds, fraction = divmod(micros, 1_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"


def _civil(days: int) -> tuple[str, str]:
    """Date and era of a day number: the inverse of `_days`."""
    shifted = days + 719_468
    cycle, of_cycle = divmod(shifted, 146_097)
    of_400 = (of_cycle - of_cycle // 1460 + of_cycle // 36_524 - of_cycle // 146_096) // 365
    of_year = of_cycle - (365 * of_400 + of_400 // 4 - of_400 // 100)
    month_shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * month_shifted + 2) // 5 + 1
    month = (month_shifted + 2) % 12 + 1
    year = of_400 + cycle * 400 + (month <= 2)
    era = "" if year > 0 else " BC"
    return f"{year if year > 0 else 1 - year:04}-{month:02}-{day:02}", era
