"""Results as tables and as JSON."""
import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from measurement import Measurement
from program import TITLE

COLUMNS = ["", "records/s", "best", "ratio", "GFLOP/s", "of peak", "MB"]
LEGEND = (
    "records/s: median and best of all runs; ratio: record-minmax to this runtime, median over "
    "pairs of runs; GFLOP/s and share of the peak: at the best rate; MB: peak memory."
)


@dataclass(frozen=True)
class Pair:
    """A run of record-minmax and the run of a peer right after it."""

    ours: Measurement
    theirs: Measurement


@dataclass
class ModelResult:
    """Everything measured for one model."""

    name: str
    flops: int
    start_up_seconds: float
    records: int
    # Pairs by the peer's title, and why a peer was left out.
    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    """A whole run of the benchmark."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    models: list[ModelResult] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def note_peak(self, peak: dict[str, Any]) -> None:
        """Keeps the largest limit found: other programs can only lower it."""
        self.machine["peak"] = max(self.machine["peak"], peak, key=lambda it: it["gflops"])

    def write(self, folder: Path) -> None:
        """Writes bench.json and bench.md."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bench.json").write_text(json.dumps(asdict(self), indent=2) + "\n")
        (folder / "bench.md").write_text(self.markdown())

    def markdown(self) -> str:
        peak = self.machine["peak"]
        versions = ", ".join(f"{name} {it}" for name, it in self.machine["versions"].items())
        lines = [
            f"{self.machine['date']}; {self.machine['cpu']}, {self.machine['cores']} cores; "
            f"multiply-add limit of all cores {peak['gflops']:.0f} GFLOP/s ({peak['isa']}); "
            f"{versions}; {self.settings['rounds']} rounds of {self.settings['seconds']:g} s.",
            "",
            LEGEND,
        ]
        for model in self.models:
            lines += ["", *model_markdown(model, peak["gflops"])]
        lines += [f"\n{name} is left out: {_one_line(why)}" for name, why in self.left_out.items()]
        return "\n".join(lines) + "\n"


def model_markdown(model: ModelResult, peak: float) -> list[str]:
    """A heading, a table with a row for every runtime, and what was left out."""
    ours = [pair.ours for pairs in model.pairs.values() for pair in pairs]
    rows = [COLUMNS, [":--", *["--:"] * (len(COLUMNS) - 1)]]
    if ours:
        rows.append(_row(TITLE, ours, "", model.flops, peak))
    for title, pairs in model.pairs.items():
        ratio = statistics.median(pair.ours.rate / pair.theirs.rate for pair in pairs)
        theirs = [pair.theirs for pair in pairs]
        rows.append(_row(title, theirs, f"{ratio:.2f}", model.flops, peak))
    return [
        f"### {model.name}",
        "",
        f"{model.flops / 1e9:.2f} GFLOP a record; {model.records} records a run of record-minmax, "
        f"its start-up of {model.start_up_seconds:.2f} s included.",
        "",
        *_aligned(rows),
        *[f"\n{title} is left out: {_one_line(why)}" for title, why in model.left_out.items()],
    ]


def _row(title: str, runs: list[Measurement], ratio: str, flops: int, peak: float) -> list[str]:
    median = statistics.median(run.rate for run in runs)
    best = max(run.rate for run in runs)
    gflops = best * flops / 1e9
    memory = max(run.peak_bytes for run in runs) / 1e6
    share = f"{100 * gflops / peak:.0f} %"
    return [title, f"{median:.1f}", f"{best:.1f}", ratio, f"{gflops:.1f}", share, f"{memory:.0f}"]


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return [
        "| " + " | ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ) + " |"
        for row in rows
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())
