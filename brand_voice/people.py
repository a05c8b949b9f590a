"""People who sign in to the app: names, roles, passwords, and how often a wrong password may be tried.

A password is known here for the length of one call: what is kept is its scrypt hash with salt and parameters, and no
error tells a part of it. Knows neither the store nor the page.
"""

import hashlib
import hmac
import secrets
import time
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Literal, get_args

from pydantic import Field

from brand_voice.errors import PeopleError
from brand_voice.records import Record, now

Role = Literal["copywriter", "reviewer", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what the ones before it may."""
MAX_NAME = 60
MIN_PASSWORD = 10
SCRYPT = (2**15, 8, 3)
"""N, r and p of new hashes: OWASP's password storage cheat sheet, 32 MiB a hash."""
UNKNOWN = f"scrypt${'$'.join(map(str, SCRYPT))}${'00' * 16}${'00' * 32}"
"""What a password is held against where there is no such person, so that the answer takes as long."""

FREE_FAILURES = 5
"""Wrong passwords in a row before a name waits."""
FIRST_WAIT_S = 30.0
"""Doubles with every further failure."""
LONGEST_WAIT_S = 900.0
MAX_RECENT = 30
"""Wrong passwords of all names in `WINDOW_S` before everybody waits."""
WINDOW_S = 60.0
MAX_NAMES = 1_000
"""Names whose failures are counted; at `MAX_RECENT` a window none is pushed out before its longest wait is over."""


class Person(Record):
    """Somebody who may sign in, or once could: people are deactivated, never deleted."""

    name: str
    role: Role
    is_active: bool = True
    created_at: str = Field(default_factory=now)

    def may(self, least: Role) -> bool:
        """Whether this person may do what needs a role of at least this rank."""
        return self.is_active and ROLES.index(self.role) >= ROLES.index(least)


def checked_name(name: str) -> str:
    """The name as it is stored: composed, spaces single.

    Raises:
        PeopleError: empty, too long, or with characters that are not seen.
    """
    stored = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(stored) <= MAX_NAME or not stored.isprintable():
        raise PeopleError(
            f"a name has 1 to {MAX_NAME} printable characters; this one has {len(stored)}: {stored[:80]!r}",
            remedy="choose another name",
        )
    return stored


def name_key(name: str) -> str:
    """What two names must not share: case, width and spaces are no difference."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def checked_role(role: str) -> Role:
    """A role by name.

    Raises:
        PeopleError: no such role.
    """
    for known in ROLES:
        if role == known:
            return known
    raise PeopleError(f"no role {role!r}", remedy=f"choose one of: {', '.join(ROLES)}")


def hashed(password: str) -> str:
    """`scrypt$N$r$p$salt$hash`, salt and hash in hex.

    Raises:
        PeopleError: the password is too short; the message does not tell it.
    """
    if len(password) < MIN_PASSWORD:
        raise PeopleError(
            f"a password has at least {MIN_PASSWORD} characters; this one has {len(password)}",
            remedy="choose a longer one, for example four words that do not belong together",
        )
    salt = secrets.token_bytes(16)
    return "$".join(("scrypt", *map(str, SCRYPT), salt.hex(), _scrypt(password, salt, SCRYPT).hex()))


def is_right(password: str, kept: str | None) -> bool:
    """Whether a password has this hash; for nobody's (None) it never has, after the same work."""
    _, n, r, p, salt, digest = (kept or UNKNOWN).split("$")
    found = _scrypt(password, bytes.fromhex(salt), (int(n), int(r), int(p)))
    return hmac.compare_digest(found, bytes.fromhex(digest)) and kept is not None


def _scrypt(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    # Lone surrogates pass, too: the error that refuses them would carry the password along.
    secret = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    n, r, p = cost
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


class Throttle:
    """Failed sign-ins of a running app, in memory; for one thread. Unknown names count like known ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without failures; `clock` tells seconds."""
        self._clock = clock
        self._in_a_row: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, and when the name is free again
        self._recent: deque[float] = deque(maxlen=MAX_RECENT)

    def wait_s(self, name: str) -> float:
        """Seconds until a password for this name may be tried; 0 for at once."""
        moment = self._clock()
        _, free_at = self._in_a_row.get(_counted(name), (0, moment))
        if len(self._recent) == MAX_RECENT:
            free_at = max(free_at, self._recent[0] + WINDOW_S)
        return max(0.0, free_at - moment)

    def failed(self, name: str) -> None:
        """Count a wrong password."""
        key, moment = _counted(name), self._clock()
        count = self._in_a_row.pop(key, (0, 0.0))[0] + 1
        doublings = min(count - FREE_FAILURES, 16)
        wait_s = min(FIRST_WAIT_S * 2**doublings, LONGEST_WAIT_S) if doublings >= 0 else 0.0
        self._in_a_row[key] = (count, moment + wait_s)
        self._recent.append(moment)
        while len(self._in_a_row) > MAX_NAMES:
            self._in_a_row.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the name's failures."""
        self._in_a_row.pop(_counted(name), None)


def _counted(name: str) -> str:
    """What failures are counted under; strangers may send names of any length."""
    return name_key(name)[:MAX_NAME]
