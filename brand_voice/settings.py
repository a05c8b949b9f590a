"""Settings: one TOML file, secrets from the environment, read once in the shell.

A teacher's key never stands in the file: `api_key_env` names the variable that holds it.
"""

import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError

from brand_voice.errors import SettingsError
from brand_voice.records import Record, Sampling

RECORDED = "recorded"
"""Name of the teacher that replays the brands' recordings; always there, needs no settings."""
NOBODY = "none"
"""Instead of a teacher's name: there is none."""


class Endpoint(Record):
    """An OpenAI-compatible chat endpoint."""

    name: str
    base_url: str
    model: str
    api_key: SecretStr | None = None
    usd_per_million_in: float | None = Field(default=None, ge=0)
    usd_per_million_out: float | None = Field(default=None, ge=0)
    distillation_permitted: bool = False
    is_recorded: bool = False
    connect_timeout_s: float = Field(default=10, gt=0)
    read_timeout_s: float = Field(default=120, gt=0)
    max_attempts: int = Field(default=4, ge=1, le=10)
    max_concurrency: int = Field(default=8, ge=1, le=512)
    wants_metadata: bool = False
    """Send brief hash and candidate as request metadata; only the recorded teacher asks for it."""
    knows_frequency_penalty: bool = True
    """`transformers serve` (5.19) takes it for a repetition penalty, which counts the prompt."""
    chat_template_kwargs: dict[str, bool] = Field(default_factory=dict)
    """For the student: `{"enable_thinking": false}`, so that serving renders as training did."""


class TeacherSettings(Record):
    """One `[teachers.NAME]` table."""

    base_url: str
    model: str
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; none for a local server."""
    usd_per_million_in: float | None = Field(default=None, ge=0)
    usd_per_million_out: float | None = Field(default=None, ge=0)
    distillation_permitted: bool = False
    """Whether the provider's terms allow training on its answers. Off until you have read them."""
    max_concurrency: int = Field(default=8, ge=1, le=512)
    read_timeout_s: float = Field(default=120, gt=0)
    max_attempts: int = Field(default=4, ge=1, le=10)


class TrainingSettings(Record):
    """LoRA training; defaults are for the embedded student (validation of tidewater). A real model wants 1e-4..3e-4."""

    epochs: float = Field(default=3, gt=0)
    max_steps: int = -1
    """Stops earlier than `epochs` when positive."""
    learning_rate: float = Field(default=2e-3, gt=0)
    batch_size: int = Field(default=8, ge=1)
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    max_length: int = Field(default=512, ge=32)
    """Tokens of prompt and completion together; a longer pair stops the run, nothing is cut."""
    renames: Literal["auto", "on", "off"] = "auto"
    """Change name, numbers and offer of a pair in every later epoch, in brief and copy alike. `auto`: for the embedded
    student, which would learn them by heart."""
    seed: int = 0


class SnapshotSettings(Record):
    """What of the approved copy is taken into a snapshot, and how much of it counts."""

    half_life_days: float = Field(default=180, ge=0, allow_inf_nan=False)
    """Approvals that much older than the newest one count half in training, never less than a quarter. 0: all count
    alike."""
    student_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the training pairs that the student may have written itself, approved as they were; the newest stay."""


class PreferenceSettings(Record):
    """DPO on edits, on top of an adapter; off unless `--preference dpo` asks for it."""

    beta: float = Field(default=0.1, gt=0)
    """How firmly the adapter is held to what it was before: higher is firmer."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """For the embedded student, a quarter of its own training's. A real model wants 5e-6..5e-5."""
    epochs: float = Field(default=1, gt=0)
    batch_size: int = Field(default=8, ge=1)
    min_pairs: int = Field(default=30, ge=1)
    """Edits in the training split under which it is refused: few pairs teach their own wording, not a preference."""


class RefreshSettings(Record):
    """From new approvals to the next adapter."""

    min_new: int = Field(default=20, ge=1)
    """Approvals since the live adapter's snapshot under which there is nothing new."""
    samples: int = Field(default=3, ge=1)
    """Texts a golden brief that an adapter writes to be judged."""


class ServeSettings(Record):
    """The student's server."""

    mode: Literal["auto", "merged", "lora"] = "auto"
    """`merged`: one adapter merged into the base (fastest on CPU). `lora`: adapters on one base (GPU). `auto` picks."""
    backend: Literal["auto", "vllm", "transformers"] = "auto"
    """`auto`: vLLM where it is installed, `transformers serve` elsewhere (macOS); the latter knows no API key."""
    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=1, le=65_535)
    """None takes a free one."""
    kv_cache_gib: int = Field(default=1, ge=1)
    max_model_len: int = Field(default=1_024, ge=64)
    max_lora_rank: int = Field(default=16, ge=1)
    enforce_eager: bool = False
    """Skip compilation: starts in a third of the time, answers more slowly."""
    ready_timeout_s: float = Field(default=300, gt=0)


class GatewaySettings(Record):
    """The brand's own endpoint, which stands before the student's server."""

    host: str = "127.0.0.1"
    """Another address needs API keys, and so does a name in `hosts`."""
    port: int | None = Field(default=None, ge=1, le=65_535)
    """None takes a free one."""
    hosts: tuple[str, ...] = ()
    """Names it answers to besides its own address: what a proxy in front sends as `Host`."""
    deadline_s: float = Field(default=120, gt=0)
    """What a request may take, waiting for an engine that restarts included; of a stream, what each piece may take."""
    max_body_bytes: int = Field(default=262_144, ge=1_024)
    max_n: int = Field(default=4, ge=1)
    """Texts of one request."""
    max_tokens: int = Field(default=1_024, ge=1)
    """Tokens of one text, also where a request has no `max_tokens`."""
    max_in_flight: int = Field(default=256, ge=1)
    """Requests at a time; beyond that the answer is 503."""


class MarginSettings(Record):
    """How far below its reference an adapter may lie and still count as no worse, as shares."""

    all_pass: float = Field(default=0.05, gt=0, lt=1)
    """Texts without a blocking finding."""
    truth: float = Field(default=0.03, gt=0, lt=1)
    """Texts whose facts are all in the brief."""
    reading: float = Field(default=0.10, gt=0, lt=0.5)
    """Blind votes: the win rate below one half."""
    voice: float = Field(default=0.05, gt=0, lt=1)
    """Texts that the masked judge gives to the brand."""
    diversity: float = Field(default=0.05, gt=0, lt=1)
    """One less the similarity of a side's texts to one another."""


class CascadeSettings(Record):
    """Student first, then the best of several, then the teacher."""

    best_of: int = Field(default=4, ge=1, le=16)
    """Texts of the student, the first included, before anybody else is asked."""
    teacher: str = RECORDED
    """Who is asked then: a configured teacher, `recorded` (which knows the demo brands' briefs only), or `none`."""
    max_usd: float = Field(default=1.0, ge=0)
    """What the teacher may cost in a day (UTC) of serving, or in a run of `write --cascade`."""
    teacher_timeout_s: float = Field(default=30, gt=0)
    """How long somebody who waits for an answer waits for the teacher; a batch has the teacher's own limit."""
    max_false_alarms: float = Field(default=0.1, gt=0, lt=1)
    """Of the texts that the rules pass, the share that `calibrate` may let be handed over for their uncertainty."""


class Settings(Record):
    """Everything that can be changed without editing code."""

    teacher: str = RECORDED
    teachers: dict[str, TeacherSettings] = Field(default_factory=dict)
    student: str | None = None
    """Path or hub id of the base student; none for the one shipped in `data/base-student`."""
    training: TrainingSettings = TrainingSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    preference: PreferenceSettings = PreferenceSettings()
    refresh: RefreshSettings = RefreshSettings()
    serve: ServeSettings = ServeSettings()
    gateway: GatewaySettings = GatewaySettings()
    judge: str | None = None
    """One of `[teachers.NAME]`: the model that judges the two sides of an evaluation; none asks nobody."""
    judge_max_cost_usd: float | None = Field(default=5.0, ge=0)
    """What a judge may cost, an evaluation."""
    judge_pairs: int = Field(default=100, ge=1)
    """Pairs a judge reads, an evaluation; those that people voted on come first."""
    margins: MarginSettings = MarginSettings()
    cascade: CascadeSettings = CascadeSettings()
    teacher_sampling: Sampling = Sampling(temperature=0.8, max_new_tokens=400)
    student_sampling: Sampling = Sampling(temperature=0.3, frequency_penalty=0.4)
    """For the embedded student, chosen on validation."""
    machine_usd_per_hour: float | None = Field(default=None, ge=0)
    """What the machine that serves the student costs; without it no cost of the student is printed."""

    def teacher_endpoint(self, name: str) -> Endpoint:
        """Resolve a configured teacher, with its key from the environment.

        Raises:
            SettingsError: no such teacher, or its key's variable is not set.
        """
        teacher = self.teachers.get(name)
        if teacher is None:
            known = ", ".join([RECORDED, *self.teachers])
            raise SettingsError(
                f"no teacher named {name!r}; known: {known}",
                remedy=f"add a [teachers.{name}] table with base_url and model to brand_voice.toml",
            )
        key = os.environ.get(teacher.api_key_env) if teacher.api_key_env else None
        if teacher.api_key_env and not key:
            raise SettingsError(
                f"teacher {name!r} takes its key from {teacher.api_key_env}, which is not set",
                remedy=f"export {teacher.api_key_env}=...",
            )
        fields = teacher.model_dump(exclude={"api_key_env"})
        return Endpoint(name=name, api_key=SecretStr(key) if key else None, **fields)


def load(path: Path | None) -> Settings:
    """Read a TOML settings file; `None` or an absent default gives the defaults.

    Raises:
        SettingsError: unreadable, not TOML, an unknown key or a value out of range.
    """
    if path is None:
        return Settings()
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as exc:
        raise SettingsError(f"cannot read {path}: {exc.strerror}", remedy="check --config") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{path} is not TOML: {exc}", remedy="correct the line named above") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{path}: {where}: {first['msg']}; saw {first['input']!r}",
            remedy="correct the setting; brand_voice/settings.py has every name",
        ) from exc
