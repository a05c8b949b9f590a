"""Real DPO on the tiny student: the adapter moves away from itself, and nothing else moves."""

import json
import math
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from brand_voice import distill, preference
from brand_voice.artifacts import file_hashes, read_manifest
from brand_voice.brand import BrandFolder
from brand_voice.errors import InputError
from brand_voice.records import AdapterManifest, Draft, Example
from brand_voice.settings import PreferenceSettings

SETTINGS = PreferenceSettings(min_pairs=4, batch_size=8, epochs=6, learning_rate=1e-2)


@pytest.fixture(scope="module")
def pairs(tidewater: BrandFolder) -> list[preference.Pair]:
    briefs = {b.id: b for b in tidewater.briefs}
    texts = {(r.brief_id, r.candidate): r.text for r in tidewater.recordings}
    edits = [r for r in tidewater.reviews if r.verdict == "edit" and r.final_text][:8]
    return [
        preference.Pair(briefs[r.brief_id], r.final_text or "", texts[r.brief_id, r.candidate].strip()) for r in edits
    ]


class Run:
    def __init__(self, parent: Path, start: AdapterManifest, made: AdapterManifest, base_before: bytes) -> None:
        self.parent, self.start, self.made, self.base_before = parent, start, made, base_before


@pytest.fixture(scope="module")
def run(
    base: Path,
    adapter: Path,
    tidewater: BrandFolder,
    pairs: list[preference.Pair],
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    parent = tmp_path_factory.mktemp("preferred")
    shutil.copytree(adapter, parent / adapter.name)
    start = read_manifest(parent / adapter.name, AdapterManifest)
    before = (base / "model.safetensors").read_bytes()
    made = preference.prefer(
        tidewater.guide,
        preference.Start(start, str(base), pairs),
        SETTINGS,
        max_length=900,
        parent=parent,
        on_step=lambda *_: None,
    )
    return Run(parent, start, made, before)


def test_the_adapter_moved_and_neither_its_start_nor_the_base_did(run: Run, base: Path) -> None:
    folder, start = run.parent / run.made.name, run.parent / run.start.name
    before, after = (load_file(each / "adapter_model.safetensors") for each in (start, folder))
    assert before.keys() == after.keys()
    assert all((before[name] != after[name]).any() for name in before if "lora_B" in name)
    assert file_hashes(start) == run.start.files
    assert (base / "model.safetensors").read_bytes() == run.base_before


def test_it_is_held_to_the_adapter_it_came_from_and_learns_the_edits(run: Run) -> None:
    curve = json.loads((run.parent / run.made.name / "curve.json").read_text())
    assert curve[0]["loss"] == pytest.approx(math.log(2), abs=1e-4), "at first it is its own reference"
    assert curve[-1]["rewards/margins"] > 0.1
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_what_is_saved_is_one_adapter_that_says_where_it_comes_from(run: Run) -> None:
    folder = run.parent / run.made.name
    assert not [path for path in folder.iterdir() if path.is_dir()], "the reference is not saved"
    assert read_manifest(folder, AdapterManifest) == run.made
    told = run.made.training["preference"]
    assert (told["adapter"], told["pairs"], told["steps"]) == (run.start.name, 8, 6)
    assert run.made.snapshot == run.start.snapshot
    assert "DPO on 8 edits" in (folder / "README.md").read_text()
    named = {"seconds", "preference_seconds", "preference_loss", "preference_accuracy", "margin"}
    assert run.made.metrics.keys() == named


def test_rows_are_the_ids_that_serving_sends(base: Path, tidewater: BrandFolder, pairs: list[preference.Pair]) -> None:
    _, tokenizer = distill.load_student(base)
    (row, *_) = preference._rows(tokenizer, tidewater.guide, pairs, 900)
    assert row["prompt_ids"] == distill.prompt_ids(tokenizer, tidewater.guide, pairs[0].brief)
    assert tokenizer.decode(row["chosen_ids"]) == pairs[0].chosen + "<|im_end|>"
    with pytest.raises(InputError, match="over 40"):
        preference._rows(tokenizer, tidewater.guide, pairs, 40)


def test_only_edits_of_the_training_split_are_pairs(tidewater: BrandFolder) -> None:
    def example(name: str, verdict: str, split: str) -> Example:
        fields = {"brief": tidewater.briefs[0], "text": "after", "draft_id": name, "verdict": verdict, "split": split}
        return Example.model_validate(fields)

    examples = [example("a", "edit", "train"), example("b", "edit", "test"), example("c", "approve", "train")]
    brief = tidewater.briefs[0]
    drafts = {
        name: Draft(
            id=name,
            brand="tidewater",
            brief_id=brief.id,
            brief_hash=brief.hash,
            author="teacher",
            model="m",
            text="before",
        )
        for name in "abc"
    }
    assert preference.pairs_of(examples, drafts) == [preference.Pair(brief, "after", "before")]


def test_too_few_edits_are_refused_before_anything_is_loaded(
    run: Run, base: Path, tidewater: BrandFolder, pairs: list[preference.Pair]
) -> None:
    folders = set(run.parent.iterdir())
    with pytest.raises(InputError, match="8 edits in the training split; DPO wants 30") as caught:
        preference.prefer(
            tidewater.guide,
            preference.Start(run.start, str(base), pairs),
            PreferenceSettings(),
            max_length=900,
            parent=run.parent,
            on_step=lambda *_: None,
        )
    assert "preference.min_pairs" in caught.value.remedy
    assert set(run.parent.iterdir()) == folders
