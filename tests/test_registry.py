"""Which adapter is the brand's: named, live, newest; and what is said where it cannot be used."""

from pathlib import Path

import pytest
from reports import a_report, an_adapter, file_report

from brand_voice.errors import ArtifactError
from brand_voice.registry import find, reports

ONE, TWO = "tidewater@01", "tidewater@02"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    an_adapter(tmp_path, TWO)
    an_adapter(tmp_path, ONE)
    an_adapter(tmp_path, "vela@03", brand="vela")
    return tmp_path


def test_the_one_named_else_the_live_one_else_the_newest(folder: Path) -> None:
    assert find(folder, "tidewater").name == TWO
    assert find(folder, "tidewater", live=ONE).name == ONE
    assert find(folder, "tidewater", "tidewater", live=ONE).name == ONE, "the alias"
    assert find(folder, "tidewater", "tidewater").name == TWO
    assert find(folder, "tidewater", TWO, live=ONE).name == TWO


@pytest.mark.parametrize("name", ["vela@03", "gone", "../{folder}/tidewater@01", "."])
def test_a_name_that_is_no_adapter_of_the_brand_is_refused_with_those_that_are(folder: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match=f"there are: {ONE}, {TWO}") as refused:
        find(folder, "tidewater", name.format(folder=folder.name), live=ONE)
    assert refused.value.remedy == "brand-voice adapters --brand tidewater"


@pytest.mark.parametrize("damage", ["adapter_model.safetensors", "manifest.json"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_live_adapter_that_is_gone_or_changed_says_roll_back(folder: Path, damage: str, gone: bool) -> None:
    if gone:
        (folder / ONE / damage).unlink()
    else:
        (folder / ONE / damage).write_text("something else")
    with pytest.raises(ArtifactError, match=f"{ONE} is live for tidewater, but cannot be used") as refused:
        find(folder, "tidewater", live=ONE)
    assert refused.value.remedy.startswith("brand-voice rollback --brand tidewater")
    assert find(folder, "tidewater", TWO, live=ONE).name == TWO, "its damage is nobody else's"


def test_another_wording_of_the_prompt_wants_a_new_training_live_or_not(folder: Path) -> None:
    an_adapter(folder, "tidewater@04", prompt_hash="another")
    for live in (None, "tidewater@04"):
        with pytest.raises(ArtifactError, match="another version of prompts") as refused:
            find(folder, "tidewater", live=live)
        assert "distill" in refused.value.remedy


def test_a_file_that_is_no_report_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    later, earlier = (file_report(tmp_path, a_report(created_at=day)) for day in ("2026-11-24", "2026-11-23"))
    file_report(tmp_path, a_report(brand="vela"))
    for name, text in (("cut", '{"brand": "tide'), ("old", '{"brand": "tidewater", "teacher": {}}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(text)
    found = reports(tmp_path, "tidewater")
    assert [each.folder for each in found.filed] == [earlier, later]
    assert found.unreadable == ("cut", "old")
    assert found.about("another") == ()


@pytest.mark.parametrize(("was", "becomes"), [('"low": -0.05', '"low": 0.05'), ("2026-11-23T", "2026-11-29T")])
def test_a_report_whose_figures_or_date_were_changed_is_named_and_not_read(
    tmp_path: Path, was: str, becomes: str
) -> None:
    folder = file_report(tmp_path, a_report())
    path = tmp_path / folder / "report.json"
    assert path.read_text().count(was) >= 1
    path.write_text(path.read_text().replace(was, becomes))
    assert reports(tmp_path, "tidewater") == ((), (folder,))
