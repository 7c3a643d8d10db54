"""Loading the native codec, and the structures it shares with Python (src/codec.h)."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path
from typing import Final

ABI: Final = 3

BOOL, INT16, INT32, INT64, FLOAT32, FLOAT64, DECIMAL128, DECIMAL256 = range(1, 9)
BYTES, JSONB, FIXED, DATE, TIME, TIMESTAMP, INTERVAL, TEXT, PADDED, INT8 = range(9, 19)

MEMORY, BROKEN, UNFIT, SPACE, NUL, NAN, DIGITS, ARRAY, RANGE, UTF8 = range(-1, -11, -1)


class Column(ctypes.Structure):
    """`dvt_column`: how one column lies in Arrow and in the binary COPY.

    The fields: `kind` of the values, of the elements for a list; `scale` (a decimal's digits after the point, the bytes
    of a FIXED); `is_list`; `element_oid`, which the encoder writes into arrays and the decoder expects there.
    """

    _fields_ = [
        ("kind", ctypes.c_int32),
        ("scale", ctypes.c_int32),
        ("is_list", ctypes.c_int32),
        ("element_oid", ctypes.c_uint32),
    ]


class Problem(ctypes.Structure):
    """`dvt_problem`: what was wrong and where; `needed` are the bytes of a row for which there was no space."""

    _fields_ = [
        ("code", ctypes.c_int32),
        ("column", ctypes.c_int32),
        ("row", ctypes.c_int64),
        ("needed", ctypes.c_int64),
    ]


class CArray(ctypes.Structure):
    """`struct ArrowArray` of the Arrow C data interface; only `release` and the size matter here."""

    _fields_ = [
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.c_void_p),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("private_data", ctypes.c_void_p),
    ]


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL | str:
    """The library, or the reason why there is none."""
    found = sorted(Path(__file__).parent.glob("_codec.*"))
    if not found:
        return "dvt was built without it (no C compiler was found)"
    try:
        library = ctypes.CDLL(str(found[0]))
        abi = int(library.dvt_abi())
    except (OSError, AttributeError) as error:
        return f"it cannot be loaded: {error}"
    if abi != ABI:
        return f"{found[0].name} is of another build (ABI {abi}, not {ABI})"
    return library
