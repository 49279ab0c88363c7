"""The machine under the benchmarks: cores, CPU time and memory of other processes."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


SERVER_CORE, LOAD_CORE = (_cores()[0], _cores()[1]) if len(_cores()) > 1 else (None, None)
"""What the server and the load are pinned to; None where there is nothing to choose."""


def pin(core: int | None) -> Callable[[], None] | None:
    """A `preexec_fn` that binds a process and all its threads to one core."""
    if core is None:
        return None
    return lambda: os.sched_setaffinity(0, {core})


def allow_many_files() -> None:
    """Raise the limit of open files, for this process and those it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, over all its threads, to the nanosecond.

    The clock's id is what `clock_getcpuclockid(3)` answers on Linux.
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in use now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def describe() -> str:
    """One line: processor, cores, system and the versions that matter."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return (
        f"{len(_cores())} cores of {model}, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, Node.js {node.stdout.strip().lstrip('v')}"
    )
