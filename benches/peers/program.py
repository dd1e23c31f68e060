"""Measures record-minmax itself: the whole program, from the dataset to the recording."""
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from measurement import Case, Failure, Measurement

TITLE = "record-minmax"
# A shorter run says too little about the rate.
PROBE_SECONDS = 1.0


@dataclass(frozen=True)
class Program:
    """The program as it is run for one model."""

    path: Path
    case: Case
    cores: int
    recording: Path

    def run(self, records: int) -> Measurement:
        """Records that many records; the time is that of the whole process."""
        self._set_records(records)
        return self.run_again(records)

    def run_again(self, records: int) -> Measurement:
        """Runs once more over as many records as the last time."""
        command: list[str | Path] = [
            self.path, "record", "--input-model", self.case.tflite, "--input-data",
            self.case.dataset, "--checkpoint", self.recording, "--overwrite", "--progress", "none",
            "--num-threads", str(self.cores),
        ]
        start = time.monotonic()
        with tempfile.TemporaryFile("w+") as messages:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
            # Not `process.wait`, which keeps the resources used to itself.
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                messages.seek(0)
                raise Failure(messages.read().partition("error: ")[2])
        return Measurement(records, seconds, usage.ru_maxrss * 1024)

    def start_up_seconds(self) -> float:
        """The time of a run over a single record."""
        return min(self.run(1).seconds for _ in range(3))

    def records_for(self, seconds: float, start_up: float) -> int:
        """How many records take about that long."""
        records = self.cores
        while True:
            working = self.run(records).seconds - start_up
            if working >= PROBE_SECONDS:
                return max(1, round(records * seconds / working))
            records *= 2

    def _set_records(self, records: int) -> None:
        # A process of its own, because memory of this one counts as the program's: the maximum that
        # the kernel keeps begins before the program is loaded.
        subprocess.run(
            [
                sys.executable, Path(__file__).with_name("make_dataset.py"), self.case.dataset,
                "--inputs", json.dumps(self.case.inputs), "--records", str(records),
            ],
            check=True,
        )
