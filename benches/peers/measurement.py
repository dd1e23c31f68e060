"""What a run came to."""
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """Records, the wall time of all of them, and the largest memory of all processes together."""

    records: int
    seconds: float
    peak_bytes: int

    @property
    def rate(self) -> float:
        return self.records / self.seconds


@dataclass(frozen=True)
class Case:
    """A model with its files."""

    name: str
    tflite: Path
    onnx: Path
    dataset: Path
    inputs: list[list[int]]
    flops: int


class Failure(Exception):
    """Why something could not be measured."""
