"""What a measurement was made on."""
import datetime
import json
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import hidden
from catalogue import PEERS


def describe(program: Path, cores: int, isa: str | None) -> dict[str, Any]:
    """CPU, its limit (with that instruction set, or the best), date and versions."""
    return {
        "cpu": _cpu(),
        "cores": cores,
        "peak": peak(cores, isa),
        "date": datetime.date.today().isoformat(),
        "versions": {"record-minmax": _program_version(program), **_package_versions()},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def peak(threads: int, isa: str | None) -> dict[str, Any]:
    """The multiply-add limit of all threads at once: instruction set, threads and GFLOP/s."""
    command = ["cargo", "bench", "--quiet", "--bench", "peak", "--", str(threads)]
    command += [isa] if isa else []
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=hidden.shown()).stdout
    return json.loads(output)


def _program_version(program: Path) -> str:
    output = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return output.stdout.split()[-1]


def _package_versions() -> dict[str, str]:
    versions = {}
    for package in sorted({peer.package for peer in PEERS}):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # its peers are left out, with a message
    return versions
