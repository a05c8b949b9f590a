"""What the student does once it is trained: it is served, writes batches and is set beside the teacher."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from brand_voice import answer_files, brief_files, evaluate, generate, serve, snapshot, write
from brand_voice.chat import Chat
from brand_voice.context import Context, saved
from brand_voice.errors import ServeError
from brand_voice.loop import screen_drafts
from brand_voice.prompts import student_messages
from brand_voice.records import AdapterManifest, Brief, Draft, Split, content_hash
from brand_voice.registry import find
from brand_voice.shipped import shipped

HELD_OUT: tuple[Split, ...] = ("test", "unseen_product")


@contextmanager
def serving(context: Context, adapter: AdapterManifest) -> Iterator[serve.StudentServer]:
    """The running server if it serves this adapter, or one for as long as the block runs."""
    workspace = context.workspace
    running = serve.attach(workspace.server_file)
    if running is not None and adapter.name in running.models:
        yield running
        return
    with start_server(context, adapter) as server:
        yield server


def start_server(context: Context, adapter: AdapterManifest, *others: AdapterManifest) -> serve.StudentServer:
    """Start a server for an adapter, and others of the same student, on the student they were trained on.

    Raises:
        ServeError: the adapters are of different students, or the server does not start.
    """
    workspace, settings = context.workspace, context.settings
    strangers = [other.name for other in others if other.student_hash != adapter.student_hash]
    if strangers:
        raise ServeError(
            f"{', '.join(strangers)} and {adapter.name} were trained on different students",
            remedy="serve adapters of one student together",
        )
    with context.waiting("start server"):
        return serve.start(
            _base(adapter),
            {each.name: workspace.adapters / each.name for each in (adapter, *others)},
            settings.serve,
            work=workspace.merged,
            log=workspace.server_log,
            notify=context.notify,
        )


def load_adapter(context: Context, server: serve.StudentServer, adapter: AdapterManifest) -> None:
    """Load an adapter into a running server; see `serve.load_adapter`."""
    serve.load_adapter(server, _base(adapter), context.workspace.adapters / adapter.name)


def _base(adapter: AdapterManifest) -> str:
    """The student an adapter was trained on: a folder or a hub id."""
    return str(shipped("data") / "base-student") if adapter.student == "base-student" else adapter.student


def compare(
    context: Context, adapter_name: str | None, server: serve.StudentServer | None = None
) -> evaluate.Evaluation:
    """Let the student answer the held-out briefs and set the answers beside the teacher's; the report is saved."""
    workspace, brand, store = context.workspace, context.brand, context.store
    adapter = find(workspace.adapters, brand.guide.id, adapter_name)
    folder = workspace.snapshots / adapter.snapshot
    sides = {b.hash: snapshot.split_of(b, is_unseen=brand.is_unseen(b)) for b in store.briefs(brand.guide.id)}
    # All held-out briefs, not only those whose copy was approved: that would flatter the teacher.
    briefs = {b.hash: b for b in store.briefs(brand.guide.id) if sides[b.hash] in HELD_OUT}
    with (
        nullcontext(server) if server else serving(context, adapter) as running,
        Chat(running.endpoint(adapter.name)) as chat,
    ):
        answered, seconds = _answer(context, adapter, chat, list(briefs.values()))
    # One text a brief: the newest first take.
    teacher = {d.brief_hash: d for d in store.drafts(brand.guide.id, author="teacher") if d.candidate == 0}
    screen_drafts(context)
    screened = store.screenings(brand.guide.id)

    def scored(drafts: Iterable[Draft]) -> list[evaluate.Scored]:
        return [
            evaluate.Scored(briefs[d.brief_hash], d, screened.get((d.id, 0)) if d.is_ok else None, sides[d.brief_hash])
            for d in drafts
            if d.brief_hash in briefs
        ]

    price = context.settings.machine_usd_per_hour
    report = evaluate.evaluate(
        adapter,
        scored(teacher.values()),
        scored(answered),
        snapshot.load(folder, "train"),
        student_usd=seconds / 3_600 * price if price is not None and seconds else None,
    )
    save_report(report, workspace.evaluations)
    return report


def save_report(report: evaluate.Evaluation, parent: Path) -> Path:
    """Write `report.json` and `report.md` into a folder of their own."""
    folder = parent / f"{report.adapter}-{content_hash(report.model_dump(mode='json'))[:6]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(evaluate.markdown(report) + "\n", encoding="utf-8")
    (folder / "report.json").write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return folder


def _answer(context: Context, adapter: AdapterManifest, chat: Chat, briefs: list[Brief]) -> tuple[list[Draft], float]:
    """The student's drafts for these briefs, asked for where missing, and the seconds the asking took."""
    brand, store, sampling = context.brand, context.store, context.settings.student_sampling
    wanted = list(
        generate.requests(
            briefs,
            lambda b: student_messages(brand.guide, b),
            author="student",
            model=adapter.name,
            sampling=sampling,
        )
    )
    store.save_brand_briefs(briefs)
    done = store.ok_draft_ids(brand.guide.id)
    missing = list({r.draft_id: r for r in wanted if r.draft_id not in done}.values())
    started = time.monotonic()
    drafts = generate.generate(missing, chat, sampling, adapter=adapter.name)
    fresh = list(saved(context.track(drafts, "student answers", len(missing)), store.save_drafts))
    seconds = time.monotonic() - started
    known = (store.draft(r.draft_id) for r in wanted if r.draft_id in done)
    return [*fresh, *(d for d in known if d is not None)], seconds if len(fresh) == len(wanted) else 0.0


class Batch(NamedTuple):
    """What `write` is asked for."""

    briefs: Path
    out: Path
    takes: write.Takes = write.Takes()
    adapter: str | None = None


def write_batch(context: Context, batch: Batch) -> write.Progress:
    """Answer a file of briefs with the student and write the answers to a file; a second run does what is missing.

    Raises:
        InputError: the file holds no briefs, or the output cannot be written.
        ArtifactError: there is no adapter.
    """
    brand, settings = context.brand, context.settings
    answer_files.check_output(batch.out, source=batch.briefs)
    rows = brief_files.read_briefs(batch.briefs, brand=brand.guide, products=brand.products)
    adapter = find(context.workspace.adapters, brand.guide.id, batch.adapter)
    job = write.pin_job(
        rows,
        brand.guide,
        model=adapter.name,
        adapter=adapter.name,
        sampling=settings.student_sampling,
        takes=batch.takes,
    )
    with serving(context, adapter) as server, Chat(server.endpoint(adapter.name)) as chat:
        student = write.Student(chat, lambda: server.is_alive, settings.machine_usd_per_hour)
        steps = write.write(rows, job, brand, student=student, store=context.store)
        progress = _followed(context, steps, len(rows))
    answer_files.write_answers(batch.out, context.store.answers(job.id))
    return progress


def _followed(context: Context, steps: Iterable[write.Progress], total: int) -> write.Progress:
    """Draw a job's progress row by row; returns the last one."""
    latest: list[write.Progress] = []

    def rows() -> Iterator[int]:
        shown = 0
        for progress in steps:
            latest[:] = [progress]
            yield from range(shown, progress.answered)
            shown = progress.answered

    for _ in context.track(rows(), "write", total):
        pass
    return latest[0]
