"""Whether a query that was read and written again is still the same query: DuckDB's own parser says.

The text that runs is the user's own wherever that is possible. Where a part of the query moves to a source, the rest is
written anew from its syntax tree; only a text that DuckDB parses to the very tree of the original may take its place.
"""

from __future__ import annotations

import json
from typing import Any

from dvt.federation.plan.asking import ask

_PLACES = ("query_location", "query_location_length", "syntax_type")
# One function by two names.
_SAME = {"listagg": "string_agg", "array_agg": "list", "pow": "power", "ceiling": "ceil", "arg_max": "max_by"}
_SAME |= {"arg_min": "min_by", "len": "length", "char_length": "length", "strlen": "length", "mean": "avg"}
_SAME |= {"array_contains": "list_contains", "list_has": "list_contains", "substr": "substring", "^@": "starts_with"}
_TYPES = {"text": "varchar", "string": "varchar", "char": "varchar", "bpchar": "varchar", "int128": "hugeint"}
_TYPES |= {"int": "integer", "int4": "integer", "int8": "bigint", "bool": "boolean", "float8": "double"}
_PARTS_OF_DATES = ("date_trunc", "date_part", "datetrunc", "datepart", "date_diff", "datediff", "date_sub", "datesub")
_NEGATED = {
    "OPERATOR_IS_NULL": "OPERATOR_IS_NOT_NULL",
    "COMPARE_IN": "COMPARE_NOT_IN",
    "COMPARE_DISTINCT_FROM": "COMPARE_NOT_DISTINCT_FROM",
}


def is_same_query(one: str, other: str) -> bool:
    """Whether DuckDB reads two texts alike. A text that it cannot parse is like no other."""
    trees = [_tree(one), _tree(other)]
    return None not in trees and bool(trees[0] == trees[1])


def _tree(sql: str) -> Any:
    row = ask("select json_serialize_sql(?)", [sql])
    tree = json.loads(row[0]) if row else {}
    return None if tree.get("error", True) else _plain(tree)


def _plain(node: Any) -> Any:
    """A tree without places in the text, and with one form for what can be written in two."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _plain(value) for key, value in node.items() if key not in _PLACES}
    if "function_name" in found:
        found = _function(found)
    if "type_name" in found and isinstance(found["type_name"], str):
        name = found["type_name"].lower()
        found["type_name"] = _TYPES.get(name, name)
        found.pop("qualified_name", None)
    if found.get("null_order") == "ORDER_DEFAULT":
        found["null_order"] = "NULLS LAST"
    if found.get("type") == "ORDER_DEFAULT":
        found["type"] = "ASCENDING"
    return _negated(found)


def _function(node: dict[str, Any]) -> dict[str, Any]:
    name = str(node["function_name"]).lower()
    node["function_name"] = _SAME.get(name, name)
    node.pop("qualified_name", None)
    if node["function_name"] == "starts_with":
        node["is_operator"] = False
    if name in _PARTS_OF_DATES:
        for key in ("arguments", "children"):  # DuckDB 2's word, and that of 1.5
            node[key] = [_lowered(part) for part in node.get(key) or ()]
    return node


def _lowered(part: Any) -> Any:
    return json.loads(json.dumps(part).lower()) if "CONSTANT" in json.dumps(part) else part


def _negated(node: dict[str, Any]) -> dict[str, Any]:
    """`not x is null` is `x is not null`."""
    children = node.get("children")
    if node.get("type") == "OPERATOR_NOT" and isinstance(children, list) and len(children) == 1:
        inner = children[0]
        if isinstance(inner, dict) and inner.get("type") in _NEGATED and not inner.get("alias"):
            return {**inner, "type": _NEGATED[inner["type"]], "alias": node.get("alias", "")}
    return node
