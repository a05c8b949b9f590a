"""Brands cut down to a few briefs, so that a whole loop takes seconds."""

import json
from pathlib import Path


def keep_briefs(folder: Path, kept: slice) -> None:
    """Cut a brand's folder down to some of its briefs, with their recordings and reviews."""
    lines = (folder / "briefs.jsonl").read_text().splitlines()[kept]
    (folder / "briefs.jsonl").write_text("\n".join(lines) + "\n")
    ids = {json.loads(line)["id"] for line in lines}
    for name in ("teacher.jsonl", "reviews.jsonl"):
        rows = [x for x in (folder / name).read_text().splitlines() if json.loads(x)["brief_id"] in ids]
        (folder / name).write_text("\n".join(rows) + "\n")
