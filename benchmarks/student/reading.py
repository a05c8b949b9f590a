"""Blind reading: unlabelled texts beside their briefs for a reader, and the table of what the reader said.

`items.jsonl` holds what the reader sees, `key.json` who wrote which item; the reader writes `verdicts.jsonl`. No brief
appears twice. Intervals are Wilson's: at 30 items the normal approximation is too narrow.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from benchmarks.report import Table
from benchmarks.student.cases import GERMAN, Case
from benchmarks.student.systems import Entry, System
from brand_voice.errors import InputError
from brand_voice.rates import Rate
from brand_voice.records import Brief, Record

SHARES = (60, 30, 30)
"""Items of the student, the teacher and the base."""


class Item(Record):
    """What a reader sees of one text."""

    number: int
    brief: dict[str, Any]
    text: str


class Opinion(Record):
    """What a reader said of one item: a line of `verdicts.jsonl`."""

    number: int
    verdict: Literal["publish", "light_edit", "no"]
    invented_detail: bool
    why: str = ""


class Drawn(NamedTuple):
    """Items and who wrote them."""

    items: list[Item]
    key: dict[int, str]


def draw(cases: Sequence[Case], systems: Sequence[System], *, shares: Sequence[int] = SHARES, seed: int = 0) -> Drawn:
    """Draw items at random, as evenly over brands and channels as the shares allow, each brief once.

    Raises:
        InputError: there are fewer English briefs than items.
    """
    lot = random.Random(seed)
    texts = [{(e.voice, e.question.brief.hash): e for e in system.entries} for system in systems]
    drawn: list[tuple[str, Entry]] = []
    for place, case in enumerate(cases):
        hashes = _dealt(lot, [q.brief for q in case.questions if q.slice != GERMAN])
        for system, known, share in zip(systems, texts, shares, strict=True):
            wanted = share // len(cases) + (place < share % len(cases))
            if wanted > len(hashes):
                raise InputError(f"{case.id} has too few English briefs for the reading", remedy="leave --limit out")
            drawn += [(system.name, known[case.id, hashes.pop()]) for _ in range(wanted)]
    lot.shuffle(drawn)
    by_id = {case.id: case for case in cases}
    items = [
        Item(number=number, brief=fields(by_id[entry.voice], entry), text=entry.text or "")
        for number, (_, entry) in enumerate(drawn, 1)
    ]
    return Drawn(items, {number: name for number, (name, _) in enumerate(drawn, 1)})


def _dealt(lot: random.Random, briefs: Sequence[Brief]) -> list[str]:
    """Hashes of the briefs in random order, but round the channels: any run of them has each about as often."""
    turns: Counter[str] = Counter()
    places = []
    for brief in lot.sample(briefs, len(briefs)):
        places.append((turns[brief.channel], lot.random(), brief.hash))
        turns[brief.channel] += 1
    return [hash_ for _, _, hash_ in sorted(places, reverse=True)]


def fields(case: Case, entry: Entry) -> dict[str, Any]:
    """The brief as a reader needs it: no ids, the channel's limits and the brand's voice in words."""
    brief, guide = entry.question.brief, case.brand.guide
    limits = guide.channels[brief.channel]
    people = {audience.id: audience.description for audience in guide.audience}
    told = {
        "brand": guide.name,
        "voice": guide.voice_line,
        "channel": f"{brief.channel.replace('_', ' ')}, {limits.min_chars} to {limits.max_chars} characters",
        "product": brief.product.name,
        "category": brief.product.category,
        "facts": list(brief.product.facts),
        "audience": people.get(brief.audience or "", brief.audience),
        "occasion": brief.occasion,
        "message": brief.key_message,
        "offer": brief.offer,
        "call_to_action": brief.cta,
        "must_include": list(brief.must_include),
    }
    return {name: value for name, value in told.items() if value}


def save(drawn: Drawn, folder: Path) -> None:
    """Write `items.jsonl` for the reader and `key.json` for later."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(item.model_dump(), ensure_ascii=False) + "\n" for item in drawn.items]
    (folder / "items.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "key.json").write_text(json.dumps(drawn.key, indent=0) + "\n", encoding="utf-8")


def table(folder: Path) -> Table:
    """What the reader said of each system's texts.

    Raises:
        InputError: a file is missing, or the verdicts do not answer the items one for one.
    """
    key, opinions = _key(folder), _opinions(folder)
    counts = Counter(opinion.number for opinion in opinions)
    odd = sorted({n for n in {*counts, *key} if counts[n] != 1 or n not in key})
    if odd:
        shown = ", ".join(map(str, odd[:10]))
        raise InputError(
            f"{folder}: {len(odd)} items without exactly one verdict: {shown}",
            remedy="give each item of items.jsonl one line in verdicts.jsonl",
        )
    rows = [_row(name, [o for o in opinions if key[o.number] == name]) for name in sorted(set(key.values()))]
    header = ("written by", "items", "publish", "light edit", "at most a light edit", "invented detail")
    notes = (
        "One reader, a frontier language model that knew neither code nor authors; items shuffled and unlabelled, "
        "judged strictly against the brief by [RUBRIC](reading/RUBRIC.md). In brackets Wilson's 95% interval.",
    )
    return Table("Blind reading", header, rows, notes)


def _row(name: str, opinions: Sequence[Opinion]) -> tuple[str, ...]:
    said: Mapping[str, int] = Counter(opinion.verdict for opinion in opinions)
    usable = said["publish"] + said["light_edit"]
    invented = sum(opinion.invented_detail for opinion in opinions)
    number = len(opinions)
    counted = (str(said["publish"]), str(said["light_edit"]), _share(usable, number), _share(invented, number))
    return name, str(number), *counted


def _share(hits: int, of: int) -> str:
    rate = Rate(hits=hits, of=of)
    low, high = rate.interval
    return f"{rate.share:.0%} ({low:.0%} to {high:.0%})"


def _key(folder: Path) -> dict[int, str]:
    try:
        return {int(n): str(name) for n, name in json.loads((folder / "key.json").read_text(encoding="utf-8")).items()}
    except (OSError, ValueError) as exc:
        raise InputError(
            f"{folder} holds no usable key.json", remedy="python -m benchmarks.student items --out FOLDER"
        ) from exc


def _opinions(folder: Path) -> list[Opinion]:
    path = folder / "verdicts.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as exc:
        raise InputError(f"no {path}", remedy="let a reader judge items.jsonl by RUBRIC.md") from exc
    opinions = []
    for number, line in enumerate(lines, 1):
        try:
            opinions += [Opinion.model_validate_json(line)] if line.strip() else []
        except ValidationError as exc:
            fault = exc.errors()[0]
            where = ".".join(map(str, fault["loc"])) or "line"
            raise InputError(f"{path}:{number}: {where}: {fault['msg']}", remedy="correct that line") from exc
    return opinions
