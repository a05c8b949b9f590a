import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from brand_voice import artifacts, snapshot
from brand_voice.brand import load_brand
from brand_voice.errors import ArtifactError, InputError
from brand_voice.golden import GoldenBrief, check_leakage
from brand_voice.leakage import LEAKAGE_THRESHOLD
from brand_voice.records import Approved, Draft, Review, SnapshotManifest
from brand_voice.screen.similar import masked, similarity
from brand_voice.settings import SnapshotSettings

BRAND = load_brand("fjellvik")
BRIEFS = {b.id: b for b in BRAND.briefs}


def approved(count: int | None = None) -> list[Approved]:
    texts = {(r.brief_id, r.candidate): r.text for r in BRAND.recordings}
    found = []
    for line in BRAND.reviews[:count]:
        brief = BRIEFS[line.brief_id]
        draft = Draft(
            id=f"{line.brief_id}-{line.candidate}",
            brand="fjellvik",
            brief_id=brief.id,
            brief_hash=brief.hash,
            author="teacher",
            model="recorded",
            candidate=line.candidate,
            text=texts[line.brief_id, line.candidate],
            distillation_permitted=True,
        )
        verdict = Review(
            draft_id=draft.id, revision=1, verdict=line.verdict, final_text=line.final_text, reviewer="recorded"
        )
        found.append(Approved(draft, brief, verdict))
    return found


UNSEEN = frozenset(b.hash for b in BRAND.briefs if BRAND.is_unseen(b))


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("snapshots")
    return parent / snapshot.freeze(BRAND.guide, approved(), UNSEEN, parent).name


def test_a_brief_stands_on_one_side_and_unseen_products_never_train(frozen: Path) -> None:
    sides: dict[str, set[str]] = {}
    for example in snapshot.load(frozen):
        sides.setdefault(example.brief.hash, set()).add(example.split)
        assert (example.split == "unseen_product") == BRAND.is_unseen(example.brief)
    assert all(len(found) == 1 for found in sides.values())
    shares = [len(snapshot.load(frozen, s)) for s in ("train", "validation", "test")]
    assert 0.6 < shares[0] / sum(shares) < 0.76


def test_no_training_text_is_a_near_duplicate_of_a_held_out_one(frozen: Path) -> None:
    held_out = [masked(e.text, e.brief) for e in snapshot.load(frozen, "validation", "test", "unseen_product")]
    for example in snapshot.load(frozen, "train"):
        text = masked(example.text, example.brief)
        assert max(similarity(text, other) for other in held_out) < LEAKAGE_THRESHOLD


def test_a_leaked_text_is_left_out_and_counted(tmp_path: Path) -> None:
    all_of_them = approved()
    test_side = next(
        a for a in all_of_them if snapshot.split_of(a.brief, is_unseen=False) == "test" and a.review.final_text
    )
    train_side = next(a for a in all_of_them if snapshot.split_of(a.brief, is_unseen=False) == "train")
    copied = train_side.review.model_copy(update={"final_text": test_side.review.final_text, "verdict": "edit"})
    leaky = [a for a in all_of_them if a is not train_side] + [train_side._replace(review=copied)]
    clean = snapshot.freeze(BRAND.guide, all_of_them, UNSEEN, tmp_path / "clean")
    manifest = snapshot.freeze(BRAND.guide, leaky, UNSEEN, tmp_path / "leaky")
    before = clean.left_out.get("near_duplicate_of_held_out", 0)
    assert manifest.left_out["near_duplicate_of_held_out"] == before + 1


def test_what_an_evaluation_would_refuse_is_left_out_whatever_its_terms_and_counted(tmp_path: Path) -> None:
    mine = [a for a in approved() if a.review.final_text]
    train = [a for a in mine if snapshot.split_of(a.brief, is_unseen=a.brief.hash in UNSEEN) == "train"]
    test = next(a for a in mine if snapshot.split_of(a.brief, is_unseen=a.brief.hash in UNSEEN) == "test")
    forbidden = test._replace(
        draft=test.draft.model_copy(update={"id": "forbidden", "distillation_permitted": False}),
        review=test.review.model_copy(update={"draft_id": "forbidden", "final_text": train[0].review.final_text}),
    )
    others = [a.brief for a in train if a.brief.hash != train[0].brief.hash and a.brief.offer]
    moved, offered = others[0], next(b for b in others if b.product.name != others[0].product.name)
    reworded = offered.model_copy(update={"id": "twin", "offer": "2 for 1"})
    golden_set = [GoldenBrief(brief=brief, split="test") for brief in (moved, reworded, test.brief)]
    everything = [*mine, forbidden]
    for held_out, refused in (([], True), ([each.brief for each in golden_set], False)):
        manifest = snapshot.freeze(BRAND.guide, everything, UNSEEN, tmp_path, held_out=held_out)
        kept = snapshot.load(tmp_path / manifest.name, "train")
        assert train[0].draft.id not in {e.draft_id for e in kept}, "its like stands on the test side"
        with pytest.raises(ArtifactError, match="was trained on") if refused else nullcontext():
            check_leakage(golden_set, everything, kept)
    assert not {moved.hash, offered.hash} & {e.brief.hash for e in kept}
    assert manifest.left_out["near_duplicate_of_held_out"] >= 3


def test_a_student_that_recites_gives_way_to_what_it_learned_from(tmp_path: Path) -> None:
    mine = [a for a in approved(200) if a.review.final_text]
    train = next(a for a in mine if snapshot.split_of(a.brief, is_unseen=a.brief.hash in UNSEEN) == "train")
    test = next(a for a in mine if snapshot.split_of(a.brief, is_unseen=a.brief.hash in UNSEEN) == "test")
    for author, kept in (("student", train), ("teacher", test)):
        recited = Approved(
            test.draft.model_copy(update={"id": "recited", "author": author}),
            test.brief,
            test.review.model_copy(update={"draft_id": "recited", "final_text": train.review.final_text}),
        )
        manifest = snapshot.freeze(BRAND.guide, [*mine, recited], UNSEEN, tmp_path)
        ids = {e.draft_id for e in snapshot.load(tmp_path / manifest.name)}
        assert (train.draft.id in ids, "recited" in ids) == (kept is train, kept is test)
        assert manifest.left_out.get("recites_training", 0) == (author == "student")


def test_a_channel_that_the_guide_no_longer_has_is_left_out_and_counted(tmp_path: Path) -> None:
    mine = approved(200)
    guide = BRAND.guide.model_copy(update={"channels": {k: v for k, v in BRAND.guide.channels.items() if k != "sms"}})
    manifest = snapshot.freeze(guide, mine, UNSEEN, tmp_path)
    assert all(e.brief.channel != "sms" for e in snapshot.load(tmp_path / manifest.name))
    assert manifest.left_out["channel_gone"] == sum(
        a.brief.channel == "sms" and a.review.verdict != "reject" for a in mine
    )


def test_rejected_text_and_text_whose_terms_forbid_training_never_enter(tmp_path: Path) -> None:
    mine = approved(200)
    forbidden = mine[0]._replace(draft=mine[0].draft.model_copy(update={"distillation_permitted": False}))
    manifest = snapshot.freeze(BRAND.guide, [forbidden, *mine[1:]], UNSEEN, tmp_path)
    texts = {e.draft_id for e in snapshot.load(tmp_path / manifest.name)}
    assert forbidden.draft.id not in texts
    assert not texts & {a.draft.id for a in mine if a.review.verdict == "reject"}
    assert manifest.left_out["terms_forbid_training"] == 1


def test_the_same_content_is_the_same_snapshot_and_other_content_another(tmp_path: Path) -> None:
    first = snapshot.freeze(BRAND.guide, approved(200), UNSEEN, tmp_path)
    again = snapshot.freeze(BRAND.guide, approved(200), UNSEEN, tmp_path)
    other = snapshot.freeze(BRAND.guide, approved(199), UNSEEN, tmp_path)
    assert first == again
    assert first.name != other.name
    assert snapshot.newest(tmp_path, "fjellvik").name == other.name


def aged(items: list[Approved], days: int) -> list[Approved]:
    moment = (datetime(2026, 6, 1, tzinfo=UTC) - timedelta(days=days)).isoformat()
    return [a._replace(review=a.review.model_copy(update={"created_at": moment})) for a in items]


def test_older_approvals_weigh_less_and_equal_ones_leave_the_snapshot_as_it_was(tmp_path: Path) -> None:
    mine = approved(240)
    old, new = aged(mine[:120], 180), aged(mine[120:], 0)
    even = snapshot.freeze(BRAND.guide, aged(mine, 400), UNSEEN, tmp_path)
    assert '"weight":' not in (tmp_path / even.name / "train.jsonl").read_text(), "as it was before there were weights"
    manifest = snapshot.freeze(BRAND.guide, [*old, *new], UNSEEN, tmp_path)
    assert manifest.name != even.name
    assert (manifest.half_life_days, manifest.approved_until) == (180, new[0].review.created_at)
    drafts = {a.draft.id for a in old}
    for example in snapshot.load(tmp_path / manifest.name):
        assert example.weight == (0.5 if example.split == "train" and example.draft_id in drafts else 1)
    forever = SnapshotSettings(half_life_days=0)
    assert snapshot.freeze(BRAND.guide, [*old, *new], UNSEEN, tmp_path, settings=forever).name == even.name


def test_the_student_writes_no_more_than_its_share_and_the_newest_stay(tmp_path: Path) -> None:
    mine = [a for a in approved() if snapshot.split_of(a.brief, is_unseen=a.brief.hash in UNSEEN) == "train"]
    untouched = [a for a in mine if a.review.verdict == "approve"]
    own = [a._replace(draft=a.draft.model_copy(update={"author": "student"})) for a in untouched[:60]]
    edits = [a for a in mine if a.review.verdict == "edit"][:10]
    edited = [a._replace(draft=a.draft.model_copy(update={"author": "student"})) for a in edits]
    rest = aged([*untouched[60:70], *edited], 3)
    dated = [aged([a], 60 - number)[0] for number, a in enumerate(own)]
    manifest = snapshot.freeze(BRAND.guide, [*dated, *rest], UNSEEN, tmp_path)
    kept = {e.draft_id for e in snapshot.load(tmp_path / manifest.name)}
    assert {a.draft.id for a in rest} <= kept, "a text that a person edited is not the student's"
    assert kept & {a.draft.id for a in own} == {a.draft.id for a in own[40:]}
    assert (manifest.left_out["beyond_student_share"], manifest.by_student, manifest.student_share) == (40, 20, 0.5)
    everything = SnapshotSettings(student_share=1)
    assert snapshot.freeze(BRAND.guide, [*dated, *rest], UNSEEN, tmp_path, settings=everything).by_student == 60


def test_a_manifest_from_before_there_were_weights_is_read(frozen: Path, tmp_path: Path) -> None:
    told = json.loads((frozen / artifacts.MANIFEST).read_text())
    for name in ("approved_until", "half_life_days", "student_share", "by_student"):
        del told[name]
    (tmp_path / artifacts.MANIFEST).write_text(json.dumps(told))
    assert artifacts.read_manifest(tmp_path, SnapshotManifest).approved_until is None


def test_nothing_approved_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no approved copy"):
        snapshot.freeze(BRAND.guide, [], UNSEEN, tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    manifest = snapshot.freeze(BRAND.guide, approved(200), UNSEEN, tmp_path)
    (tmp_path / manifest.name / "train.jsonl").write_text("")
    with pytest.raises(ArtifactError, match=r"train\.jsonl is missing or was changed"):
        snapshot.load(tmp_path / manifest.name)


def test_a_folder_without_manifest_is_no_snapshot(tmp_path: Path, frozen: Path) -> None:
    manifest = snapshot.freeze(BRAND.guide, approved(200), UNSEEN, tmp_path)
    (tmp_path / manifest.name / artifacts.MANIFEST).unlink()
    with pytest.raises(ArtifactError, match="no snapshot"):
        snapshot.newest(tmp_path, "fjellvik")


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), artifacts.building(tmp_path / "a") as folder:
        (folder / "half").write_text("half")
        raise ZeroDivisionError
    with pytest.raises(ArtifactError, match="got no manifest"), artifacts.building(tmp_path / "b"):
        pass
    assert not any(tmp_path.iterdir())


def test_exports_hold_prompt_and_completion(frozen: Path, tmp_path: Path) -> None:
    from datasets import load_from_disk

    rows = snapshot.export(frozen, BRAND.guide, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(lines) == rows == len(snapshot.load(frozen))
    assert lines[0]["completion"][0]["role"] == "assistant"
    snapshot.export(frozen, BRAND.guide, tmp_path / "hub")
    dataset = load_from_disk(str(tmp_path / "hub"))
    assert dataset["train"].num_rows == len(snapshot.load(frozen, "train"))
    with pytest.raises(InputError, match="exists already"):
        snapshot.export(frozen, BRAND.guide, tmp_path / "hub")
