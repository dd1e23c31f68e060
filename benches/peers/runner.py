"""What a peer's processes run."""
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Protocol

import numpy as np

Record = list[np.ndarray]


@dataclass(frozen=True)
class Job:
    """What a runner is made from; every process has its own."""

    tflite: Path
    onnx: Path
    records: list[Record]
    threads: int


class Runner(Protocol):
    """A loaded model."""

    def run_until(self, deadline: float) -> int:
        """Runs record after record until `time.monotonic()` has passed the deadline. Returns how
        many."""


class OneByOne:
    """Runs a function on one record at a time."""

    def __init__(self, records: list[Record], run: Callable[[Record], object]) -> None:
        self.records = cycle(records)
        self.run = run

    def run_until(self, deadline: float) -> int:
        count = 0
        while time.monotonic() < deadline:
            self.run(next(self.records))
            count += 1
        return count
