"""Runs the processes of a peer, which begin together."""
import importlib
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError

from catalogue import Peer
from measurement import Case, Failure, Measurement

# Enough to load any model; afterwards something is wrong.
START_LIMIT_SECONDS = 300
WARM_UP_SECONDS = 0.5
NOT_STARTED = "its processes did not all start"


def measure(peer: Peer, case: Case, seconds: float, cores: int) -> Measurement:
    """Runs a peer for a while on all cores.

    Raises `Failure` if one of its processes fails.
    """
    count = cores if peer.processes == "per core" else 1
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(count, timeout=START_LIMIT_SECONDS)
    readers, processes = [], []
    for _ in range(count):
        reader, writer = context.Pipe(duplex=False)
        arguments = (peer, case, seconds, cores // count, together, writer)
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        writer.close()
        readers.append(reader)
        processes.append(process)
    answers = [_receive(reader) for reader in readers]
    for process in processes:
        process.join()
    failures = [answer for answer in answers if isinstance(answer, str)]
    if failures:
        # One failure keeps the other processes from starting: it is the one to tell about.
        raise Failure(min(failures, key=lambda failure: failure == NOT_STARTED))
    records, starts, ends, memory = zip(*answers)
    return Measurement(sum(records), max(ends) - min(starts), sum(memory))


def _receive(reader: Connection) -> tuple[int, float, float, int] | str:
    try:
        return reader.recv()
    except EOFError:
        return "a process ended without an answer; perhaps memory is short"


def _work(
    peer: Peer, case: Case, seconds: float, threads: int, together: Barrier, writer: Connection
) -> None:
    """What a process of the group does. It answers with its records, the times of its start and
    end, and its memory; or with the reason of its failure."""
    # Runtimes tell about themselves there; what matters comes back as an answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        from make_dataset import read_distinct
        from runner import Job

        records = read_distinct(case.dataset)
        make = getattr(importlib.import_module(peer.module), peer.function)
        runner = make(Job(case.tflite, case.onnx, records, threads))
        runner.run_until(time.monotonic() + WARM_UP_SECONDS)
        together.wait()
        start = time.monotonic()
        count = runner.run_until(start + seconds)
        end = time.monotonic()
        held = sum(array.nbytes for record in records for array in record)
        writer.send((count, start, end, _peak_bytes() - held))
    except BrokenBarrierError:
        writer.send(NOT_STARTED)
    except Exception as error:  # whatever a runtime throws is a reason to leave it out
        together.abort()
        writer.send(f"{type(error).__name__}: {error}")


def _peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM in /proc/self/status: this needs Linux")
