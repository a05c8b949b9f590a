"""Pairs of brief and copy for pretraining: drills, patterns and the natural pairs of the base corpus.

- A *drill* lists a few labelled fields and wants them back word for word: copying is taught first and alone.
- A *pattern* pair is a whole brief whose copy is put together from its own fields.
- A *natural* pair is a composed one; each time it is drawn its name, numbers and offer are changed in brief and copy
  alike, facts are dropped that the copy does not use, and a distractor fact may be added. A share of the other words
  that both have in common may be changed too: the copy then has to be read off the brief, word for word.

The three demo brands never appear here: their voice is what LoRA has to add.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from brand_voice import invent
from brand_voice.guide import Channel
from brand_voice.prompts import student_messages_for
from brand_voice.records import Brief
from brand_voice.rename import renamed

LIMITS = {
    "email_subject": Channel(max_chars=60, min_chars=15),
    "push_notification": Channel(max_chars=110, min_chars=30),
    "sms": Channel(max_chars=160, min_chars=50),
    "social_post": Channel(max_chars=280, min_chars=80),
    "search_headline": Channel(max_chars=30, min_chars=8),
    "search_description": Channel(max_chars=90, min_chars=40),
    "product_blurb": Channel(max_chars=420, min_chars=180),
    "tagline": Channel(max_chars=45, min_chars=8),
}
"""The usual limits of the eight channels; the base corpus was composed for these."""

SHORT_CHANNELS = sorted(name for name, limits in LIMITS.items() if limits.max_chars <= 160)
"""Where sentences put together from fields can pass; longer copy is learned from natural pairs alone."""


class Pair(NamedTuple):
    """What the student reads and what it should answer."""

    prompt: str
    completion: str


class Natural(NamedTuple):
    """A pair of the base corpus before any change."""

    voice_line: str
    brief: Brief
    text: str


def load_natural(folder: Path) -> list[Natural]:
    """Read the base corpus: one folder per brand, with `brand.json`, `briefs.jsonl` and `teacher.jsonl`."""
    found = []
    for brand in sorted(p for p in folder.iterdir() if p.is_dir()):
        voice = json.loads((brand / "brand.json").read_text(encoding="utf-8"))["voice"]
        lines = (brand / "teacher.jsonl").read_text(encoding="utf-8").splitlines()
        texts = {row["brief_id"]: row["text"] for row in map(json.loads, lines)}
        briefs = map(Brief.model_validate_json, (brand / "briefs.jsonl").read_text(encoding="utf-8").splitlines())
        found += [Natural(voice, brief, texts[brief.id]) for brief in briefs if brief.id in texts]
    return found


def drill(rng: random.Random) -> Pair:
    """Two to four labelled fields in random order, wanted back word for word."""
    verb = rng.choice(("Get", "See", "Order", "Try", "Find"))
    fields = {
        "Product": invent.name(rng),
        "Offer": invent.offer(rng),
        "Fact": f"{invent.word(rng)} {rng.choice(invent.KINDS)}, {invent.measure(rng)}",
        "Call to action": f"{verb} the {invent.word(rng)} {rng.choice(invent.KINDS)}",
        "Code": invent.code(rng),
    }
    chosen = rng.sample(sorted(fields), rng.randint(2, 4))
    wanted = [label for label in chosen if rng.random() < 0.8] or chosen[:1]
    lines = [f"{label}: {fields[label]}" for label in chosen]
    separator = rng.choice(("; ", ". ", ", ", "\n"))
    if rng.random() < 0.5:
        lines.append("Word for word: " + "; ".join(fields[label] for label in wanted))
        answer = separator.join(fields[label] for label in wanted)
    else:
        lines.append("Write: " + ", ".join(wanted))
        answer = separator.join(fields[label] for label in wanted)
    return Pair("\n".join(lines), answer)


OPENINGS = ("Meet {n}.", "{n} is here.", "This is {n}.", "Say hello to {n}.", "{n}.", "Here is {n}.", "New: {n}.")
SHORT = (
    "{n}",
    "{n}: {m}",
    "{n}, {m}",
    "{n}. {M}",
    "{M}: {n}",
    "{M}. {n}",
    "{n} for {o}",
    "{M}",
    "{n}: {f}",
    "{F}",
    "{n}: {o}",
    "{O} on {n}",
    "{n}, {o}",
)
LONGER = (
    "{n}: {m}. {F}. {O}. {C}.",
    "{n}: {f}, {g}. {C}.",
    "{opening} {M}. {F}. {O}. {C}.",
    "{M}. {n} has {f}. {O}. {C}.",
    "{F}, {g}: that is {n}. {M}. {O}. {C}.",
    "{n} brings {f}. {G}. {M}. {C}.",
    "{F}. {G}. {n}, {m}. {O}. {C}.",
    "{occasion}: {n}, {m}. {F}. {O}. {C}.",
    "{C}: {n}, {f}. {M}. {O}.",
    "{n} comes with {f} and {g}. {M}. {O}, {c}.",
    "{O} on {n}. {F}, {m}. {C}.",
    "For {occasion}, {n}. {F}. {G}. {O}. {C}.",
)


def pattern(rng: random.Random, source: list[Natural], word_share: float) -> Pair:
    """A whole brief with an invented product, and copy put together from the brief's own fields, within its limits."""
    voice = "plain; says what the brief says and stops"
    while True:
        base = _renamed(rng, rng.choice(source), word_share).brief
        wants_offer = rng.random() < 0.4
        brief = base.model_copy(
            update={
                "offer": invent.offer(rng) if wants_offer else None,
                "channel": rng.choice(SHORT_CHANNELS),
                "must_include": (base.product.name,) if rng.random() < 0.7 else (),
            }
        )
        limits = LIMITS[brief.channel]
        shapes = SHORT if limits.max_chars <= 60 else LONGER
        for shape in rng.sample(shapes, len(shapes)):
            text = _fill(rng, shape, brief)
            missing = [w for w in (*brief.must_include, brief.offer) if w and w.lower() not in text.lower()]
            if not missing and limits.min_chars <= len(text) <= limits.max_chars:
                return Pair(student_messages_for(voice, limits, brief)[0].content, text)


def natural(rng: random.Random, source: list[Natural], word_share: float = 0.0) -> Pair:
    """A pair of the base corpus with name, numbers, offer, facts and `word_share` of common words changed alike."""
    voice_line, brief, text = _renamed(rng, rng.choice(source), word_share)
    facts = [f for f in brief.product.facts if rng.random() < 0.6 or _is_used(f, text)]
    if rng.random() < 0.3:
        facts.append(rng.choice(rng.choice(source).brief.product.facts or ("new",)))
    rng.shuffle(facts)
    brief = brief.model_copy(update={"product": brief.product.model_copy(update={"facts": tuple(facts)})})
    if brief.audience and rng.random() < 0.5:
        brief = brief.model_copy(update={"audience": None})
    return Pair(student_messages_for(voice_line, LIMITS[brief.channel], brief)[0].content, text)


def _is_used(fact: str, text: str) -> bool:
    words = [w for w in re.findall(r"[\w']+", fact.lower()) if len(w) > 3 or w.isdigit()]
    return any(w in text.lower() for w in words)


def _renamed(rng: random.Random, pair: Natural, word_share: float) -> Natural:
    """A pair under another name, with other numbers, another offer and other words, or as it is."""
    limit = LIMITS[pair.brief.channel].max_chars
    brief, text = renamed(rng, pair.brief, pair.text, max_chars=limit, word_share=word_share)
    return Natural(pair.voice_line, brief, text)


def _fill(rng: random.Random, shape: str, brief: Brief) -> str:
    facts = list(brief.product.facts) or [brief.key_message]
    first, second = rng.sample(facts, 2) if len(facts) > 1 else (facts[0], brief.key_message)
    name, message, cta = brief.product.name, brief.key_message, brief.cta or "See more"
    values = {"n": name, "m": message, "f": first, "g": second, "o": brief.offer or "", "c": cta.lower()}
    capitals = {k.upper(): v[:1].upper() + v[1:] for k, v in values.items() if k != "c"} | {"C": cta}
    occasion = brief.occasion or "today"
    opening = rng.choice(OPENINGS).format(n=name)
    text = shape.format(**values, **capitals, occasion=occasion[:1].upper() + occasion[1:], opening=opening)
    text = re.sub(r"(?:[.,:] )+(?=[.,:])", "", text)  # an empty field leaves its punctuation behind
    return re.sub(r"\.{2,}", ".", text).strip(" ,:")


def stream(
    rng: random.Random, source: list[Natural], shares: tuple[float, float, float], word_share: float
) -> Iterator[Pair]:
    """Endless pairs; `shares` are the weights of drills, patterns and natural pairs."""
    while True:
        kind = rng.choices(("drill", "pattern", "natural"), shares)[0]
        if kind == "drill":
            yield drill(rng)
        elif kind == "pattern":
            yield pattern(rng, source, word_share)
        else:
            yield natural(rng, source, word_share)


class Unseen(NamedTuple):
    """A brief whose name, offer and code exist nowhere else."""

    prompt: str
    name: str
    offer: str | None
    code: str | None


def unseen_briefs(rng: random.Random, count: int, source: list[Natural]) -> list[Unseen]:
    """Briefs with invented names, offers and codes, all asked for word for word, for the copy gate."""
    found = []
    for _ in range(count):
        voice, brief, _ = rng.choice([n for n in source if n.brief.channel in SHORT_CHANNELS])
        name = invent.name(rng)
        code = invent.code(rng) if rng.random() < 0.3 else None
        offer = (
            f"{invent.amount(rng)} off with code {code}" if code else invent.offer(rng) if rng.random() < 0.5 else None
        )
        product = brief.product.model_copy(update={"name": name})
        brief = brief.model_copy(update={"product": product, "offer": offer, "channel": "sms", "must_include": (name,)})
        limits = LIMITS[brief.channel]
        found.append(Unseen(student_messages_for(voice, limits, brief)[0].content, name, offer, code))
    return found
