"""The next version of a guide: whole folder, former version kept, nothing lost, nothing half written."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from brand_voice.amend import amended
from brand_voice.brand import BrandFolder, load_brand, new_brand
from brand_voice.errors import BrandError, InputError
from brand_voice.guide import Preference
from brand_voice.screen.screening import screen

QUIET = Preference(say="quiet", instead_of=("tranquil",))


def amend(brands: Path, rule: Preference = QUIET, brand: str = "tidewater") -> BrandFolder:
    with amended(brand, rule, brands) as folder:
        return folder


def test_a_shipped_brand_is_copied_whole_and_the_copy_shadows_it(tmp_path: Path, tidewater: BrandFolder) -> None:
    made = amend(tmp_path)
    assert made == load_brand("tidewater", tmp_path)
    assert made.path == tmp_path / "tidewater"
    assert (made.products, made.briefs, made.recordings, made.reviews) == (
        tidewater.products,
        tidewater.briefs,
        tidewater.recordings,
        tidewater.reviews,
    )
    assert made.guide.version != tidewater.guide.version
    former = made.path / "versions" / f"brand.{tidewater.guide.version}.yaml"
    assert former.read_bytes() == (tidewater.path / "brand.yaml").read_bytes()
    assert load_brand("tidewater").guide == tidewater.guide
    (finding,) = (f for f in screen("A Tranquil cup.", made.briefs[0], made.guide).findings if "tranquil" in f.rule)
    assert (finding.severity, finding.suggestion) == ("warn", "Quiet")


def test_a_users_own_guide_keeps_its_comments_and_its_former_versions(tmp_path: Path) -> None:
    folder = new_brand("my-tea", tmp_path)
    before = (folder / "brand.yaml").read_text()
    versions = [load_brand("my-tea", tmp_path).guide.version]
    for word in ("tranquil", "placid"):
        versions.append(amend(tmp_path, Preference(say="quiet", instead_of=(word,)), "my-tea").guide.version)
    comments = [line for line in before.splitlines() if "#" in line]
    after = (folder / "brand.yaml").read_text().splitlines()
    assert [line for line in after if "#" in line] == comments
    kept = {p.name for p in (folder / "versions").iterdir()}
    assert kept == {f"brand.{version}.yaml" for version in versions[:2]}
    (folder / "versions" / f"brand.{versions[0]}.yaml").replace(folder / "brand.yaml")
    assert load_brand("my-tea", tmp_path).guide.version == versions[0]


def _amend_as_process(brands: str, number: int) -> None:
    amend(Path(brands), Preference(say=f"word {number}", instead_of=(f"other {number}",)))


def test_of_several_who_add_at_once_nobody_loses_a_rule(tmp_path: Path, tidewater: BrandFolder) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(_amend_as_process, [str(tmp_path)] * 6, range(6)))
    made = load_brand("tidewater", tmp_path)
    added = {p.say for p in made.guide.lexicon.prefer} - {p.say for p in tidewater.guide.lexicon.prefer}
    assert added == {f"word {n}" for n in range(6)}
    assert len(list((made.path / "versions").iterdir())) == 6


def test_a_rule_that_is_there_is_refused(tmp_path: Path) -> None:
    amend(tmp_path)
    with pytest.raises(InputError, match="has that rule already"):
        amend(tmp_path)


def test_a_guide_that_cannot_be_edited_in_place_stays_as_it_was(tmp_path: Path) -> None:
    path = new_brand("my-tea", tmp_path) / "brand.yaml"
    shared = "instead_of: &words\n        - purchase\n    - say: take\n      instead_of: *words\n"
    path.write_text(path.read_text().replace("instead_of:\n        - purchase\n        - acquire\n", shared))
    before = path.read_bytes()
    with pytest.raises(BrandError, match="cannot be added to"):
        amend(tmp_path, Preference(say="get", instead_of=("order",)), "my-tea")
    assert path.read_bytes() == before
    assert not (path.parent / "versions").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".amending")] == []


def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "brands").write_text("in the way")
    with pytest.raises(BrandError, match="cannot write the brand tidewater"):
        amend(tmp_path / "brands")
