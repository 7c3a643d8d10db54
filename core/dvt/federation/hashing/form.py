"""What an engine has to say so that its rows can be hashed: the parts of which `words` has each engine's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HashWords:
    """One engine's expressions; an empty one means that the engine has no way to say it.

    Args:
        text: A text; escapes are added around it.
        integer: A whole number.
        decimal: A number with a fraction.
        double: A float.
        boolean: A truth value.
        date: A date.
        timestamp: A timestamp without zone.
        instant: A moment.
        time: A time of day.
        binary: Bytes.
        uuid: A UUID.
        digest: The MD5 of a text in UTF-8, as 32 lower-case hexadecimal digits.
        joined: How texts are put together: `||`, `+` or `concat`.
        first: What the texts of a row begin with: an empty text of a type that has no limit, where others are cut.
    """

    text: str
    integer: str
    decimal: str
    double: str
    boolean: str
    date: str
    timestamp: str
    instant: str
    time: str
    binary: str
    uuid: str
    digest: str
    joined: str = "||"
    first: str = ""
