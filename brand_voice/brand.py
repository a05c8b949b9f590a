"""Brand folders: read, validated line by line, and started afresh.

A brand is a folder with `brand.yaml` and, as far as there are any, `products.jsonl`, `briefs.jsonl`, `teacher.jsonl`
(recorded completions) and `reviews.jsonl` (recorded verdicts). A user's folder in the workspace shadows a shipped one.
An error names file, line, field, the value seen and what was expected.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from brand_voice.errors import BrandError
from brand_voice.guide import Brand
from brand_voice.records import Brief, Product, Record, RecordedReview, Recording
from brand_voice.shipped import shipped

R = TypeVar("R", bound=Record)
FILES = ("brand.yaml", "products.jsonl", "briefs.jsonl", "teacher.jsonl", "reviews.jsonl")
"""What a brand's folder may hold; the first it must."""


class BrandFolder(Record):
    """Everything a brand's folder holds."""

    path: Path
    guide: Brand
    products: tuple[Product, ...] = ()
    briefs: tuple[Brief, ...] = ()
    recordings: tuple[Recording, ...] = ()
    reviews: tuple[RecordedReview, ...] = ()

    @property
    def catalogue(self) -> tuple[str, ...]:
        """The names of all products."""
        return tuple(p.name for p in self.products)

    @cached_property
    def unseen_skus(self) -> frozenset[str]:
        """SKUs of products that are never trained on and never retrieved from."""
        return frozenset(p.sku for p in self.products if p.sku and p.split == "unseen_product")

    @cached_property
    def unseen_names(self) -> frozenset[str]:
        """Their names, lower-case: a brief without SKU is recognised by its product's name."""
        return frozenset(p.name.lower() for p in self.products if p.split == "unseen_product")

    def is_unseen(self, brief: Brief) -> bool:
        """Whether the brief is about a product held out of training."""
        return brief.product.sku in self.unseen_skus or brief.product.name.lower() in self.unseen_names


def brand_ids(workspace_brands: Path | None = None) -> tuple[str, ...]:
    """Ids of all brands, shipped and the workspace's own."""
    parents = [shipped("data") / "brands", *filter(None, [workspace_brands])]
    return tuple(sorted({f.parent.name for p in parents if p.is_dir() for f in p.glob("*/brand.yaml")}))


def load_brand(brand_id: str, workspace_brands: Path | None = None) -> BrandFolder:
    """Load a brand by id; the workspace's own shadows a shipped one.

    Raises:
        BrandError: unknown id, or a file that breaks the schema.
    """
    return read_brand(find_brand(brand_id, workspace_brands))


def find_brand(brand_id: str, workspace_brands: Path | None = None) -> Path:
    """The folder of a brand.

    Raises:
        BrandError: unknown id.
    """
    for parent in filter(None, (workspace_brands, shipped("data") / "brands")):
        if re.fullmatch(r"[a-z0-9-]+", brand_id) and (parent / brand_id / "brand.yaml").is_file():
            return parent / brand_id
    known = ", ".join(brand_ids(workspace_brands))
    raise BrandError(
        f"no brand {brand_id!r}; there are {known}", remedy=f"brand-voice brand new {brand_id or 'my-brand'}"
    )


def read_brand(folder: Path) -> BrandFolder:
    """Read and validate one brand folder.

    Raises:
        BrandError: with file, line, field, value seen and what was expected.
    """
    guide = _read_guide(folder / "brand.yaml")
    if guide.id != folder.name:
        raise BrandError(
            f"{folder}/brand.yaml: id is {guide.id!r}, the folder is {folder.name!r}",
            remedy="give both the same name",
        )
    brand = BrandFolder(
        path=folder,
        guide=guide,
        products=_read_lines(folder / "products.jsonl", Product),
        briefs=_read_lines(folder / "briefs.jsonl", Brief),
        recordings=_read_lines(folder / "teacher.jsonl", Recording),
        reviews=_read_lines(folder / "reviews.jsonl", RecordedReview),
    )
    _check_references(brand)
    return brand


def new_brand(brand_id: str, workspace_brands: Path) -> Path:
    """Write a commented starter folder for a brand and return its path.

    Raises:
        BrandError: a bad id, or the brand exists already.
    """
    if not re.fullmatch(r"[a-z0-9-]{1,80}", brand_id):
        raise BrandError(f"{brand_id!r} is not a brand id", remedy="use lower-case letters, digits and hyphens")
    folder = workspace_brands / brand_id
    if folder.exists() or brand_id in brand_ids(workspace_brands):
        raise BrandError(f"brand {brand_id!r} exists already", remedy="choose another id, or edit that one")
    folder.mkdir(parents=True)
    starter = shipped("data") / "starter-brand"
    for source in sorted(starter.iterdir()):
        shutil.copyfile(source, folder / source.name)
        text = (folder / source.name).read_text(encoding="utf-8").replace("my-brand", brand_id)
        (folder / source.name).write_text(text, encoding="utf-8")
    return folder


def _read_guide(path: Path) -> Brand:
    text = _read_text(path)
    try:
        return Brand.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as exc:
        raise BrandError(f"{path} is not YAML: {exc}", remedy="correct the line named above") from exc
    except ValidationError as exc:
        error = exc.errors()[0]
        line = _line_of(yaml.compose(text, Loader=yaml.SafeLoader), error["loc"])
        raise BrandError(
            _describe(path, line, exc), remedy="correct the field; README, Brands, shows the schema"
        ) from exc


def _line_of(node: yaml.Node | None, loc: Iterable[int | str]) -> int:
    """Line (from 1) of the deepest node on the path that exists."""
    for step in loc:
        match node:
            case yaml.MappingNode():
                node = next((v for k, v in node.value if k.value == str(step)), node)
            case yaml.SequenceNode() if isinstance(step, int) and step < len(node.value):
                node = node.value[step]
    return node.start_mark.line + 1 if node else 1


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise BrandError(f"cannot read {path}: {exc}", remedy="save it as UTF-8 text") from exc


def _read_lines(path: Path, kind: type[R]) -> tuple[R, ...]:
    if not path.exists():
        return ()
    records = []
    # Only line feeds end a record: JSON strings may hold U+2028 and its kin, on which splitlines() would break.
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append(kind.model_validate_json(line))
        except ValidationError as exc:
            raise BrandError(_describe(path, number, exc), remedy="correct that line") from exc
    return tuple(records)


def _describe(path: Path, line: int, exc: ValidationError) -> str:
    error = exc.errors()[0]
    field = ".".join(str(part) for part in error["loc"]) or "(whole line)"
    seen = "nothing" if error["type"] == "missing" else json.dumps(error["input"], ensure_ascii=False, default=str)
    return f"{path}:{line}: {field}: {error['msg']}; saw {seen[:120]}"


def _check_references(brand: BrandFolder) -> None:
    guide = brand.guide
    for line, brief in enumerate(brand.briefs, start=1):
        for field, value, known in (
            ("brand", brief.brand, (guide.id,)),
            ("channel", brief.channel, tuple(guide.channels)),
            ("locale", brief.locale, guide.locales),
        ):
            if value not in known:
                _bad(brand, "briefs.jsonl", line, f"{field}: expected one of {', '.join(known)}; saw {value!r}")
    ids = Counter(b.id for b in brand.briefs)
    for line, brief in enumerate(brand.briefs, start=1):
        if ids[brief.id] > 1:
            _bad(brand, "briefs.jsonl", line, f"id: expected each once; saw {brief.id!r} {ids[brief.id]} times")
    recorded = {(r.brief_id, r.candidate) for r in brand.recordings}
    for line, recording in enumerate(brand.recordings, start=1):
        if recording.brief_id not in ids:
            _bad(brand, "teacher.jsonl", line, f"brief_id: expected an id of briefs.jsonl; saw {recording.brief_id!r}")
    for line, review in enumerate(brand.reviews, start=1):
        if (review.brief_id, review.candidate) not in recorded:
            seen = f"{review.brief_id!r}, candidate {review.candidate}"
            _bad(brand, "reviews.jsonl", line, f"brief_id: expected a line of teacher.jsonl; saw {seen}")


def _bad(brand: BrandFolder, file: str, line: int, what: str) -> None:
    raise BrandError(f"{brand.path / file}:{line}: {what}", remedy="correct that line")
