"""How much is measured: enough for a table, or just enough to see that a benchmark runs."""

from typing import NamedTuple


class Scale(NamedTuple):
    """Sizes of all benchmarks."""

    screening_s: float = 3.0
    """CPU seconds per brand."""
    simulated: int = 10_000
    """Evaluations drawn for each row on intervals."""
    stored_drafts: int = 100_000
    """Drafts behind the review queue, half of them waiting."""
    claims: int = 300
    """Drafts taken from the store, per filter."""
    decisions: int = 100
    """Drafts decided on in the browser, per filter."""
    rows: int = 2048
    """Briefs of one run of `write`."""
    trial_rows: int = 1024
    """Briefs to warm up with, and half of those the plain client's concurrency is chosen by."""
    pairs: int = 3
    """Runs of `write`, each followed by one of the plain client."""
    concurrency: tuple[int, ...] = (32, 64, 128)
    """What the plain client is tried with; the fastest is taken."""
    chosen_rows: int = 256
    """Rows of a run that keeps the best of several samples."""
    best_of: tuple[int, ...] = (1, 2, 4, 8)
    batched: int = 256
    """Prompts for transformers in batches."""
    single: int = 32
    """Prompts for transformers one by one."""
    adapter_steps: int = 120
    """Training steps of the adapter that writes."""
    training_pairs: int | None = None
    """Training pairs; none for all."""
    validation_pairs: int = 48
    epochs: float | None = None
    """Of both sides; none for each side's own default."""
    evaluations: int = 24
    """Points of a validation curve in one epoch."""
    ladder_pairs: int = 160
    """Training pairs that one line of the ladder is timed on."""
    real_size_steps: int = 20
    """Training steps of the student of a real model's shape."""
    real_size_rows: int = 16
    """Requests it is asked at once."""
    spoilt_steps: int = -1
    """Training steps of the adapters that the gate is shown; -1 for three epochs."""
    golden_samples: int = 3
    """Texts of each for a golden brief."""
    gate_draws: int = 2_000
    """Simulated adapters a figure."""
    gateway_requests: int = 1_000
    """Requests one by one, directly and through the gateway; at many connections twice as many."""
    is_eager: bool = False
    """Serve without compilation: quick to start, slow to write."""


FULL = Scale()
QUICK = Scale(
    screening_s=0.2,
    simulated=20,
    stored_drafts=3_000,  # enough that its narrowest filter does not run out
    claims=10,
    decisions=5,
    rows=24,
    trial_rows=24,
    pairs=1,
    concurrency=(8,),
    chosen_rows=8,
    best_of=(1, 2),
    batched=8,
    single=2,
    adapter_steps=4,
    training_pairs=32,
    validation_pairs=8,
    epochs=2,
    evaluations=2,
    ladder_pairs=16,
    real_size_steps=3,
    real_size_rows=2,
    spoilt_steps=4,
    golden_samples=1,
    gate_draws=50,
    gateway_requests=50,
    is_eager=True,
)
