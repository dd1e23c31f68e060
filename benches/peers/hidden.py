"""Hides AVX-512 from everything that is measured, so that it runs as on a machine with AVX2."""
import os
import platform
import subprocess
from pathlib import Path

from measurement import Failure

ISA = "avx2"
SOURCE = Path(__file__).with_name("hide_avx512.c")


def hide(folder: Path) -> None:
    """Makes processes that start from now on see a processor without AVX-512.

    Raises `Failure` where that cannot be done.
    """
    if platform.machine() != "x86_64" or "cpuid_fault" not in Path("/proc/cpuinfo").read_text():
        raise Failure("this processor cannot hide its instructions (cpuid_fault in /proc/cpuinfo)")
    library = folder.resolve() / "hide_avx512.so"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    os.environ["LD_PRELOAD"] = str(library)


def shown() -> dict[str, str]:
    """The environment of a process from which nothing is hidden: compilers have their own handlers."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
