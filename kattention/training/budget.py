"""The length of a training, and its learning rate."""

import math
import time
from typing import Any

import keras


class Budget(keras.callbacks.Callback):
    """Spends a budget of steps or of wall-clock minutes, then stops.

    The learning rate follows the share that is spent: it rises linearly to its
    peak over `warmup` and falls along a cosine to zero at the end.

    Args:
        peak: The highest learning rate.
        warmup: Share of the budget in which it rises.
        steps: Budget in steps, counted since the start of training.
        minutes: Budget in minutes instead.
        spent: `(steps, seconds)` that an earlier process spent before it
            stopped.

    Raises:
        ValueError: Not exactly one of `steps` and `minutes` is given, a number
            is out of its range, or the backend is JAX, whose trainer takes no
            learning rate from callbacks between the steps of an epoch.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with
    Warm Restarts" (2017), section 3.
    """

    def __init__(
        self,
        peak: float,
        warmup: float = 0.1,
        *,
        steps: int | None = None,
        minutes: float | None = None,
        spent: tuple[int, float] = (0, 0.0),
    ) -> None:
        super().__init__()
        if keras.backend.backend() == "jax":
            raise ValueError(
                "Budget sets the learning rate at each step, which the jax backend "
                "does not take from callbacks: use keras.optimizers.schedules"
            )
        if (steps is None) == (minutes is None):
            raise ValueError(
                f"give either steps or minutes, got steps={steps}, minutes={minutes}"
            )
        for name, budget in (("steps", steps), ("minutes", minutes)):
            if budget is None:
                continue
            if not budget > 0:
                raise ValueError(f"{name} must be above 0, got {budget}")
            self._whole = budget
        if not 0 <= warmup < 1:
            raise ValueError(f"warmup must be in [0, 1), got {warmup}")
        self.peak = peak
        self.warmup = warmup
        self.steps = steps
        self.minutes = minutes
        self.spent_steps, self._seconds_before = spent
        self._began: float | None = None
        self._counted = 0

    @property
    def spent_seconds(self) -> float:
        now = time.monotonic()
        return self._seconds_before + (now - self._began if self._began else 0.0)

    @property
    def share(self) -> float:
        """The share of the budget that is spent, in [0, 1]."""
        spent = self.spent_seconds / 60 if self.steps is None else self.spent_steps
        return min(spent / self._whole, 1.0)

    def learning_rate(self) -> float:
        """The rate at the present share."""
        if self.share < self.warmup:
            # Not 0 at the first step.
            return self.peak * max(self.share / self.warmup, 0.01)
        rest = (self.share - self.warmup) / (1 - self.warmup)
        return self.peak * 0.5 * (1 + math.cos(math.pi * rest))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._began = self._began or time.monotonic()
        self._counted = int(self.model.optimizer.iterations)

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self.model.optimizer.learning_rate = self.learning_rate()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        # With `steps_per_execution` there are several steps between two calls.
        counted = int(self.model.optimizer.iterations)
        self.spent_steps += counted - self._counted
        self._counted = counted
        if self.share >= 1:
            self.model.stop_training = True
