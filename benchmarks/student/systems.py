"""The systems of the report: who answers the held-out briefs, and how.

`base`, `base + LoRA` also answer the other brands' briefs in a brand's voice: there a judge of voice cannot go by what
a brand sells. `retrieval` and `echo` are what a text must beat: the nearest approved text with the product's name, the
numbers and the offer swapped in, and the brief's own fields in a row.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rapidfuzz import fuzz

from benchmarks.student.answers import Answer, Draw, Prompt, Weights, answered
from benchmarks.student.cases import SEEN, Case, Plan, Question
from brand_voice import distill
from brand_voice.assess import SHOTS, echoed, few_shot_messages
from brand_voice.cli.shell import notify
from brand_voice.merge import merged
from brand_voice.records import Brief, Example
from brand_voice.screen.screening import Screener
from brand_voice.screen.text import fold, occurrences
from brand_voice.workspace import Workspace

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BASE, FEW_SHOT, RETRIEVAL = "base", f"base + {SHOTS} approved examples", "retrieval"
LORA, TEACHER, ECHO = "base + LoRA", "teacher (recorded)", "echo of the brief"
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_HELD = "\ue000", "\ue001"
"""Private characters that hold the places of name and offer while numbers are swapped."""


class Entry(NamedTuple):
    """A system's text for one brief in one brand's voice."""

    voice: str
    """Id of the brand whose guide, copy or adapter it is written with."""
    question: Question
    text: str | None
    """None where it did not end."""


class System(NamedTuple):
    """One author, one seed."""

    name: str
    seed: int | None
    entries: Sequence[Entry]


def best_of_name(takes: int) -> str:
    """What the system is called that keeps the best of several samples."""
    return f"{LORA}, best of {takes}"


def recorded(cases: Sequence[Case]) -> System:
    """The teacher's first takes."""
    entries = []
    for case in cases:
        texts = {r.brief_id: r.text for r in case.brand.recordings if r.candidate == 0}
        entries += [Entry(case.id, q, texts[q.brief.id]) for q in case.questions if q.brief.id in texts]
    return System(TEACHER, None, entries)


def echo(cases: Sequence[Case]) -> System:
    """Name, message, offer and call to action, then as many facts as the channel has room for."""
    limits = {case.id: case.brand.guide.channels for case in cases}
    asked = [(case.id, q) for case in cases for q in case.questions]
    return System(ECHO, None, [Entry(i, q, echoed(q.brief, limits[i][q.brief.channel].max_chars)) for i, q in asked])


def retrieval(cases: Sequence[Case]) -> System:
    """The approved text of the same channel whose brief is nearest, with this brief's particulars."""
    entries = []
    for case in cases:
        for question in case.questions:
            found = _nearest(question.brief, case.train)
            entries.append(Entry(case.id, question, swapped(found, question.brief) if found else None))
    return System(RETRIEVAL, None, entries)


def base(cases: Sequence[Case], plan: Plan, *, has_all_briefs: bool = True) -> System:
    """The base student with a brand's voice line in the prompt."""
    tokenizer = _tokenizer(plan)
    asked = [pair for case in cases for pair in _asked(case, cases, has_all_briefs=has_all_briefs)]
    prompts = [tuple(distill.prompt_ids(tokenizer, case.brand.guide, q.brief)) for case, q in asked]
    return System(BASE, None, _entries(asked, _base_answers(plan, prompts)))


def few_shot(cases: Sequence[Case], plan: Plan) -> System:
    """The base student with two approved pairs of the same channel as earlier turns."""
    tokenizer = _tokenizer(plan)
    asked = [(case, q) for case in cases for q in case.questions]
    prompts = [_few_shot_prompt(tokenizer, case, q.brief) for case, q in asked]
    return System(FEW_SHOT, None, _entries(asked, _base_answers(plan, prompts)))


def lora(cases: Sequence[Case], plan: Plan, seed: int, *, has_all_briefs: bool = True) -> System:
    """Each brand's adapter of this seed, one sample a brief."""
    entries: list[Entry] = []
    for case in cases:
        asked = list(_asked(case, cases, has_all_briefs=has_all_briefs))
        entries += _entries(asked, _adapter_answers(case, plan, [q for _, q in asked], seed, takes=1))
    return System(LORA, seed, entries)


def best_of(cases: Sequence[Case], plan: Plan, seed: int, takes: int) -> System:
    """Each brand's adapter of this seed: of the first `takes` samples the one the rules like best, then the model."""
    entries = []
    for case in cases:
        screener = Screener(case.brand.guide, case.brand.catalogue)
        answers = _adapter_answers(case, plan, case.questions, seed, takes=max(plan.best_of))
        for question, drawn in zip(case.questions, answers, strict=True):
            kept = min(drawn[:takes], key=lambda take: _rank(screener, take, question.brief))
            entries.append(Entry(case.id, question, kept.text if kept.is_finished else None))
    return System(best_of_name(takes), seed, entries)


def swapped(example: Example, brief: Brief) -> str:
    """An approved text with another brief's product name, offer and, in their order, numbers put in."""
    text = example.text
    pairs = [(example.brief.product.name, brief.product.name)]
    if example.brief.offer:
        pairs.append((example.brief.offer, brief.offer or ""))
    for held, (old, _) in zip(_HELD, pairs, strict=False):
        for start, end in reversed(list(occurrences(fold(text), fold(old)))):
            text = text[:start] + held + text[end:]
    facts = "\n".join((brief.key_message, *brief.product.facts))
    numbers = iter(_NUMBER.findall(facts.replace(brief.product.name, "")))
    text = _NUMBER.sub(lambda number: next(numbers, number.group()), text)
    for held, (_, new) in zip(_HELD, pairs, strict=False):
        text = text.replace(held, new)
    return text


def _asked(case: Case, cases: Sequence[Case], *, has_all_briefs: bool) -> Iterator[tuple[Case, Question]]:
    """The case's own questions, then the other brands' about products that they train on."""
    yield from ((case, q) for q in case.questions)
    if has_all_briefs:
        others = [other for other in cases if other.id != case.id]
        yield from ((case, q) for other in others for q in other.questions if q.slice == SEEN)


def _entries(asked: Sequence[tuple[Case, Question]], answers: Sequence[Sequence[Answer]]) -> list[Entry]:
    return [
        Entry(case.id, question, takes[0].text if takes[0].is_finished else None)
        for (case, question), takes in zip(asked, answers, strict=True)
    ]


def _tokenizer(plan: Plan) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(plan.base.path)


def _base_answers(plan: Plan, prompts: Sequence[Prompt]) -> list[list[Answer]]:
    weights = Weights(f"base-{plan.base.hash[:16]}", lambda: plan.base.path)
    return answered(plan.workspace / "answers", weights, prompts, Draw(plan.settings.student_sampling, plan.seeds[0]))


def _adapter_answers(case: Case, plan: Plan, asked: Sequence[Question], seed: int, *, takes: int) -> list[list[Answer]]:
    tokenizer = _tokenizer(plan)
    prompts = [tuple(distill.prompt_ids(tokenizer, case.brand.guide, q.brief)) for q in asked]
    place, name = Workspace(plan.workspace), case.adapters[seed].name
    weights = Weights(name, lambda: merged(plan.base, place.adapters / name, name, work=place.merged, notify=notify))
    draw = Draw(plan.settings.student_sampling, seed, takes)
    return answered(plan.workspace / "answers", weights, prompts, draw)


def _rank(screener: Screener, answer: Answer, brief: Brief) -> tuple[bool, int, int, float]:
    """Smaller is better, as in `brand-voice write --best-of`."""
    screening = screener.screen(answer.text, brief)
    return not answer.is_finished, len(screening.blocks), len(screening.warnings), -(answer.mean_logprob or 0.0)


def _few_shot_prompt(tokenizer: "PreTrainedTokenizerBase", case: Case, brief: Brief) -> Prompt:
    turns = few_shot_messages(case.brand.guide, case.train, brief)
    ids = tokenizer.apply_chat_template(
        [turn.model_dump() for turn in turns],
        add_generation_prompt=True,
        enable_thinking=False,
        tokenize=True,
        return_dict=False,
    )
    return tuple(int(i) for i in ids)


def _nearest(brief: Brief, train: Sequence[Example]) -> Example | None:
    """The approved pair of the channel whose brief is most alike; one with an offer where this brief has one."""
    known = [e for e in train if e.brief.channel == brief.channel and e.brief.locale == brief.locale]
    alike = [e for e in known if bool(e.brief.offer) == bool(brief.offer)] or known
    said = fold(brief.said())
    return max(alike, key=lambda e: fuzz.token_set_ratio(said, fold(e.brief.said())), default=None)
