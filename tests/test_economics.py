"""What the student costs against the teacher, and why there is no figure where there is none."""

import pytest
from written_report import a_report, a_side

from brand_voice.economics import economics
from brand_voice.evidence import Cost, Report


def priced(candidate: float | None, teacher: float | None, **changes: object) -> Report:
    def cost(usd: float | None) -> Cost:
        return Cost(usd_per_thousand=usd, usd_per_thousand_accepted=usd, basis="measured", note="no price is set")

    sides = (
        a_side("x@1", "candidate", 98, cost=cost(candidate), texts_per_s=20.4),
        a_side("m", "reference", 136, cost=cost(teacher)),
    )
    return a_report(sides=sides, **changes)


def test_training_pays_for_itself_after_the_texts_whose_saving_equals_it() -> None:
    told = economics(priced(1.0, 3.0), training_seconds=3_600, machine_usd_per_hour=0.5)
    assert (told.training_usd, told.break_even_texts, told.texts_per_s) == (0.5, 250, 20.4)
    assert "idle machines are not counted" in told.note


@pytest.mark.parametrize(
    ("report", "price", "why"),
    [
        (priced(1.0, 3.0), None, "set machine_usd_per_hour"),
        (priced(None, 3.0), 0.5, "student's texts have no cost: no price is set."),
        (priced(1.0, None), 0.5, "teacher's texts have no cost"),
        (priced(3.0, 3.0), 0.5, "costs no less"),
        (priced(1.0, 3.0, against="x@0"), 0.5, "teacher is not in this report"),
    ],
)
def test_where_a_price_is_missing_there_is_no_volume_and_a_reason(
    report: Report, price: float | None, why: str
) -> None:
    told = economics(report, training_seconds=60, machine_usd_per_hour=price)
    assert told.break_even_texts is None
    assert why in told.note
    assert (told.training_usd is None) == (price is None)
