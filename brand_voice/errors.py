"""Every error a user can meet, each with a remedy.

    BrandVoiceError            exit 1
    ├── SettingsError          a settings file or environment variable is wrong
    ├── BrandError             a brand folder cannot be read or breaks its schema
    ├── InputError             a file or brief the user gave cannot be used
    ├── ChatError              a request to a model failed; `kind` says how
    ├── CostCapError           the next paid call would pass the cap (exit 4)
    ├── StoreError             the workspace database cannot be used
    │   └── ConflictError      somebody else decided this item first
    ├── ArtifactError          a snapshot, model or adapter is missing, unfinished or not what it says
    ├── PromotionError         an adapter may not go live, or nothing can be gone back to
    ├── PeopleError            a person cannot be added, changed or let in
    ├── TrainingError          a training run cannot start or went wrong
    └── ServeError             a model server did not start, or died

Foreign errors are translated once, at the module that owns the library; anything else that escapes is a bug
and keeps its traceback. A failed *item* is not an exception: it is stored with its `FailureKind`.
"""

from typing import Literal

FailureKind = Literal[
    "timeout",  # no answer in time: the outcome is unknown and may be billed
    "unreachable",  # no connection
    "rate_limited",  # 429 after the last attempt
    "quota",  # the account is out of credit: stops the run
    "rejected",  # 4xx: the endpoint refuses the request itself
    "server_error",  # 5xx after the last attempt
    "bad_answer",  # not the protocol: HTML, truncated JSON, no choices
    "empty",  # an answer without text
    "cut_off",  # finish_reason "length"
    "refused",  # refusal or content filter
    "no_recording",  # the recorded teacher does not know this brief
]


class BrandVoiceError(Exception):
    """What happened, the value seen, what was expected; `remedy` is the command or setting to change."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class SettingsError(BrandVoiceError):
    """A settings file or environment variable is wrong."""


class BrandError(BrandVoiceError):
    """A brand folder cannot be read, or a line of it breaks the schema."""


class InputError(BrandVoiceError):
    """A file or brief the user gave cannot be used."""


class ChatError(BrandVoiceError):
    """A request to a model failed; `kind` is what the attempt is stored with."""

    def __init__(self, message: str, *, remedy: str, kind: FailureKind) -> None:
        super().__init__(message, remedy=remedy)
        self.kind = kind


class CostCapError(BrandVoiceError):
    """The next paid call would pass the cost cap."""

    exit_code = 4


class StoreError(BrandVoiceError):
    """The workspace database cannot be used."""


class ConflictError(StoreError):
    """Somebody else decided this item first."""


class ArtifactError(BrandVoiceError):
    """A snapshot, model or adapter is missing, unfinished or not what it says."""


class PromotionError(BrandVoiceError):
    """What is live cannot be changed this way; `reasons` are the gate's, one sentence each."""

    def __init__(self, message: str, *, remedy: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.reasons = reasons


class PeopleError(BrandVoiceError):
    """A person cannot be added, changed or let in."""


class TrainingError(BrandVoiceError):
    """A training run cannot start or went wrong."""


class ServeError(BrandVoiceError):
    """A model server did not start, or died."""
