"""A brand whose files change while a program runs."""

import shutil
from pathlib import Path

import pytest

from brand_voice.brand import BrandFolder, load_brand
from brand_voice.current_brand import CurrentBrand
from brand_voice.errors import BrandError

BRAND = "tidewater"
BARRED = "Cream first, then coffee."


def own_copy(root: Path) -> Path:
    """The workspace's own folder of the brand."""
    return Path(shutil.copytree(load_brand(BRAND).path, root / BRAND))


def bar_cream(folder: Path) -> None:
    guide = folder / "brand.yaml"
    guide.write_text(guide.read_text().replace("term: artisanal", "term: cream"))


def is_barred(current: CurrentBrand, brand: BrandFolder) -> bool:
    findings = current.screener.screen(BARRED, brand.briefs[0]).findings
    return any(finding.severity == "block" and "cream" in finding.message.lower() for finding in findings)


def test_a_changed_guide_counts_at_once_and_an_unchanged_brand_is_not_read_again(
    tmp_path: Path, tidewater: BrandFolder
) -> None:
    current = CurrentBrand(BRAND, tmp_path, pytest.fail)
    assert current.folder == tidewater and not is_barred(current, tidewater)
    assert current.folder is current.folder and current.screener is current.screener
    folder = own_copy(tmp_path)
    assert current.folder.path == folder, "the workspace's own shadows the shipped one"
    bar_cream(folder)
    assert is_barred(current, tidewater)
    (folder / "products.jsonl").unlink()
    (folder / "briefs.jsonl").unlink()
    (folder / "teacher.jsonl").unlink()
    (folder / "reviews.jsonl").unlink()
    assert current.folder.catalogue == ()


def test_what_cannot_be_read_leaves_the_former_in_force_and_is_told_once(
    tmp_path: Path, tidewater: BrandFolder
) -> None:
    told: list[str] = []
    folder = own_copy(tmp_path)
    bar_cream(folder)
    current = CurrentBrand(BRAND, tmp_path, told.append)
    guide = (folder / "brand.yaml").read_text()
    (folder / "brand.yaml").write_text("broken")
    assert is_barred(current, tidewater) and is_barred(current, tidewater)
    assert len(told) == 1 and f"{BRAND} is not taken" in told[0] and "brand.yaml" in told[0]
    (folder / "brand.yaml").write_text(guide)
    assert is_barred(current, tidewater) and len(told) == 1 and not current.problem
    shutil.rmtree(folder)
    assert not is_barred(current, tidewater), "the shipped one again"


def test_a_brand_that_is_gone_stays_as_it_was(tmp_path: Path) -> None:
    told: list[str] = []
    shutil.copytree(load_brand(BRAND).path, tmp_path / "own")
    guide = tmp_path / "own" / "brand.yaml"
    guide.write_text(guide.read_text().replace("id: tidewater", "id: own"))
    for name in ("briefs", "teacher", "reviews"):
        (tmp_path / "own" / f"{name}.jsonl").unlink()
    current = CurrentBrand("own", tmp_path, told.append)
    shutil.rmtree(tmp_path / "own")
    assert current.folder.guide.id == current.folder.guide.id == "own"
    assert len(told) == 1 and "no brand 'own'" in told[0] and current.problem in told[0]


def test_an_unknown_brand_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrandError, match="no brand 'nobody'"):
        CurrentBrand("nobody", tmp_path, pytest.fail)
