"""What the student does once it is trained: it is served and writes batches."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from brand_voice import answer_files, brief_files, serve, write
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.errors import ServeError
from brand_voice.promotion import adapter_of
from brand_voice.records import AdapterManifest
from brand_voice.shipped import shipped


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
    strangers = [other.name for other in others if other.student_hash != adapter.student_hash]
    if strangers:
        raise ServeError(
            f"{', '.join(strangers)} and {adapter.name} were trained on different students",
            remedy="serve adapters of one student together",
        )
    return _start(context, adapter, [each.name for each in (adapter, *others)])


def start_base(context: Context, adapter: AdapterManifest) -> serve.StudentServer:
    """Start a server for the student that an adapter was trained on, without any adapter.

    Raises:
        ServeError: the server does not start.
    """
    return _start(context, adapter, [])


def _start(context: Context, adapter: AdapterManifest, names: Sequence[str]) -> serve.StudentServer:
    workspace = context.workspace
    with context.waiting("start server"):
        return serve.start(
            _base(adapter),
            {name: workspace.adapters / name for name in names},
            context.settings.serve,
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
    adapter = adapter_of(context, batch.adapter)
    job = write.pin_job(
        rows,
        brand.guide,
        model=adapter.name,
        adapter=adapter.name,
        sampling=settings.student_sampling,
        takes=batch.takes,
    )
    with ExitStack() as stack:
        student = None
        if not write.is_answered(rows, job, brand, context.store):
            server = stack.enter_context(serving(context, adapter))
            chat = stack.enter_context(Chat(server.endpoint(adapter.name)))
            student = write.Student(chat, lambda: server.is_alive, settings.machine_usd_per_hour)
        steps = write.write(rows, job, brand, student=student, store=context.store)
        progress = followed(context, steps, len(rows))
    answer_files.write_answers(batch.out, context.store.answers(job.id))
    return progress


def followed(context: Context, steps: Iterable[write.Progress], total: int) -> write.Progress:
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
