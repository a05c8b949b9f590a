"""The whole loop in one command, on the embedded default: no key, no download, no GPU.

Every stage is the one its own command calls, and every one of them picks up what an earlier run left.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from brand_voice import loop, student
from brand_voice.assess import Question, assess
from brand_voice.brand import BrandFolder
from brand_voice.context import Context
from brand_voice.distill import OnStep
from brand_voice.evaluate import markdown
from brand_voice.records import AdapterManifest
from brand_voice.serve import StudentServer, publish
from brand_voice.workspace import Workspace

SPARE = 60
"""Drafts left for a reviewer where the demo is not run but loaded into the app."""
SAMPLES = 1
"""Texts that the student writes for each golden brief: enough to see, quick to get."""
Bar = Callable[[str], AbstractContextManager[OnStep]]


class Demo:
    """One run of the demo and the wall time of its stages."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        started = time.monotonic()
        self.context.notify(f"\n== {name}")
        yield
        self.seconds[name] = time.monotonic() - started

    def prepare(self, limit: int | None) -> str:
        """Generate, screen, review and freeze; returns the snapshot's name."""
        context = self.context
        with self.stage("generate"):
            drafts = loop.write_drafts(context, loop.Ask(limit=limit))
            context.notify(f"{len(drafts)} new drafts of the recorded teacher")
        with self.stage("screen"):
            loop.screen_drafts(context)
            found = context.store.counts(context.brand_id).findings
            context.notify(", ".join(f"{n} {severity}" for severity, n in found.items()) or "no findings")
        with self.stage("review"):
            context.notify(f"{loop.apply_recorded_reviews(context)} recorded verdicts applied")
        with self.stage("snapshot"):
            manifest = loop.freeze(context)
            context.notify(f"{manifest.name}: " + ", ".join(f"{k} {n}" for k, n in manifest.counts.items()))
        return manifest.name

    def train(self, snapshot: str, bar: Bar) -> AdapterManifest:
        """Distil, unless an adapter of this snapshot and these settings is there."""
        context = self.context
        known = loop.trained(context, snapshot)
        if known is not None:
            context.notify(f"\n== distill\n{known.name} is there already")
            return known
        with self.stage("distill"), bar("distill") as on_step:
            return loop.train(context, snapshot_name=snapshot, on_step=on_step)


def spared(brand: BrandFolder) -> int:
    """How many of a brand's recorded verdicts `load` leaves out: the last ones, a quarter at most."""
    return min(SPARE, len(brand.reviews) // 4)


def load(context: Context) -> None:
    """Generate, screen and review as recorded, and leave the last drafts for a person.

    The drafts left out are fixed by the recordings, so that a run that was interrupted goes on to the same end.
    """
    loop.write_drafts(context, loop.Ask())
    loop.screen_drafts(context)
    loop.apply_recorded_reviews(context, spare=spared(context.brand))


def run(
    context: Context,
    *,
    limit: int | None,
    bar: Bar,
    show: Callable[[str], None],
    open_app: Callable[[Workspace, StudentServer], None] | None,
) -> None:
    """Run the loop for one brand; the report goes to `show`, then `open_app` is called with the running student."""
    demo = Demo(context)
    snapshot = demo.prepare(limit)
    adapter = demo.train(snapshot, bar)
    with demo.stage("serve"):
        server = student.start_server(context, adapter)
    with server:
        with demo.stage("evaluate"):
            assessed = assess(context, Question(adapter.name, samples=SAMPLES), server)
        show(markdown(assessed.report))
        for name, seconds in demo.seconds.items():
            context.notify(f"{name:>10} {seconds:6.1f} s")
        context.notify(f"{'together':>10} {sum(demo.seconds.values()):6.1f} s")
        if open_app is not None:
            publish(server, context.workspace.server_file)
            open_app(context.workspace, server)
