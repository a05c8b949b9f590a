"""Who answers a request: the alias resolved when it arrives, the canary's share drawn, an engine waited for.

While a newly promoted adapter is not served yet, the one that was live before goes on answering; so a promotion loses
no request, and neither does a rollback.
"""

import asyncio
import random
import time
from typing import NamedTuple

from brand_voice.gateway.fleet import Engine, Fleet
from brand_voice.gateway.live_view import LiveView
from brand_voice.gateway.refusals import RefusedError, unavailable

LOOK_AGAIN_S = 0.05


class Target(NamedTuple):
    """An engine and the adapter to name to it."""

    engine: Engine
    adapter: str


class Router:
    """Resolves model names; for the event loop's thread."""

    def __init__(self, view: LiveView, fleet: Fleet, default: str) -> None:
        """Prepare; `default` answers for the alias as long as nothing was promoted."""
        self._view = view
        self._fleet = fleet
        self._default = default

    @property
    def alias(self) -> str:
        """The brand's id."""
        return self._view.brand

    @property
    def live(self) -> str:
        """The adapter the alias stands for."""
        return self._view.standing().live or self._default

    @property
    def share(self) -> float:
        """The canary's share of the traffic, as far as it is served."""
        standing = self._view.standing()
        return standing.share if standing.canary and self._fleet.engine(standing.canary) else 0.0

    @property
    def retry_after_s(self) -> float:
        """When it may be worth asking again, where nobody answers."""
        return self._fleet.retry_after_s

    def models(self) -> tuple[str, ...]:
        """Every name that may be asked for, the alias first."""
        return (self.alias, *self._fleet.adapters())

    def told(self, model: str) -> str:
        """A model's name for log and metrics: a name of ours, or nothing of what a stranger sent."""
        return model if model == self.alias or model in self._fleet.adapters() else "unknown"

    def pick(self, model: str) -> Target | None:
        """Who answers now; None where somebody will once an engine has started.

        Raises:
            RefusedError: nobody answers under this name.
        """
        for adapter in self._adapters(model):
            engine = self._fleet.engine(adapter)
            if engine is not None:
                return Target(engine, adapter)
        self._check(model)
        former = self._fleet.leading if model == self.alias else ""
        engine = self._fleet.engine(former)
        return Target(engine, former) if engine else None

    def standing_by(self) -> Target | None:
        """Who answers for the alias now, if anybody does."""
        try:
            return self.pick(self.alias)
        except RefusedError:
            return None

    async def wait(self, model: str, deadline: float) -> Target:
        """Who answers, as soon as somebody does; `deadline` is on the monotonic clock.

        Raises:
            RefusedError: nobody answers under this name, or nobody did in time.
        """
        while (target := self.pick(model)) is None:
            if time.monotonic() >= deadline:
                raise unavailable("the engine is starting again", self.retry_after_s)
            await asyncio.sleep(LOOK_AGAIN_S)
        return target

    def _adapters(self, model: str) -> tuple[str, ...]:
        """Adapters that may answer, in this order."""
        if model != self.alias:
            return (model,) if "@" in model else ()
        standing = self._view.standing()
        canary = (standing.canary,) if standing.canary and random.random() < standing.share else ()
        return (*canary, self.live)

    def _check(self, model: str) -> None:
        known, left_out = self._fleet.adapters(), self._fleet.left_out
        if model in known or (model == self.alias and self.live not in left_out):  # the fleet looks twice a second
            return
        said = f"{self.live} is live and not served here" if model == self.alias else f"no model {model[:80]!r}"
        raise RefusedError(
            404,
            f"{said}; there are: {', '.join(self.models())}",
            code="model_not_found",
            remedy=f"ask for {self.alias!r} or an adapter of GET /v1/models",
        )
