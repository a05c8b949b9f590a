"""Drafts screened per second on the recorded copy, one core.

Seconds are the process's CPU seconds, so that a busy machine changes little. The language models load before the
clock starts; they load once per process.
"""

import time

from benchmarks.report import Table
from brand_voice.brand import BrandFolder, load_brand
from brand_voice.screen.screening import Screener

BRANDS = ("tidewater", "fjellvik", "vela")


def measure(seconds: float) -> Table:
    """Screen each brand's recorded texts again and again for `seconds`."""
    rows = []
    for folder in map(load_brand, BRANDS):
        drafts_per_s = _drafts_per_s(folder, seconds)
        rows.append((folder.guide.id, f"{drafts_per_s:,.0f}", str(len(folder.recordings))))
    notes = ("Recorded copy of the teacher, all checks, one core; CPU seconds.",)
    return Table("Screening", ("brand", "drafts/s", "texts"), rows, notes)


def _drafts_per_s(folder: BrandFolder, seconds: float) -> float:
    briefs = {brief.id: brief for brief in folder.briefs}
    screener = Screener(folder.guide, folder.catalogue)
    pairs = [(recording.text, briefs[recording.brief_id]) for recording in folder.recordings]
    for text, brief in pairs[:50]:
        screener.screen(text, brief)
    rounds, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        for text, brief in pairs:
            screener.screen(text, brief)
        rounds += 1
    return rounds * len(pairs) / (time.process_time() - start)
