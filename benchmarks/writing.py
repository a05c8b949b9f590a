"""Copies per second of `write`, and of everything it could be held against on the same machine and weights.

One server, as `brand-voice serve` starts it; `write` and the plain client take turns on it. Every run has other
prompts (facts in another order, another audience or occasion): the server's prefix cache would otherwise answer part
of each later run.
"""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import offline_vllm, prepared
from benchmarks.plain_client import Rate, ask_all
from benchmarks.report import Table
from benchmarks.scale import Scale
from brand_voice import answer_files, brief_files, serve, student, write
from brand_voice.backends import Plan, environment, has_gpu
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.distill import prompt_ids
from brand_voice.prompts import student_messages
from brand_voice.protocol import AttemptError
from brand_voice.records import AdapterManifest, Brief, Completion, Message, Sampling
from brand_voice.store.store import Store

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH = 64
"""Prompts in one batch of transformers' `generate`."""
WARM_UP = 6
"""The variants of a brief from here on are for warming up and for choosing the concurrency."""
CHOICE = 8
"""Those from here on are for the best of several samples."""
LAP = 12
"""Variants set aside for one pass through the briefs."""


class _Written(NamedTuple):
    """One run of `write`: all it had generated, and what it delivered."""

    rate: Rate
    rows: int
    blocked: int


def measure(context: Context, scale: Scale) -> Iterator[Table]:
    """Write with the workspace's newest adapter, in every way; then the best of several samples."""
    adapter = prepared.adapter(context, context.notify)
    settings = context.settings.serve.model_copy(update={"enforce_eager": scale.is_eager, "mode": "merged"})
    context = context._replace(settings=context.settings.model_copy(update={"serve": settings}))
    with student.start_server(context, adapter) as server:
        _write(context, adapter, server, _briefs(context, scale.trial_rows // 8, WARM_UP))  # loads what loads once
        concurrency = _saturating(context, server, scale)
        turns = [_turn(context, adapter, server, scale, (number, concurrency)) for number in range(scale.pairs)]
        chosen = {
            number: _write(context, adapter, server, _briefs(context, scale.chosen_rows, CHOICE + place), number)
            for place, number in enumerate(scale.best_of)
        }
    others = {
        "vLLM without a server": _offline(context, adapter, scale),
        f"transformers, batches of {BATCH}": _transformers(context, adapter, scale.batched, BATCH),
        "transformers, one by one": _transformers(context, adapter, scale.single, 1),
    }
    yield _table(turns, concurrency, others)
    yield _best_of_table(chosen)


def _turn(
    context: Context, adapter: AdapterManifest, server: serve.StudentServer, scale: Scale, turn: tuple[int, int]
) -> tuple[_Written, Rate]:
    """One run of `write`, then one of the plain client."""
    number, concurrency = turn
    briefs = _briefs(context, scale.rows, variant=2 * number)
    written = _write(context, adapter, server, briefs)
    plain = ask_all(server.address, bodies(context, server, _briefs(context, scale.rows, 2 * number + 1)), concurrency)
    context.notify(f"write {written.rate.copies_per_s:.1f} copies/s, plain client {plain.copies_per_s:.1f} copies/s")
    return written, plain


def _briefs(context: Context, number: int, variant: int) -> list[Brief]:
    """So many of the brand's briefs in their `variant`-th wording: same facts, another order, audience or occasion.

    Where more are wanted than there are, a brief comes again in another wording.
    """
    audiences: list[str | None] = [audience.id for audience in context.brand.guide.audience]
    occasions: list[str | None] = [*sorted({brief.occasion for brief in context.brand.briefs if brief.occasion})]
    worded = []
    for place in range(number):
        lap, index = divmod(place, len(context.brand.briefs))
        brief = context.brand.briefs[index]
        orders = itertools.permutations(brief.product.facts)
        wordings = itertools.product(orders, occasions or [None], audiences or [None])
        facts, occasion, audience = next(itertools.islice(wordings, lap * LAP + variant, None))
        product = brief.product.model_copy(update={"facts": facts})
        changes = {"id": f"{brief.id}-{lap}", "product": product, "audience": audience, "occasion": occasion}
        worded.append(brief.model_copy(update=changes))
    return worded


def bodies(context: Context, server: serve.StudentServer, briefs: Sequence[Brief]) -> list[dict[str, object]]:
    """The very requests that `write` sends."""
    endpoint = server.endpoint(server.models[0])
    sampling = context.settings.student_sampling
    return [
        {
            "model": endpoint.model,
            "messages": [message.model_dump() for message in student_messages(context.brand.guide, brief)],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "frequency_penalty": sampling.frequency_penalty,
            "max_tokens": sampling.max_new_tokens,
            "chat_template_kwargs": endpoint.chat_template_kwargs,
        }
        for brief in briefs
    ]


def _saturating(context: Context, server: serve.StudentServer, scale: Scale) -> int:
    """Warm the server up; return the concurrency at which the plain client was fastest."""
    asked = bodies(context, server, _briefs(context, scale.trial_rows, WARM_UP))
    ask_all(server.address, asked[: len(asked) // 2], max(scale.concurrency))
    asked = bodies(context, server, _briefs(context, 2 * scale.trial_rows, WARM_UP + 1))
    # There and back, so that a machine that speeds up or slows down favours none.
    trials = [*scale.concurrency, *reversed(scale.concurrency)]
    share = len(asked) // len(trials)
    rates: dict[int, list[Rate]] = defaultdict(list)
    for place, concurrency in enumerate(trials):
        rates[concurrency].append(ask_all(server.address, asked[place * share : (place + 1) * share], concurrency))
    speeds = {each: sum(r.tokens for r in done) / sum(r.seconds for r in done) for each, done in rates.items()}
    context.notify(f"plain client, tokens/s by connections: {', '.join(f'{c}: {s:,.0f}' for c, s in speeds.items())}")
    return max(speeds, key=lambda concurrency: speeds[concurrency])


class _CountingChat(Chat):
    """Counts what was generated: `write` asks again for a text with blocking findings and delivers one of the two."""

    def __init__(self, server: serve.StudentServer) -> None:
        super().__init__(server.endpoint(server.models[0]))
        self.tokens: list[int] = []

    def complete(self, messages: Sequence[Message], sampling: Sampling, **rest: Any) -> Completion:
        try:
            completion = super().complete(messages, sampling, **rest)
        except AttemptError as error:
            self.tokens += [error.usage.completion_tokens] if error.usage else []
            raise
        self.tokens.append(completion.usage.completion_tokens)
        return completion


def _write(
    context: Context, adapter: AdapterManifest, server: serve.StudentServer, briefs: Sequence[Brief], best_of: int = 1
) -> _Written:
    """What `brand-voice write briefs.jsonl --out copy.jsonl` does with a running server, from file to file."""
    chat = _CountingChat(server)
    with chat, tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "briefs.jsonl"), Path(name, "copy.jsonl")
        source.write_text("".join(brief.model_dump_json() + "\n" for brief in briefs), encoding="utf-8")
        with Store.open(Path(name, "brand_voice.db")) as store:
            started = time.perf_counter()
            brand, sampling = context.brand, context.settings.student_sampling
            rows = brief_files.read_briefs(source, brand=brand.guide, products=brand.products)
            takes = write.Takes(best_of=best_of)
            job = write.pin_job(
                rows, brand.guide, model=adapter.name, adapter=adapter.name, sampling=sampling, takes=takes
            )
            author = write.Student(chat, lambda: server.is_alive, 1.0)
            steps = write.write(rows, job, brand, student=author, store=store)
            *_, last = context.track(steps, "write", len(rows) // write.CHUNK)
            answer_files.write_answers(target, store.answers(job.id))
            seconds = time.perf_counter() - started
    assert not last.statuses["invalid"], "every row is a brief"
    return _Written(Rate(len(chat.tokens), sum(chat.tokens), seconds), last.rows, last.statuses["blocked"])


def _offline(context: Context, adapter: AdapterManifest, scale: Scale) -> Rate:
    """`vllm.LLM` in a process of its own, the same prompts and options."""
    settings, model = context.settings.serve, context.workspace.merged / adapter.name
    tokenizer = _tokenizer(model)
    guide, sampling = context.brand.guide, context.settings.student_sampling
    plan = Plan("vllm", model, adapter.name, {}, settings.max_lora_rank, settings.max_model_len, has_gpu())
    options = {"dtype": "bfloat16", "max_model_len": settings.max_model_len, "enforce_eager": settings.enforce_eager}
    job = {
        "model": str(model),
        "options": options if plan.is_gpu else options | {"block_size": 32},
        "sampling": {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "frequency_penalty": sampling.frequency_penalty,
            "max_tokens": sampling.max_new_tokens,
        },
        "rounds": [
            [prompt_ids(tokenizer, guide, brief) for brief in _briefs(context, scale.trial_rows, variant)]
            for variant in range(3)
        ],
    }
    with context.waiting("vLLM offline"), context.workspace.server_log.open("ab") as log:
        done = subprocess.run(
            [sys.executable, str(offline_vllm.__file__)],
            input=json.dumps(job).encode(),
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(plan, settings, None),
            check=True,
        )
    return _middle([Rate(*figures) for figures in json.loads(done.stdout)])


def _transformers(context: Context, adapter: AdapterManifest, number: int, batch: int) -> Rate:
    """`generate` on the merged weights, `batch` prompts at a time, padded on the left; one batch warms up."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = context.workspace.merged / adapter.name
    tokenizer = _tokenizer(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, local_files_only=True)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    guide, sampling = context.brand.guide, context.settings.student_sampling
    prompts = [prompt_ids(tokenizer, guide, brief) for brief in _briefs(context, number, 0)]
    batches = [prompts[i : i + batch] for i in range(0, len(prompts), batch)]
    _generate(model, tokenizer, batches[0][:4], sampling)
    started = time.perf_counter()
    tokens = sum(
        _generate(model, tokenizer, each, sampling)
        for each in context.track(batches, f"transformers {batch}", len(batches))
    )
    return Rate(len(prompts), tokens, time.perf_counter() - started)


def _tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, padding_side="left", local_files_only=True)


def _generate(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[list[int]], sampling: Sampling
) -> int:
    """Write one batch; return the number of tokens up to the end of each text."""
    import torch

    inputs = tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(model.device)
    with torch.inference_mode():
        outputs = model.generate(
            **inputs,
            do_sample=True,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=0,
            max_new_tokens=sampling.max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
    written = outputs[:, inputs["input_ids"].shape[1] :]
    ends = (written == tokenizer.eos_token_id).cumsum(1)
    return int((ends - (written == tokenizer.eos_token_id).int() == 0).sum())


def _table(turns: Sequence[tuple[_Written, Rate]], concurrency: int, others: Mapping[str, Rate]) -> Table:
    written, plain = [each for each, _ in turns], [rate for _, rate in turns]
    rates = {
        "`write`": _middle([each.rate for each in written]),
        f"plain client, {concurrency} connections": _middle(plain),
        **others,
    }
    rows = [(name, f"{r.copies_per_s:.1f}", f"{r.tokens_per_s:,.0f}") for name, r in rates.items()]
    copies = [each.rate.copies_per_s / other.copies_per_s for each, other in turns]
    tokens = [each.rate.tokens_per_s / other.tokens_per_s for each, other in turns]
    generated, delivered = sum(each.rate.copies for each in written), sum(each.rows for each in written)
    blocked = sum(each.blocked for each in written)
    seconds = sum(each.rate.seconds for each in written)
    notes = (
        f"`write` against the plain client on the same server: {statistics.median(copies):.0%} of its copies/s and "
        f"{statistics.median(tokens):.0%} of its tokens/s (median of {len(turns)} pairs in turn: "
        f"{', '.join(f'{ratio:.0%}' for ratio in copies)}).",
        f"A copy is a completion generated. `write` generated {generated:,} for {delivered:,} rows, because a text "
        f"with blocking findings is asked for once more ({blocked:,} were delivered as blocked): "
        f"{delivered / seconds:.1f} rows/s, screened, stored and written to a file.",
        "`write` reads and writes JSONL and commits every answer; the plain client writes bytes to sockets and keeps "
        "nothing. Prompts differ from run to run, so that no run finds the prefix cache filled by another.",
    )
    return Table("Writing", ("", "copies/s", "completion tokens/s"), rows, notes)


def _best_of_table(chosen: Mapping[int, _Written]) -> Table:
    """What keeping the best of several samples costs, and how many rows still have a blocking finding."""
    single = chosen[min(chosen)].rate.seconds
    rows = [
        (
            str(number),
            f"{written.rate.copies / written.rows:.1f}",
            f"{written.rows / written.rate.seconds:.1f}",
            f"{written.rate.seconds / single:.1f}",
            f"{1 - written.blocked / written.rows:.0%}",
        )
        for number, written in chosen.items()
    ]
    header = ("`--best-of`", "completions a row", "rows/s", "x time of one", "rows without blocking findings")
    count = chosen[min(chosen)].rows
    notes = (
        f"{count} rows each, the brand's own briefs; with `--best-of 1` a text with blocking findings is asked for "
        "once more. The machine's price of a row grows like the time.",
    )
    return Table("Writing: the best of several", header, rows, notes)


def _middle(rates: Sequence[Rate]) -> Rate:
    """The run with the median speed."""
    return sorted(rates, key=lambda rate: rate.copies_per_s)[(len(rates) - 1) // 2]
