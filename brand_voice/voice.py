"""Which brand a text sounds like, once its topic is taken out.

A classifier on raw copy is fooled by the brief's own words: a list of facts alone names the right brand every time. So
the words of the brief and of every brand's catalogue are hidden, numbers too, and neighbouring gaps are made one. With
that alone the brief's bare fields are still told apart three times in four, by the small words between the gaps, so
whole phrases of the brief are hidden too. What stays is function words, punctuation, rhythm and general vocabulary.
Approved copy teaches it; short copy does not say much, and a score is read against the teacher's own.

It does not know whether a text is true, good or allowed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from brand_voice.records import Brief, BriefProduct
from brand_voice.screen.similar import masked, nearest
from brand_voice.screen.text import fold

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FUNCTION_WORDS = frozenset(
    """
    a about above after again all almost already also although always am an and another any anybody anyone anything are
    aren around as at away back be because been before behind being below between both but by can cannot could couldn
    d did didn do does doesn doing don done down during each either else enough even ever every everybody everyone
    everything few first for from get gets getting give gives go goes going got had has hasn have haven having he her
    here hers herself him himself his how however i if in instead into is isn it its itself just keep keeps last least
    less let lets like ll m made make makes many may maybe me mean means might mine more most much must my myself need
    needs neither never next no nobody none nor not nothing now of off often on once one ones only onto or other others
    our ours ourselves out over own part perhaps put puts quite rather re really s same say says see seem seems several
    shall she should shouldn since so some somebody someone something sometimes still such t take takes than that the
    their theirs them themselves then there these they thing things this those though through till to together too
    toward two under until up upon us use used uses using ve very want wants was wasn way we well were weren what
    whatever when where which while who whole whom whose why will with within without won would wouldn yes yet you your
    yours yourself
    """.split()
)
"""Closed-class words and the most general verbs: they carry voice and no topic, and are never hidden."""
GAP = "¶"
"""What stands where words or numbers of the topic stood."""
FOLDS = 5

_TOKEN = re.compile(r"[$€£]?\w*\d\w*(?:[.,:/]\w*\d\w*)*(?: ?[%°])?|[^\W\d_]+|[^\w\s]")
_GAPS = re.compile(rf"{GAP}(?:[ \-]?{GAP})+")
_ENDINGS = ("ings", "ing", "ed", "es", "ers", "er", "ly", "s", "e")


class Sample(NamedTuple):
    """A text, and the brief it answers."""

    text: str
    brief: Brief


def topic_stems(catalogue: Iterable[BriefProduct]) -> frozenset[str]:
    """Stems of the words in the products' names, categories and facts; function words are left out."""
    lines = ("\n".join((p.name, p.category, *p.facts)) for p in catalogue)
    return frozenset(stem for line in lines for stem in _stems(line) if _is_topic(stem))


def without_topic(sample: Sample, stems: frozenset[str]) -> str:
    """The text folded, its topic turned into gaps.

    Hidden are numbers, the words of `stems` and of the brief, and two or three neighbouring words as the brief has
    them, function words and commas among them: else a fact is known by what is left between its words.
    """
    brief = sample.brief
    said = [_stems(line) for line in (*brief.said().split("\n"), (brief.audience or "").replace("_", " "))]
    hidden = stems | {stem for line in said for stem in line if _is_topic(stem)}
    phrases = {phrase for line in said for _, phrase in _phrases(line) if any(map(_is_topic, phrase))}
    text = fold(sample.text)
    tokens = list(_TOKEN.finditer(text))
    read = [_stem(token.group()) for token in tokens]
    places = {place for place, stem in enumerate(read) if stem in hidden or _has_digit(stem)}
    places |= {start + k for start, phrase in _phrases(read) if phrase in phrases for k in range(len(phrase))}
    for place in sorted(places, reverse=True):
        text = text[: tokens[place].start()] + GAP + text[tokens[place].end() :]
    return _GAPS.sub(GAP, text)


class VoiceJudge:
    """Tells brands apart by how their copy is written; made by `fit`.

    Five judges, each of which has not seen a fifth of the briefs: a text is judged by the one that has not seen the
    approved text most like it, or else a text that recites would be recognised by its words.
    """

    def __init__(self, judges: "Sequence[Pipeline]", corpus: "_Corpus", stems: frozenset[str]) -> None:
        self._judges = judges
        self._corpus = corpus
        self._stems = stems

    @classmethod
    def fit(
        cls, copy: Mapping[str, Sequence[Sample]], catalogue: Iterable[BriefProduct], *, seed: int = 0
    ) -> "VoiceJudge":
        """Learn from approved copy by brand id; `catalogue` holds the products of all of them."""
        from sklearn.model_selection import StratifiedGroupKFold

        stems = topic_stems(catalogue)
        known = [(sample, brand) for brand, samples in copy.items() for sample in samples]
        texts = [without_topic(sample, stems) for sample, _ in known]
        brands = [brand for _, brand in known]
        briefs = [sample.brief.hash for sample, _ in known]
        judges, unseen_by = [], [0] * len(known)
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(texts, brands, briefs)
        for number, (seen, left_out) in enumerate(folds):
            judges.append(_pipeline(seed).fit([texts[i] for i in seen], [brands[i] for i in seen]))
            for index in left_out:
                unseen_by[index] = number
        return cls(judges, _Corpus([masked(s.text, s.brief) for s, _ in known], texts, brands, unseen_by), stems)

    @property
    def cross_validated(self) -> float:
        """Share of the approved texts assigned to their own brand by the judge that has not seen their brief."""
        corpus = self._corpus
        heard = self._heard(corpus.texts, corpus.unseen_by)
        return sum(a == b for a, b in zip(heard, corpus.brands, strict=True)) / len(heard)

    def recall(self, brand: str) -> float:
        """Of a brand's own approved texts, the share that the judge which has not seen their brief gives to it."""
        corpus = self._corpus
        own = [place for place, known in enumerate(corpus.brands) if known == brand]
        heard = self._heard([corpus.texts[i] for i in own], [corpus.unseen_by[i] for i in own])
        return heard.count(brand) / len(own)

    def brands_of(self, samples: Sequence[Sample]) -> list[str]:
        """The brand each text sounds like most."""
        likest = [nearest(masked(sample.text, sample.brief), self._corpus.masked) for sample in samples]
        judges = [self._corpus.unseen_by[found[0]] if found else 0 for found in likest]
        return self._heard([without_topic(sample, self._stems) for sample in samples], judges)

    def _heard(self, texts: Sequence[str], judges: Sequence[int]) -> list[str]:
        """What each text's judge says."""
        heard = [""] * len(texts)
        for number, judge in enumerate(self._judges):
            places = [place for place, chosen in enumerate(judges) if chosen == number]
            if places:
                for place, brand in zip(places, judge.predict([texts[p] for p in places]), strict=True):
                    heard[place] = str(brand)
        return heard


class _Corpus(NamedTuple):
    """The approved texts a judge learned from."""

    masked: list[str]
    """As near-duplicates are compared."""
    texts: list[str]
    """Without their topic."""
    brands: list[str]
    unseen_by: list[int]
    """The judge that has not seen the text."""


def _pipeline(seed: int) -> "Pipeline":
    """Words and punctuation in ones and twos, letters within words, a linear judge.

    Cross-validated, neither longer n-grams, letters across words, sentence lengths nor another penalty did better.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2)
    judge = LogisticRegression(C=4.0, max_iter=2_000, class_weight="balanced", random_state=seed)
    return make_pipeline(make_union(words, letters), judge)


def _stems(line: str) -> list[str]:
    return [_stem(token) for token in _TOKEN.findall(fold(line))]


def _phrases(stems: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every two and three neighbours, with the place of the first."""
    for size in (2, 3):
        for start in range(len(stems) - size + 1):
            yield start, tuple(stems[start : start + size])


def _is_topic(stem: str) -> bool:
    return stem[0].isalnum() and stem not in FUNCTION_WORDS


def _has_digit(stem: str) -> bool:
    return any(map(str.isdigit, stem))


def _stem(word: str) -> str:
    """The word without a common English ending, so that "roasted" hides "roasting"; a function word stays whole."""
    if word in FUNCTION_WORDS:
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word
