"""What owning the student costs against asking the teacher: training, throughput, and the volume that pays for both.

Only money that was measured or listed counts: seconds at the machine's price, tokens at the teacher's. Neither
people's time nor the teacher's drafts that the student learned from are in it, nor a machine that idles; the note
says so. Where a price is missing there is no figure, and the note says which.
"""

import math

from brand_voice.evidence import Economics, Report, SideFigures


def economics(report: Report, *, training_seconds: float, machine_usd_per_hour: float | None) -> Economics:
    """Work out what a report's costs come to.

    Args:
        report: its candidate's and teacher's cost per 1,000 accepted texts are taken as they stand.
        training_seconds: what training the candidate took, start-up left out.
        machine_usd_per_hour: the price of the machine, where it has one.
    """
    candidate, teacher = report.side("candidate"), report.side("teacher")
    if teacher is None and report.against == "teacher":
        teacher = report.side("reference")
    training_usd = None if machine_usd_per_hour is None else training_seconds / 3_600 * machine_usd_per_hour
    volume, note = _break_even(candidate, teacher, training_usd)
    return Economics(
        training_seconds=training_seconds,
        training_usd=training_usd,
        texts_per_s=candidate.texts_per_s if candidate else None,
        break_even_texts=volume,
        note=note,
    )


def _break_even(
    candidate: SideFigures | None, teacher: SideFigures | None, training_usd: float | None
) -> tuple[int | None, str]:
    """Accepted texts from which the student is cheaper, and what that rests on or why there is no such number."""
    if training_usd is None:
        return None, "The machine has no price: set machine_usd_per_hour."
    if teacher is None:
        return None, "The teacher is not in this report: evaluate against it."
    own = candidate.cost.usd_per_thousand_accepted if candidate else None
    theirs = teacher.cost.usd_per_thousand_accepted
    if own is None:
        return None, f"The student's texts have no cost: {_why(candidate)}."
    if theirs is None:
        return None, f"The teacher's texts have no cost: {_why(teacher)}."
    left_out = "People's time, the teacher's drafts learned from and idle machines are not counted."
    if own >= theirs:
        return None, f"An accepted text of the student costs no less than one of the teacher. {left_out}"
    basis = f"Student {candidate.cost.basis if candidate else ''}, teacher {teacher.cost.basis}."
    return math.ceil(1_000 * training_usd / (theirs - own)), f"{basis} {left_out}"


def _why(side: SideFigures | None) -> str:
    note = side.cost.note.strip().rstrip(".") if side else ""
    return note or "no price, or no accepted text"
