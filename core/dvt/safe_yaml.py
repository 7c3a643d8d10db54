"""Plain YAML: no tags, no anchors or aliases, no key twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dvt.errors import ConfigurationError

_LARGEST_BYTES = 1 << 20
_DEEPEST = 20


def load_yaml(path: Path) -> Any:
    """The content of a file; None when it is empty.

    Aliases are refused because a few lines of them can fill the memory; tags, because they name types to build.

    Raises:
        ConfigurationError: It is not plain YAML; the message says where.
    """
    try:
        content = path.read_bytes()
        if len(content) > _LARGEST_BYTES:
            raise _refusal(path, "the file is larger than 1 MiB", None)
        text = content.decode("utf-8-sig")
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise _refusal(path, "it is nested too deeply", event.start_mark)
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _refusal(path, "anchors and aliases are not taken", event.start_mark)
            tag = getattr(event, "tag", None)
            if tag:
                raise _refusal(path, f"the tag {tag} is not taken", event.start_mark)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _check_keys(path, node)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        raise _refusal(path, str(error.problem), error.problem_mark) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise _refusal(path, str(error), None) from error
    except OSError as error:
        raise _refusal(path, f"it cannot be read: {error.strerror}", None) from error


def _check_keys(path: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(path, item)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[Any] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _refusal(path, "a key is not a plain word", key.start_mark)
        if key.value in seen:
            raise _refusal(path, f"key '{key.value}' stands twice", key.start_mark)
        seen.add(key.value)
        _check_keys(path, value)


def _refusal(path: Path, what: str, mark: Any) -> ConfigurationError:
    where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark is not None else ""
    return ConfigurationError(f"{path.name}:{where} {what}", code="DVT111", remedy="Correct the file")
