"""A rule added to the text of a `brand.yaml`: comments, order and everything else stay as somebody wrote them.

The text is edited at the place that PyYAML names, not written anew. What cannot be edited so (aliases, merged keys)
gives a text that says something else; whoever writes it therefore compares what it says with `ruled`.
"""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml

from brand_voice.guide import BannedTerm, Brand, Preference


class StyleLimit(NamedTuple):
    """A field of the guide's style, and what it is to be."""

    name: str
    value: int | bool


Rule = Preference | BannedTerm | StyleLimit


def ruled(brand: Brand, rule: Rule) -> Brand:
    """The guide with a rule added; the same guide if it says so already."""
    lexicon, style = brand.lexicon, brand.style
    if isinstance(rule, StyleLimit):
        style = style.model_copy(update={rule.name: rule.value})
    elif isinstance(rule, BannedTerm):
        known = any(item.term == rule.term for item in lexicon.banned)
        lexicon = lexicon if known else lexicon.model_copy(update={"banned": (*lexicon.banned, rule)})
    else:
        lexicon = lexicon.model_copy(update={"prefer": _preferring(lexicon.prefer, rule)})
    return brand.model_copy(update={"lexicon": lexicon, "style": style})


def with_rule(text: str, rule: Rule) -> str:
    """The guide's text with a rule added at the end of its list; `text` holds a mapping."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None, "a guide that was read is not empty"
    if isinstance(rule, StyleLimit):
        return _set(text, root, ("style", rule.name), rule.value)
    if isinstance(rule, BannedTerm):
        return _set(text, root, ("lexicon", "banned"), [rule.model_dump()])
    same = _same_preference(_at(root, ("lexicon", "prefer")), rule)
    if same is not None:
        return _set(text, same, ("instead_of",), list(rule.instead_of))
    return _set(text, root, ("lexicon", "prefer"), [rule.model_dump(exclude_none=True, mode="json")])


def _preferring(prefer: tuple[Preference, ...], rule: Preference) -> tuple[Preference, ...]:
    for place, known in enumerate(prefer):
        if (known.say, known.locale) == (rule.say, rule.locale):
            more = tuple(term for term in rule.instead_of if term not in known.instead_of)
            joined = known.model_copy(update={"instead_of": (*known.instead_of, *more)})
            return (*prefer[:place], joined, *prefer[place + 1 :])
    return (*prefer, rule)


def _same_preference(node: yaml.Node | None, rule: Preference) -> yaml.Node | None:
    """The entry that prefers the same for the same locale."""
    entries: list[yaml.MappingNode] = node.value if isinstance(node, yaml.SequenceNode) else []
    for entry in entries:
        said = {key.value: value.value for key, value in entry.value}
        if (said.get("say"), said.get("locale")) == (rule.say, rule.locale):
            return entry
    return None


def _at(node: yaml.Node | None, path: Sequence[str]) -> yaml.Node | None:
    for key in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for name, value in pairs if name.value == key), None)
    return node


def _set(text: str, root: yaml.Node, path: tuple[str, ...], value: Any) -> str:
    """Put a value where the path leads: a list is added to the one there, anything else takes its place."""
    depth = max(n for n in range(len(path) + 1) if _at(root, path[:n]) is not None)
    found = _at(root, path[:depth])
    assert found is not None, "the root is there"
    for key in reversed(path[depth:]):
        value = {key: value}
    if isinstance(found, yaml.CollectionNode) and found.value:
        return _added(text, found, value)
    start, end = found.start_mark.index, found.end_mark.index
    gap = "" if text[start - 1 : start].isspace() else " "
    return f"{text[:start]}{gap}{_flow(value)}{text[end:]}"


def _added(text: str, node: yaml.CollectionNode, value: Any) -> str:
    """Add entries to the end of a mapping or a list that has some."""
    if node.flow_style:
        end = _end(node.value[-1])
        return f"{text[:end]}, {_flow(value)[1:-1]}{text[end:]}"
    written = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = textwrap.indent(written, " " * node.start_mark.column).replace("\n", newline)
    end = _end(node)
    stop = end if text[end - 1] == "\n" else text.find("\n", end) + 1
    return f"{text[:stop]}{lines}{text[stop:]}" if stop else f"{text}{newline}{lines}"


def _end(node: Any) -> int:
    """Where a node, or the last pair of a mapping, ends; a block's own mark runs on to what follows it."""
    if isinstance(node, tuple):
        return _end(node[1])
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _flow(value: Any) -> str:
    written = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf"))
    return written.strip().removesuffix("...").strip()


class _Dumper(yaml.SafeDumper):
    """Writes lists below their key indented, as the shipped guides do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)
