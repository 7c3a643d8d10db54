"""Shallow copies of dbt's manifest: the same nodes with other macros, or with private copies of some nodes."""

from __future__ import annotations

import copy
from typing import Any


def shallow(manifest: Any) -> Any:
    """A manifest that shares everything with the given one.

    `copy.copy` cannot be used: `Manifest.__reduce_ex__` mis-orders its arguments in dbt-core up to 1.11.
    """
    twin = object.__new__(type(manifest))
    twin.__dict__.update(manifest.__dict__)
    return twin


def with_macros(manifest: Any, extra: dict[str, Any]) -> Any:
    """The manifest with more macros; look-ups are built anew on first use."""
    if not extra:
        return manifest
    twin = shallow(manifest)
    twin.macros = {**manifest.macros, **extra}
    twin._macros_by_package = None
    twin._macros_by_name = None
    return twin


def with_private_ephemerals(manifest: Any, node: Any) -> Any:
    """The manifest with uncompiled copies of the node's ephemeral ancestors.

    dbt compiles an ephemeral model once and keeps the SQL on the shared node; compiled for the engine it would be
    read by native models in the wrong dialect.
    """
    copies: dict[str, Any] = {}
    todo = list(getattr(node.depends_on, "nodes", []))
    while todo:
        uid = todo.pop()
        parent = manifest.nodes.get(uid)
        if parent is None or uid in copies or not parent.is_ephemeral_model:
            continue
        twin = copy.copy(parent)
        twin.compiled = False
        twin.compiled_code = None
        twin.extra_ctes = []
        twin.extra_ctes_injected = False
        copies[uid] = twin
        todo += parent.depends_on.nodes
    if not copies:
        return manifest
    overlay = shallow(manifest)
    overlay.nodes = {**manifest.nodes, **copies}
    return overlay
