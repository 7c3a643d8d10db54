"""The native COPY codec: PostgreSQL's binary COPY to and from Arrow, in C, without a Python object per row.

The C sources are in `src`; the package's build compiles them where it finds a compiler (`hatch_build.py`). Where there
is no library, or it does not fit, the callers use PyArrow: the values are the same.
"""
