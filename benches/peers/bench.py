#!/usr/bin/env python3
"""Compares record-minmax with other runtimes on all cores of this machine.

Run: make bench [MODELS="resnet50 mlp"] [PEERS="litert openvino"] [SECONDS=5] [ROUNDS=3] [CORES=N] [ISA=avx2]

Prints a table for every model and writes bench.md and bench.json into the folder --out.
docs/performance.md explains what is measured.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import group
import hidden
import machine
from catalogue import MODELS, PEERS, Peer
from measurement import Case, Failure
from program import TITLE, Program
from report import ModelResult, Pair, Report, model_markdown

HERE = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [peer.name for peer in PEERS]
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME",
                        help=f"of {', '.join(MODELS)}, or NAME.tflite in the folder of models")
    parser.add_argument("--peers", nargs="+", default=names, choices=names, metavar="NAME",
                        help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of every peer")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--isa", choices=[hidden.ISA],
                        help="hide what the processor has beyond that from all that is measured")
    parser.add_argument("--program", type=Path, default=TARGET / "release" / "record-minmax")
    parser.add_argument("--folder", type=Path, default=Path("models"), help="models and datasets")
    parser.add_argument("--out", type=Path, default=Path("out"), help="results")
    return parser.parse_args()


def make_models(folder: Path, names: list[str]) -> None:
    command: list[str | Path] = [sys.executable, HERE / "make_models.py", folder, *names]
    # A failure concerns single models, has been explained, and shows again where they are missing.
    subprocess.run(command, check=False)


def load_case(folder: Path, name: str) -> Case:
    tflite = folder / f"{name}.tflite"
    if not tflite.exists():
        raise Failure(f"{tflite} is missing")
    command: list[str | Path] = [sys.executable, HERE / "tflite_model.py", tflite]
    described = subprocess.run(command, capture_output=True, text=True)
    if described.returncode != 0:
        raise Failure(described.stderr.strip().splitlines()[-1])
    facts = json.loads(described.stdout)
    files = (tflite, folder / f"{name}.onnx", folder / f"{name}.h5")
    return Case(name, *files, inputs=facts["inputs"], flops=facts["flops"])


def measure_model(
    program: Program, case: Case, peers: list[Peer], seconds: float, rounds: int
) -> ModelResult:
    """Runs record-minmax and a peer in turn, peer after peer, as many times as there are rounds."""
    start_up = program.start_up_seconds()
    result = ModelResult(case.name, case.flops, start_up, program.records_for(seconds, start_up))
    # Changes the dataset to the final number of records, and warms up.
    program.run(result.records)
    for round_number in range(1, rounds + 1):
        for peer in peers:
            if peer.title in result.left_out:
                continue
            ours = program.run_again(result.records)
            try:
                theirs = group.measure(peer, case, seconds, program.cores)
            except Failure as failure:
                result.left_out[peer.title] = str(failure)
                say(f"{peer.title} is left out: {failure}")
                continue
            result.pairs.setdefault(peer.title, []).append(Pair(ours, theirs))
            say(f"{case.name}, round {round_number} of {rounds}: {TITLE} {ours.rate:.1f}, "
                f"{peer.title} {theirs.rate:.1f} records/s")
    return result


def main() -> int:
    arguments = parse_arguments()
    if not arguments.program.exists():
        say(f"error: {arguments.program} is missing\nhint: build it with `make build`")
        return 1
    make_models(arguments.folder, arguments.models)
    settings = {"seconds": arguments.seconds, "rounds": arguments.rounds}
    report = Report(
        machine.describe(arguments.program, arguments.cores, arguments.isa), settings)
    if arguments.isa:
        try:
            hidden.hide(arguments.out)
        except Failure as failure:
            say(f"error: {failure}")
            return 1
    peers = [peer for peer in PEERS if peer.name in arguments.peers]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.models:
        try:
            case = load_case(arguments.folder, name)
            program = Program(arguments.program.resolve(), case, arguments.cores,
                              arguments.out / "bench.rmm")
            result = measure_model(program, case, peers, arguments.seconds, arguments.rounds)
        except Failure as failure:
            report.left_out[name] = str(failure)
            say(f"{name} is left out: {failure}")
            continue
        report.models.append(result)
        report.note_peak(machine.peak(arguments.cores, arguments.isa))
        # After every model, so that an interrupted run leaves what it has measured.
        report.write(arguments.out)
        print("\n".join(model_markdown(result, report.machine["peak"]["gflops"])), end="\n\n",
              flush=True)
    report.write(arguments.out)
    return 0 if report.models else 1


if __name__ == "__main__":
    sys.exit(main())
