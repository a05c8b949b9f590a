"""The student report, end to end on a tiny student, two brands and a few briefs; then its parts."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from small_brand import keep_briefs

from benchmarks.student import __main__ as command
from benchmarks.student import ablations, answers, cases, reading, report, systems
from benchmarks.student.answers import Draw, Weights, answered
from benchmarks.student.scores import EVERY_BRIEF, Referee
from brand_voice import distill
from brand_voice.brand import BrandFolder, load_brand
from brand_voice.errors import InputError
from brand_voice.rates import Rate
from brand_voice.records import Example, Sampling, content_hash
from brand_voice.registry import adapters
from brand_voice.shipped import shipped

BRANDS = ("tidewater", "vela")
EVERY = 5
LIMIT = 4
SETTINGS = """
[training]
max_steps = 2
max_length = 900
[student_sampling]
temperature = 0.7
frequency_penalty = 0.4
max_new_tokens = 40
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("student-report")
    for brand in BRANDS:
        folder = Path(shutil.copytree(shipped("data") / "brands" / brand, workspace / "brands" / brand))
        keep_briefs(folder, slice(None, None, EVERY))
    (workspace / "brand_voice.toml").write_text(SETTINGS)
    return workspace


@pytest.fixture(scope="module")
def options(place: Path, base: Path) -> list[str]:
    shared = ["--workspace", str(place), "--student", str(base), "--brands", *BRANDS]
    return [*shared, "--seeds", "0", "1", "--limit", str(LIMIT), "--best-of", "2", "--out", str(place / "out")]


@pytest.fixture(scope="module")
def made(place: Path, options: list[str]) -> report.Report:
    assert command.main(options) == 0
    return report.Report.model_validate_json((place / "out" / "report.json").read_text())


@pytest.fixture(scope="module")
def folders(place: Path) -> list[BrandFolder]:
    return [load_brand(brand, place / "brands") for brand in BRANDS]


@pytest.fixture(scope="module")
def found(folders: list[BrandFolder]) -> list[cases.Case]:
    """Cases without adapters, every held-out brief in them; the teacher's first takes stand for approved copy."""
    made = []
    for brand in folders:
        questions = cases.questions(brand)
        held_out = {q.brief.hash for q in questions}
        texts = {r.brief_id: r.text for r in brand.recordings if r.candidate == 0}
        train = [b for b in brand.briefs if b.hash not in held_out]
        examples = [Example(brief=b, text=texts[b.id], draft_id=b.id, verdict="approve", split="train") for b in train]
        made.append(cases.Case(brand, tuple(examples), questions, {}))
    return made


@pytest.fixture(scope="module")
def referee(found: Sequence[cases.Case]) -> Referee:
    return Referee(found)


def of(made: report.Report, system: str) -> list[Rate]:
    return [score.rate(cases.SEEN, "publishable") for score in made.scores if score.system == system]


def test_every_system_answers_every_held_out_brief_and_adapters_once_a_seed(
    made: report.Report, folders: list[BrandFolder]
) -> None:
    names = [score.system for score in made.scores]
    assert names.count(systems.LORA) == names.count("base + LoRA, best of 2") == 2
    assert {len(adapters) for adapters in made.adapters.values()} == {2}
    asked = sum(q.slice == cases.SEEN for brand in folders for q in cases.questions(brand, LIMIT))
    assert asked == LIMIT * len(BRANDS)
    assert all(rate.of == asked for name in set(names) for rate in of(made, name))


def test_denominators_are_the_briefs_a_check_applies_to(made: report.Report, folders: list[BrandFolder]) -> None:
    questions = [q for brand in folders for q in cases.questions(brand, LIMIT)]
    offers = sum(q.brief.offer is not None for q in questions if q.slice == cases.SEEN)
    assert 0 < offers < LIMIT * len(BRANDS)
    assert all(score.rate(cases.SEEN, "offer").of == offers for score in made.scores)


def test_adapters_and_base_write_the_other_brand_s_briefs_too(made: report.Report) -> None:
    for score in made.scores:
        factor = 2 if score.system in (systems.LORA, systems.BASE) else 1
        assert score.rate(EVERY_BRIEF, "voice").of == factor * score.rate(cases.SEEN, "voice").of


def test_the_page_shows_every_slice_and_the_samples_stand_beside_the_teacher(place: Path, made: report.Report) -> None:
    page = (place / "out" / "report.md").read_text()
    for title in ("English, seen products", "English, unseen products", "de-DE", "by channel", "by brand"):
        assert title in page
    assert "base + LoRA, 2 seeds" in page
    assert "--limit 4" in made.command
    samples = (place / "out" / "samples.md").read_text()
    assert samples.count("- student: ") == samples.count("- teacher: ") == samples.count("- brief: ") > 10


def test_a_second_run_trains_and_writes_nothing_anew(place: Path, options: list[str], made: report.Report) -> None:
    def state() -> dict[str, bytes]:
        files = [*place.glob("answers/*"), *place.glob("adapters/*/manifest.json")]
        return {file.relative_to(place).as_posix(): file.read_bytes() for file in files}

    before = state()
    assert len(before) == 4 + 1 + 4 + 4  # adapters; answers of the base, of each adapter, of each adapter's best
    assert command.main(options) == 0
    assert state() == before
    again = report.Report.model_validate_json((place / "out" / "report.json").read_text())
    assert again.scores == made.scores


def test_too_few_briefs_for_a_reading_are_said(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["items", *options]) == 1
    assert "too few English briefs" in capsys.readouterr().err


def test_a_text_that_did_not_end_fails_what_applies(found: list[cases.Case], referee: Referee) -> None:
    ended = systems.recorded(found)
    cut = systems.System("cut", None, [entry._replace(text=None) for entry in ended.entries])
    whole, lost = referee.score(ended), referee.score(cut)
    assert lost.unfinished == len(cut.entries)
    for measure in ("publishable", "name", "offer", "length", "truth", "voice"):
        assert lost.rate(cases.SEEN, measure) == Rate(hits=0, of=whole.rate(cases.SEEN, measure).of)
    assert whole.rate(cases.SEEN, "name").hits > 0


def test_a_recited_training_text_is_copied_and_the_brief_s_own_fields_are_not(
    found: list[cases.Case], referee: Referee
) -> None:
    recited = referee.score(systems.retrieval(found)).rate(cases.SEEN, "copied")
    echoed = referee.score(systems.echo(found)).rate(cases.SEEN, "copied")
    assert recited.hits / recited.of > 0.9
    assert echoed.hits / echoed.of < 0.1


def test_length_is_the_channel_s_limits_and_not_the_sms_segment(found: list[cases.Case], referee: Referee) -> None:
    case, question = next(
        (c, q) for c in found for q in c.questions if q.brief.channel == "sms" and q.slice == cases.SEEN
    )
    limits = case.brand.guide.channels["sms"]

    def length(text: str) -> int:
        entry = systems.Entry(case.id, question, text)
        return referee.score(systems.System("s", None, [entry])).rate(cases.SEEN, "length").hits

    assert length("é" * (limits.min_chars - 1)) == 0
    assert length("x" * (limits.max_chars + 1)) == 0
    assert length("ø — ж" * (limits.max_chars // 5)) == 1


def test_retrieval_swaps_name_offer_and_numbers_in_order(found: list[cases.Case]) -> None:
    old, new = (
        found[0]
        .questions[0]
        .brief.model_copy(
            update={
                "product": found[0].questions[0].brief.product.model_copy(update={"name": name, "facts": facts}),
                "offer": offer,
                "key_message": "says nothing",
            }
        )
        for name, facts, offer in (
            ("Dock 9", ("21 days", "12 oz bag"), "15% off through Sunday"),
            ("No. 4 Blend", ("3 weeks", "250 g tin"), "free shipping"),
        )
    )
    text = "Dock 9 dries 21 days. Dock 9 comes in a 12 oz bag, roasted 7 times. 15% off through Sunday."
    example = Example(brief=old, text=text, draft_id="d", verdict="approve", split="train")
    expected = "No. 4 Blend dries 3 days. No. 4 Blend comes in a 250 oz bag, roasted 7 times. free shipping."
    assert systems.swapped(example, new) == expected


def test_log_probabilities_are_the_model_s_own(base: Path, tidewater: BrandFolder, tmp_path: Path) -> None:
    model, tokenizer = distill.load_student(base)
    model = model.float()
    prompts = [tuple(distill.prompt_ids(tokenizer, tidewater.guide, b)) for b in tidewater.briefs[:3]]
    draw = Draw(Sampling(temperature=0.7, max_new_tokens=60), seed=1, takes=2)
    found = answered(tmp_path, Weights("tiny", lambda: base), prompts, draw)
    assert [len(takes) for takes in found] == [2, 2, 2]
    checked = 0
    for prompt, takes in zip(prompts, found, strict=True):
        for answer in takes:
            if not answer.is_finished:
                continue
            ids = distill.completion_ids(tokenizer, f" {answer.text}")  # the tiny student's words begin with a space
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
            own = torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(ids)[:, None]).mean().item()
            assert answer.mean_logprob == pytest.approx(own, abs=0.05)
            checked += 1
    assert checked >= 2


def test_a_frequency_penalty_counts_the_answer_and_not_the_prompt() -> None:
    prompt, answer = [5, 5, 7], [7, 9, 9]
    left = answers._penalty(len(prompt), 0.5)(torch.tensor([prompt + answer]), torch.zeros(1, 12))
    assert left[0, [5, 7, 9, 11]].tolist() == [0.0, -0.5, -1.0, 0.0]


def test_a_seed_repeats_and_another_does_not(base: Path, tidewater: BrandFolder, tmp_path: Path) -> None:
    _, tokenizer = distill.load_student(base)
    prompts = [tuple(distill.prompt_ids(tokenizer, tidewater.guide, b)) for b in tidewater.briefs[:2]]
    weights = Weights("tiny", lambda: base)

    def texts(place: str, seed: int) -> list[str]:
        found = answered(tmp_path / place, weights, prompts, Draw(Sampling(max_new_tokens=16), seed=seed))
        return [takes[0].text for takes in found]

    first = texts("a", 1)
    assert first == texts("b", 1)
    assert first != texts("c", 2)


def drawn(found: list[cases.Case]) -> reading.Drawn:
    echo, teacher = systems.echo(found), systems.recorded(found)
    return reading.draw(found, [echo, teacher, systems.retrieval(found)], shares=(8, 4, 4))


def test_a_draw_goes_round_the_channels(folders: list[BrandFolder]) -> None:
    whole = [load_brand(brand.guide.id) for brand in folders[:1]]
    asked = [cases.Case(brand, (), cases.questions(brand), {}) for brand in whole]
    items, _ = reading.draw(asked, [systems.echo(asked)], shares=(16,))
    channels = Counter(item.brief["channel"] for item in items)
    assert set(channels.values()) == {2}


def test_items_are_blind_shuffled_and_each_brief_comes_once(found: list[cases.Case]) -> None:
    items, key = drawn(found)
    names = [key[item.number] for item in items]
    assert [item.number for item in items] == list(range(1, 17))
    assert sorted(names) == sorted([systems.ECHO] * 8 + [systems.TEACHER] * 4 + [systems.RETRIEVAL] * 4)
    assert names != sorted(names), "shuffled"
    assert len({json.dumps(item.brief) for item in items}) == 16
    assert set(items[0].model_dump()) == {"number", "brief", "text"}
    assert not {"id", "sku", "locale"} & {field for item in items for field in item.brief}
    assert drawn(found) == (items, key), "seeded"


def test_a_reading_is_joined_with_its_key_and_stands_in_the_report(
    found: list[cases.Case], made: report.Report, tmp_path: Path
) -> None:
    folder = tmp_path / "reading"
    assert "Blind reading" not in report.markdown(made, folder)
    reading.save(drawn(found), folder)
    key = json.loads((folder / "key.json").read_text())
    lines = [
        {
            "number": int(number),
            "verdict": "publish" if name == systems.TEACHER else "no",
            "invented_detail": name == systems.ECHO,
            "why": "",
        }
        for number, name in key.items()
    ]
    (folder / "verdicts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = {row[0]: row[1:] for row in reading.table(folder).rows}
    assert rows[systems.TEACHER] == ("4", "4", "0", "100% (51% to 100%)", "0% (0% to 49%)")
    assert "## Blind reading" in report.markdown(made, folder)
    assert rows[systems.ECHO] == ("8", "0", "0", "0% (0% to 32%)", "100% (68% to 100%)")
    (folder / "verdicts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[1:]))
    with pytest.raises(InputError, match=f"1 items without exactly one verdict: {lines[0]['number']}"):
        reading.table(folder)


def test_ablations_train_each_variant_and_score_it_on_validation_briefs(
    place: Path, options: list[str], base: Path, folders: list[BrandFolder]
) -> None:
    whole, voiceless, tokens = ablations.VARIANTS[0], ablations.VARIANTS[-1], 1_000
    trained = place / "ablations" / content_hash({"tokens": tokens})[:12] / "out"
    shutil.copytree(base, trained)
    (trained / "training.json").write_text(json.dumps({"copy_gate": {"name": 0.5, "offer": 0.25, "code": 1.0}}))
    plan = command._plan(command._parser().parse_args(["report", *options]))
    rows = ablations.table(plan, tokens, (whole, voiceless)).rows
    asked = sum(q.slice == cases.SEEN for b in folders for q in cases.questions(b, LIMIT, ("validation",)))
    assert asked > 0
    for row, variant in zip(rows, (whole, voiceless), strict=True):
        assert row[:3] == (variant.name, "50%", "25%")
        assert row[3].endswith(f"/{asked})"), "publishable is counted over the validation briefs"
    lines = {m.voice_line for brand in BRANDS for m in adapters(place / "adapters", brand)}
    assert lines == {b.guide.voice_line for b in folders} | {ablations.VOICELESS}


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "| a | b |"])
def test_model_text_is_no_markup_in_the_samples(hostile: str) -> None:
    assert hostile not in report.plain(hostile)
