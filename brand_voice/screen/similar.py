"""Near-duplicates: two texts that differ only in the product's name, a number or the offer are the same text.

`masked` takes those out. Candidates come from MinHash over character 5-grams (rensa), because comparing every pair is
quadratic; rapidfuzz then decides exactly. Copy is short: one edit in a tagline spoils a quarter of its 5-grams, so
3-grams go into the sketch too and a band has two rows. On texts under 60 characters, edited at random to a similarity
of 0.85 to 0.93, that finds 99.6% of the pairs (5-grams alone 98.0%); on the recorded texts all of them.

`similarity` is rapidfuzz's normalised indel ratio: 2 x (longest common subsequence) / (sum of lengths).
"""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz, process
from rensa import RMinHash, RMinHashLSH

from brand_voice.records import Brief
from brand_voice.screen.text import fold, occurrences

PERMUTATIONS = 128
BANDS = 64
"""Two rows a band: a pair becomes a candidate from a Jaccard similarity of about 0.1."""
GRAMS = (5, 3)

_CODE = re.compile(r"\b(?=[A-Z0-9]*[A-Z])(?=[A-Z0-9]*\d)[A-Z0-9]{4,}\b")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")


def masked(text: str, brief: Brief) -> str:
    """The text with product name, offer, codes and numbers replaced by placeholders, lower-cased, spaces squeezed."""
    text = _CODE.sub(" § ", text)
    folded = fold(text)
    for term, mark in ((brief.offer and _CODE.sub(" § ", brief.offer), "¤"), (brief.product.name, "¶")):
        for start, end in reversed(list(occurrences(folded, fold(term or "")))):
            folded = f"{folded[:start]}{mark}{folded[end:]}"
    return " ".join(_FIGURE.sub("0", folded).split())


def similarity(a: str, b: str) -> float:
    """Similarity of two masked texts, 0 to 1."""
    return fuzz.ratio(a, b) / 100


def near_duplicates(texts: Sequence[str], threshold: float = 0.85) -> list[tuple[int, int, float]]:
    """Pairs of masked texts at least `threshold` alike, as (index, later index, similarity), in order."""
    lsh = RMinHashLSH(threshold=0.5, num_perm=PERMUTATIONS, num_bands=BANDS)
    pairs: list[tuple[int, int, float]] = []
    for index, text in enumerate(texts):
        sketch = _sketch(text)
        for other in sorted(set(lsh.query(sketch))):
            alike = fuzz.ratio(texts[other], text, score_cutoff=100 * threshold) / 100
            if alike >= threshold:
                pairs.append((other, index, alike))
        lsh.insert(index, sketch)
    return sorted(pairs)


def nearest(text: str, corpus: Sequence[str]) -> tuple[int, float] | None:
    """Index and similarity of the masked text most like this one; None for an empty corpus."""
    best = process.extractOne(text, corpus, scorer=fuzz.ratio)
    return None if best is None else (best[2], best[1] / 100)


def all_near(text: str, corpus: Sequence[str], threshold: float) -> list[tuple[int, float]]:
    """Index and similarity of every masked text at least so much like this one, in order; compares with each."""
    found = process.extract(text, corpus, scorer=fuzz.ratio, score_cutoff=100 * threshold, limit=None)
    return sorted((index, score / 100) for _, score, index in found)


def _sketch(text: str) -> RMinHash:
    sketch = RMinHash(num_perm=PERMUTATIONS, seed=42)
    whole = text.encode("utf-8", "replace").decode("utf-8")
    sketch.update([whole[i : i + size] for size in GRAMS for i in range(max(1, len(whole) - size + 1))])
    return sketch
