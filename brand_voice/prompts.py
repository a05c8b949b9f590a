"""Brand and brief in, chat messages out: the one place where a prompt is worded.

The student's prompt is rendered here for the base student, hub models, training and serving alike; ids and SKUs enter
no prompt. A brief is data: control-token strings in it are broken up before they reach a template.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from brand_voice.errors import InputError
from brand_voice.guide import Brand, Channel
from brand_voice.records import Brief, Message, content_hash
from brand_voice.shipped import shipped


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(shipped("prompts")),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # shipped files do not change; else every prompt costs a stat
    )


def student_messages(brand: Brand, brief: Brief) -> tuple[Message, ...]:
    """The student's whole prompt: one user turn with the voice line and the brief.

    Raises:
        InputError: the brand has no such channel.
    """
    limits = _limits(brand, brief)
    return student_messages_for(brand.voice_line, limits, brief)


def student_messages_for(voice_line: str, limits: Channel, brief: Brief) -> tuple[Message, ...]:
    """The student's prompt for a voice without a guide, as the base corpus has it."""
    text = _render(
        "student.jinja",
        voice_line=voice_line,
        channel=brief.channel.replace("_", " "),
        min_chars=limits.min_chars,
        max_chars=limits.max_chars,
        brief=_safe(brief),
        verbatim=verbatim(_safe(brief)),
    )
    return (Message(role="user", content=text),)


def teacher_messages(brand: Brand, brief: Brief) -> tuple[Message, ...]:
    """System turn: the brand guide and the channel's rules. User turn: the brief as JSON.

    Raises:
        InputError: the brand has no such channel.
    """
    limits = _limits(brand, brief)
    brief = _safe(brief)
    guide = _render(
        "teacher.jinja",
        brand=brand,
        brief=brief,
        limits=limits,
        channel=brief.channel.replace("_", " "),
        verbatim=verbatim(brief),
    )
    data = brief.model_dump_json(exclude={"id": True, "brand": True, "product": {"sku"}}, exclude_none=True)
    return Message(role="system", content=guide), Message(role="user", content=data)


def proposal_messages(brand: Brand, text: str, known: Mapping[str, str]) -> tuple[Message, ...]:
    """System turn: what a brief is and what is known of this one. User turn: the published copy to find a brief for."""
    told = {name: break_control_tokens(value) for name, value in known.items() if name not in ("text", "id")}
    return (
        Message(role="system", content=_render("brief.jinja", brand=brand, known=told)),
        Message(role="user", content=break_control_tokens(text)),
    )


def judge_messages(brand: Brand, brief: Brief, first: str, second: str) -> tuple[Message, ...]:
    """System turn: what makes one text better. User turn: brief and both texts as JSON, no hint of who wrote which.

    Raises:
        InputError: the brand has no such channel.
    """
    limits = _limits(brand, brief)
    told = _render("judge.jinja", brand=brand, limits=limits, channel=brief.channel.replace("_", " "))
    asked = _safe(brief).model_dump(exclude={"id": True, "brand": True, "product": {"sku"}}, exclude_none=True)
    texts = {"first": break_control_tokens(first), "second": break_control_tokens(second)}
    data = json.dumps({"brief": asked} | texts, ensure_ascii=False)
    return Message(role="system", content=told), Message(role="user", content=data)


def verbatim(brief: Brief) -> tuple[str, ...]:
    """What the copy must say word for word: the must-haves, then the offer, each once."""
    wanted = (*brief.must_include, *filter(None, [brief.offer]))
    covered = [w for w in wanted if not any(w != o and w in o for o in wanted)]
    return tuple(dict.fromkeys(covered))


def student_prompt_hash() -> str:
    """Hash of the student template: an adapter trained on another wording is not served on this one."""
    return content_hash((shipped("prompts") / "student.jinja").read_text(encoding="utf-8"))


def _limits(brand: Brand, brief: Brief) -> Channel:
    limits = brand.channels.get(brief.channel)
    if limits is None:
        known = ", ".join(brand.channels)
        raise InputError(
            f"brief {brief.id}: {brand.id} has no channel {brief.channel!r}; it has {known}",
            remedy=f"choose one of those, or add the channel to {brand.id}'s brand.yaml",
        )
    return limits


def _safe(brief: Brief) -> Brief:
    """The brief with control-token strings broken up and line breaks folded: one item, one line."""

    def clean(value: Any) -> Any:
        match value:
            case str():
                return break_control_tokens(" ".join(value.split()))
            case dict():
                return {key: clean(item) for key, item in value.items()}
            case list() | tuple():
                return tuple(clean(item) for item in value)
        return value

    return Brief.model_construct(
        **clean(brief.model_dump(exclude={"product"})),
        product=brief.product.model_construct(**clean(brief.product.model_dump())),
    )


def _render(template: str, **values: Any) -> str:
    try:
        return _environment().get_template(template).render(**values).strip()
    except TemplateError as exc:
        raise InputError(f"prompts/{template}: {exc}", remedy="restore the shipped template") from exc


CONTROL_TOKEN = re.compile(r"<(?=[|｜/a-zA-Z_])|\[(?=/?(?:INST|SYS)\])")


def break_control_tokens(text: str) -> str:
    """Put a space into anything a tokenizer could read as a control token (`<|im_end|>`, `</s>`, `[INST]`).

    Source: huggingface/transformers#29279, control-token strings inside user text become control tokens.
    """
    return CONTROL_TOKEN.sub(lambda m: m.group() + " ", text)
