"""A batch of briefs through the cascade: `write --cascade`. Rows are answered side by side and committed as they come.

What `write` says of jobs holds here: pinned at the start, a second run finds its answers and asks only for what is
missing. Best-of, threshold, teacher and budget are part of the job; so a higher budget is another job, whose student
writes anew but whose teacher's texts are taken from the store.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from typing import TypeVar

from brand_voice import answer_files, brief_files, cascade, write
from brand_voice.brief_files import Row
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.desk import Desk
from brand_voice.errors import ChatError, InputError
from brand_voice.promotion import adapter_of
from brand_voice.records import Answer, Job, content_hash
from brand_voice.settings import Settings
from brand_voice.student import Batch, followed, serving

ROWS_AT_A_TIME = 32
"""Rows under way; each has up to `best_of` texts under way at the student's server, which queues what is too much."""
HOPELESS = 20
"""So many rows without a text, and none with one, end a run."""
T = TypeVar("T")
R = TypeVar("R")


def write_batch(context: Context, batch: Batch, max_cost_usd: float | None = None) -> write.Progress:
    """Answer a file of briefs with the cascade and write the answers to a file; a second run does what is missing.

    Args:
        context: the brand, its settings and the store.
        batch: the files; its `best_of`, where over one, takes the place of the setting's.
        max_cost_usd: what the teacher may cost in this run; none takes `cascade.max_usd`.

    Raises:
        InputError: several variants are wanted, the file holds no briefs, or the output cannot be written.
        ArtifactError: there is no adapter.
        ServeError: the student's server died; what was answered is stored.
        ChatError: nobody answers any more; what was answered is stored.
    """
    if batch.takes.variants > 1:
        raise InputError("the cascade delivers one text a brief", remedy="leave --variants out, or --cascade")
    context = context._replace(settings=_settings(context, batch, max_cost_usd))
    brand, settings = context.brand, context.settings
    answer_files.check_output(batch.out, source=batch.briefs)
    rows = brief_files.read_briefs(batch.briefs, brand=brand.guide, products=brand.products)
    adapter = adapter_of(context, batch.adapter)
    with (
        serving(context, adapter) as server,
        Chat(server.endpoint(adapter.name)) as chat,
        cascade.opened(context, chat, run_usd=settings.cascade.max_usd) as asks,
    ):
        context.notify(asks.decides)
        job = pin_job(context, rows, asks)
        student = write.Student(chat, lambda: server.is_alive, settings.machine_usd_per_hour)
        progress = followed(context, answered(context, rows, job, asks, student=student), len(rows))
    answer_files.write_answers(batch.out, context.store.answers(job.id))
    return progress


def pin_job(context: Context, rows: Sequence[Row], asks: cascade.Cascade) -> Job:
    """The job these rows make with this cascade."""
    settings = context.settings
    takes = write.Takes(best_of=settings.cascade.best_of)
    job = write.pin_job(
        rows,
        context.brand.guide,
        model=asks.adapter,
        adapter=asks.adapter,
        sampling=settings.student_sampling,
        takes=takes,
    )
    pinned = [job.id, "cascade", asks.teacher, asks.min_mean_logprob, settings.cascade.max_usd]
    return job.model_copy(update={"id": content_hash(pinned)})


def answered(
    context: Context, rows: Sequence[Row], job: Job, asks: cascade.Cascade, *, student: write.Student
) -> Iterator[write.Progress]:
    """Answer every row that has no answer yet; the answers are in the store when the progress is told.

    Raises:
        ServeError, ChatError: as `write_batch`.
    """
    desk = Desk(rows, context.store.start_job(job), context.brand, student.is_alive)
    ledger = write.Ledger(desk, context.store, student.machine_usd_per_hour)
    desk.reuse(context.store.answers(job.id))
    ledger.add(desk.invalid())
    written: list[cascade.Asked] = []
    failed = 0

    def commit() -> write.Progress:
        asks.keep(written)
        written.clear()
        return ledger.commit()

    try:
        yield commit()
        with closing(side_by_side(lambda row: _ask(row, desk, asks), desk.missing, ROWS_AT_A_TIME)) as done:
            for row, asked in done:
                if isinstance(asked, cascade.Asked):
                    written.append(asked)
                    desk.asked += len(asked.tries)
                    desk.unblocked += sum(tried.is_publishable for tried in asked.tries)
                elif (failed := failed + 1) >= HOPELESS and not desk.asked:
                    raise asked
                ledger.add([desk.settle(_answer(row, job, asked))])
                if ledger.is_due:
                    yield commit()
    finally:
        last = commit()
    yield last


def side_by_side(act: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[tuple[T, R], None, None]:
    """Do something for each item in daemon threads; yield item and result as they come, raise what one raised.

    Whoever stops early waits for nothing: what is not begun is dropped, what is under way ends with the process.
    """
    todo: queue.SimpleQueue[T] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[T, Future[R]]] = queue.SimpleQueue()
    number = 0
    for number, item in enumerate(items, start=1):  # noqa: B007  counted beyond the loop
        todo.put(item)

    def work() -> None:
        while True:
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            future: Future[R] = Future()
            try:
                future.set_result(act(item))
            except BaseException as exc:  # noqa: BLE001  a bug must surface in the caller's thread
                future.set_exception(exc)
            done.put((item, future))

    for _ in range(min(threads, number)):
        threading.Thread(target=work, name="cascade", daemon=True).start()
    try:
        for _ in range(number):
            item, future = done.get()
            yield item, future.result()
    finally:
        while not todo.empty():
            try:
                todo.get_nowait()
            except queue.Empty:
                break


def _settings(context: Context, batch: Batch, max_cost_usd: float | None) -> Settings:
    changed: dict[str, object] = {} if max_cost_usd is None else {"max_usd": max_cost_usd}
    changed |= {"best_of": batch.takes.best_of} if batch.takes.best_of > 1 else {}
    settings = context.settings
    return settings.model_copy(update={"cascade": settings.cascade.model_copy(update=changed)})


def _ask(row: Row, desk: Desk, asks: cascade.Cascade) -> cascade.Asked | ChatError:
    """A row's answer, or why it has none; a server that has ended must not cost a teacher's text for every row."""
    desk.check_alive()
    assert row.brief is not None, "only rows with a brief are missing"
    try:
        return asks.ask(row.brief)
    except ChatError as error:
        return error


def _answer(row: Row, job: Job, asked: cascade.Asked | ChatError) -> Answer:
    if isinstance(asked, ChatError):
        return Answer(job_id=job.id, row=row.index, id=row.id, status="failed", reason=asked.message, model=job.model)
    draft, screening, by, why, _, cost_usd, _ = asked.answered
    return Answer(
        job_id=job.id,
        row=row.index,
        id=row.id,
        status="blocked" if screening.blocks else "ok",
        text=draft.text,
        reason="; ".join(finding.message for finding in screening.blocks) or None,
        findings=screening.findings,
        model=draft.model,
        adapter=draft.adapter,
        tokens=draft.usage.completion_tokens or None,
        latency_ms=draft.latency_ms,
        cost_usd=cost_usd,
        by=by,
        why=why,
    )
