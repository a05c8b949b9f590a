import random

import pytest
from reports import an_adapter

from brand_voice import calibration
from brand_voice.calibration import Calibration, Certain, area, calibrated
from brand_voice.errors import ArtifactError
from brand_voice.records import AdapterManifest, Sampling


def texts(separation: float, briefs: int = 60) -> list[Certain]:
    """Four texts a brief, a third of them blocked, and these less certain by so many standard deviations."""
    dice = random.Random(1)
    return [
        Certain(f"h{brief}", dice.gauss(-1 - separation * is_blocked, 1), is_blocked)
        for brief in range(briefs)
        for is_blocked in (take % 3 == 0 for take in range(brief, brief + 4))
    ]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> AdapterManifest:
    return an_adapter(tmp_path_factory.mktemp("adapters"), "tidewater@01")


def measured(adapter: AdapterManifest, certain: list[Certain], share: float = 0.1) -> Calibration:
    return calibrated(adapter, certain, sampling=Sampling(), guide_version="g", failed=2, max_false_alarms=share)


def test_the_area_counts_every_pair_once_and_ties_half() -> None:
    assert area([-3.0, -2.0], [-1.0, 0.0]) == 1
    assert area([-1.0, 0.0], [-3.0, -2.0]) == 0
    assert area([-1.0], [-1.0, 0.0]) == 0.75
    assert area([], [-1.0]) is None


def test_where_certainty_tells_something_the_declared_share_is_handed_over(adapter: AdapterManifest) -> None:
    found = measured(adapter, texts(1.5))
    assert found.auc_low < found.auc < found.auc_high
    assert found.auc > 0.75
    passed = [each.mean_logprob for each in texts(1.5) if not each.is_blocked]
    blocked = [each.mean_logprob for each in texts(1.5) if each.is_blocked]
    handed_over = sum(each < found.min_mean_logprob for each in passed)
    assert handed_over == int(0.1 * len(passed))
    caught = sum(each < found.min_mean_logprob for each in blocked)
    assert caught / len(blocked) > 0.3
    assert f"{caught / len(blocked):.0%} ({caught}/{len(blocked)}) of those that they block" in found.sentence
    assert measured(adapter, texts(1.5), share=0.3).min_mean_logprob > found.min_mean_logprob
    assert found.curve[0].false_alarms.hits == 0
    assert found.curve[-1].kept.share > found.curve[0].kept.share


@pytest.mark.parametrize(
    "certain", [texts(0.0), texts(-1.5), texts(1.5)[:12], []], ids=("none", "wrong way", "few", "no texts")
)
def test_where_it_tells_nothing_or_texts_are_few_only_the_rules_decide(
    adapter: AdapterManifest, certain: list[Certain]
) -> None:
    found = measured(adapter, certain)
    assert found.min_mean_logprob is None
    assert found.sentence.startswith("Only the rules decide: ")
    assert (found.texts, found.failed) == (len(certain), 2)


def test_a_calibration_is_found_by_its_adapter_and_a_damaged_one_is_told(adapter: AdapterManifest, tmp_path) -> None:
    found = measured(adapter, texts(1.5))
    path = calibration.save(found, tmp_path / "calibrations")
    assert path.name == f"{adapter.name}.json"
    assert calibration.find(path.parent, adapter.name) == found
    assert calibration.find(path.parent, "tidewater@2026-01-01-other") is None
    path.write_text("{}")
    with pytest.raises(ArtifactError) as caught:
        calibration.find(path.parent, adapter.name)
    assert caught.value.remedy == f"make it again: brand-voice calibrate --brand tidewater --adapter {adapter.name}"
