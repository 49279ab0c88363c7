"""`make bench`: all servers under the same load, and what is asked of the figures.

    python -m scripts.bench [--runs N] [--only NAME …]

The page `docs/benchmarks.md` is written when everything was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections import defaultdict

from rich.console import Console

from scripts.bench import machine, report
from scripts.bench.bars import Medians
from scripts.bench.measures import Figures
from scripts.bench.plan import PLAN, Measurement

RUNS = 5


async def measure(plan: list[Measurement], runs: int, console: Console) -> Medians:
    """Run everything `runs` times, the servers in turn, so that a noisy minute hits all."""
    found: dict[str, dict[str, list[Figures]]] = defaultdict(lambda: defaultdict(list))
    for run in range(1, runs + 1):
        for measurement in plan:
            for row, attempt in measurement.tries.items():
                with console.status(f"run {run} of {runs}: {measurement.title}: {row}"):
                    found[measurement.name][row].append(await attempt())
            if not console.is_terminal:
                console.print(f"run {run} of {runs}: {measurement.name}")
    return {
        name: {row: _median(figures) for row, figures in rows.items()}
        for name, rows in found.items()
    }


def _median(runs: list[Figures]) -> Figures:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Measure, print, write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure side by side.")
    parser.add_argument("--runs", type=int, default=RUNS, help="medians of so many runs (5)")
    parser.add_argument(
        "--only", nargs="+", choices=[measurement.name for measurement in PLAN], metavar="NAME",
        help=f"measure some only: {', '.join(measurement.name for measurement in PLAN)}",
    )  # fmt: skip
    chosen = parser.parse_args()
    machine.allow_many_files()
    console = Console()
    plan = [one for one in PLAN if not chosen.only or one.name in chosen.only]
    medians = asyncio.run(measure(plan, chosen.runs, console))
    report.show(console, medians)
    if not chosen.only:
        report.write(medians, chosen.runs)
        console.print(f"written: {report.PAGE.relative_to(report.PAGE.parents[1])}")


if __name__ == "__main__":
    main()
