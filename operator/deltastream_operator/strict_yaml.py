"""YAML as kubectl takes it, minus its traps: a key given twice is an error, dates stay text."""

from __future__ import annotations

from typing import Any

import yaml

MAX_BYTES = 1_000_000  # as much as a resource may hold in a cluster


class YamlError(Exception):
    """The text is no YAML, or not one of the kind that is taken."""


class _Loader(yaml.SafeLoader):
    pass


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise YamlError(f"line {key_node.start_mark.line + 1}: a key must be text, not {key!r:.60}")
        if key in result:
            raise YamlError(f"line {key_node.start_mark.line + 1}: {key} is given twice; keep one")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


# kubectl reads YAML as JSON, which knows no dates: `asOf: 2024-06-21T15:30:00+05:30` is text there too.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def documents(text: str) -> list[object]:
    """Every document of the text that is not empty. Raises YamlError."""
    if len(text) > MAX_BYTES:
        raise YamlError(f"is larger than {MAX_BYTES:,} characters")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, _Loader)):
            raise YamlError(
                "aliases (*name) are not taken; write the value out"
            )  # they can grow without bound
        return [body for body in yaml.load_all(text, _Loader) if body is not None]
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise YamlError(f"{line}not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise YamlError(
            f"not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from None
    except RecursionError:
        raise YamlError("is nested too deeply") from None
