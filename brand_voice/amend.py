"""A brand's guide gets a rule: the workspace's copy of the folder becomes the next version.

A shipped brand is copied into the workspace first, whole. The new folder is read before anything takes the old guide's
place, which then happens by one rename; the former guide stays in `versions/brand.<version>.yaml` and is taken back by
copying it over `brand.yaml`. One writer at a time, among threads and processes, by a lock on a file beside the folder.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from brand_voice.brand import BrandFolder, load_brand, read_brand
from brand_voice.errors import BrandError, InputError
from brand_voice.guide_text import Rule, ruled, with_rule

GUIDE = "brand.yaml"


@contextmanager
def amended(brand_id: str, rule: Rule, brands: Path) -> Iterator[BrandFolder]:
    """Add a rule to the brand in the workspace's folder `brands`; nobody else adds one until the block ends.

    Raises:
        InputError: the guide says so already.
        BrandError: unknown brand, a guide that cannot be edited in place, or the disk refuses.
    """
    with ExitStack() as turn:
        with _translated(brand_id, brands):
            brands.mkdir(parents=True, exist_ok=True)
            lock = turn.enter_context((brands / f".{brand_id}.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder = _written(load_brand(brand_id, brands), rule, brands)
        yield folder


@contextmanager
def _translated(brand_id: str, brands: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise BrandError(
            f"cannot write the brand {brand_id} to {brands}: {exc.strerror}",
            remedy="check the permissions and the space on that disk; the guide is as it was",
        ) from exc


def _written(old: BrandFolder, rule: Rule, brands: Path) -> BrandFolder:
    wanted = ruled(old.guide, rule)
    if wanted == old.guide:
        raise InputError(f"the guide of {old.guide.name} has that rule already", remedy="reload the suggestions")
    before = (old.path / GUIDE).read_bytes().decode("utf-8-sig")
    target = brands / old.guide.id
    # Two folders deep, where nobody looks for brands.
    with tempfile.TemporaryDirectory(dir=brands, prefix=".amending-") as place:
        staged = Path(shutil.copytree(old.path, Path(place) / old.guide.id))
        staged.chmod(0o755)
        _write(staged / GUIDE, with_rule(before, rule))
        former = staged / "versions" / f"brand.{old.guide.version}.yaml"
        former.parent.mkdir(exist_ok=True)
        _write(former, before)
        new = read_brand(staged)
        if new.guide != wanted:
            raise BrandError(
                f"{old.path / GUIDE} is written in a way that a rule cannot be added to",
                remedy="add the rule by hand; README, Rules, shows where",
            )
        if target == old.path:
            (target / "versions").mkdir(exist_ok=True)
            former.replace(target / "versions" / former.name)
            (staged / GUIDE).replace(target / GUIDE)
        else:
            staged.rename(target)
    return new.model_copy(update={"path": target})


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # the copy of a read-only file is one too
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
