import json
import shutil
from pathlib import Path

import pytest

from brand_voice.brand import brand_ids, load_brand, new_brand, read_brand
from brand_voice.errors import BrandError
from brand_voice.shipped import shipped


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("data") / "brands" / "vela", tmp_path / "vela"))


def test_every_shipped_brand_is_valid_and_marks_three_unseen_products() -> None:
    for brand_id in ("tidewater", "fjellvik", "vela"):
        brand = load_brand(brand_id)
        assert len(brand.unseen_skus) == 3
        assert any(brand.is_unseen(b) for b in brand.briefs)
        assert len({b.hash for b in brand.briefs}) == len(brand.briefs)


def change_line(path: Path, number: int, **fields: object) -> None:
    lines = path.read_text().splitlines()
    lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | fields)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("file", "fields", "told"),
    [
        ("briefs.jsonl", {"channel": "fax"}, ["briefs.jsonl:7", "channel", "'fax'", "sms"]),
        ("briefs.jsonl", {"key_message": ""}, ["briefs.jsonl:7", "key_message", "at least 1 character"]),
        ("briefs.jsonl", {"surprise": 1}, ["briefs.jsonl:7", "surprise", "not permitted"]),
        ("briefs.jsonl", {"id": "ve-0001"}, ["briefs.jsonl:", "'ve-0001'", "2 times"]),
        ("briefs.jsonl", {"locale": "fr-FR"}, ["briefs.jsonl:7", "locale", "'fr-FR'", "de-DE"]),
        ("teacher.jsonl", {"brief_id": "nobody"}, ["teacher.jsonl:7", "brief_id", "'nobody'"]),
        ("reviews.jsonl", {"verdict": "maybe"}, ["reviews.jsonl:7", "verdict", "maybe", "approve"]),
        ("reviews.jsonl", {"candidate": 9}, ["reviews.jsonl:7", "candidate 9"]),
        ("products.jsonl", {"split": "validation"}, ["products.jsonl:7", "split", "unseen_product"]),
    ],
)
def test_a_bad_line_is_named_with_field_value_and_expectation(
    copied: Path, file: str, fields: dict, told: list
) -> None:
    change_line(copied / file, 7, **fields)
    with pytest.raises(BrandError) as caught:
        read_brand(copied)
    assert all(part in caught.value.message for part in told), caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("max_chars: 160", "max_chars: none", ["brand.yaml:", "channels.sms.max_chars", "none"]),
        ("max_chars: 160", "max_chars: 20", ["brand.yaml:", "channels", "above max_chars 20"]),
        ("id: vela\n", "id: other\n", ["'other'", "'vela'"]),
        ("name: Vela Skin", "name: [", ["is not YAML"]),
        ("voice_line:", "voice_lin:", ["voice_lin"]),
    ],
)
def test_a_bad_guide_is_named_with_line_and_field(copied: Path, old: str, new: str, told: list) -> None:
    path = copied / "brand.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BrandError) as caught:
        read_brand(copied)
    assert all(part in caught.value.message for part in told), caught.value.message


def test_yaml_that_would_run_code_is_refused(copied: Path) -> None:
    (copied / "brand.yaml").write_text("id: !!python/object/apply:os.system ['true']")
    with pytest.raises(BrandError, match="not YAML"):
        read_brand(copied)


def test_a_workspace_brand_shadows_the_shipped_one(copied: Path) -> None:
    path = copied / "brand.yaml"
    path.write_text(path.read_text().replace("name: Vela Skin", "name: My Vela"))
    assert load_brand("vela", copied.parent).guide.name == "My Vela"
    assert load_brand("vela").guide.name == "Vela Skin"


def test_a_new_brand_loads_and_is_not_overwritten(tmp_path: Path) -> None:
    new_brand("acme-tea", tmp_path)
    assert "acme-tea" in brand_ids(tmp_path)
    assert load_brand("acme-tea", tmp_path).briefs[0].brand == "acme-tea"
    for bad in ("acme-tea", "tidewater", "Up Per", "../out"):
        with pytest.raises(BrandError):
            new_brand(bad, tmp_path)


@pytest.mark.parametrize("brand_id", ["nope", "", "../brands/vela", "UPPER"])
def test_an_unknown_brand_lists_those_there_are(brand_id: str) -> None:
    with pytest.raises(BrandError, match="fjellvik, tidewater, vela"):
        load_brand(brand_id)
