"""Execute a workflow, or take an execution, and follow it live in the terminal.

    python -m scripts.follow examples/docs-digest.json
    python -m scripts.follow EXECUTION

Ends with 0 if the execution completed, 1 if it failed or was cancelled, 2 if it could not
be followed, 130 on Ctrl-C (the execution itself goes on).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live

from contract.errors import RunroomError
from contract.events import AnyEvent
from contract.execution import ExecutionState, Record, apply, initial
from scripts.rendering import ending, exit_code, line, log_line, screen
from scripts.viewer import Ahead, Trouble, Viewer

URL = "http://127.0.0.1:3001"


class Display(AbstractContextManager["Display"]):
    """Where a followed execution is shown. Use it with `with`."""

    @abstractmethod
    def begin(self, state: ExecutionState) -> None: ...

    @abstractmethod
    def show(self, state: ExecutionState, event: AnyEvent) -> None: ...

    @abstractmethod
    def notice(self, text: str) -> None:
        """Say something about the connection."""

    @abstractmethod
    def end(self, state: ExecutionState) -> None: ...


class Lines(Display):
    """One line an event, for files, pipes and CI.

    Args:
        first: the first seq to print.
    """

    def __init__(self, console: Console, first: int) -> None:
        self._console = console
        self._first = first

    def __exit__(self, *_: object) -> None:
        """Nothing to leave behind."""

    def begin(self, state: ExecutionState) -> None:
        self._print(f"following {state.execution_id} of {state.workflow_name}")

    def show(self, state: ExecutionState, event: AnyEvent) -> None:
        if event.seq >= self._first:
            self._print(line(event))

    def notice(self, text: str) -> None:
        self._print(text)

    def end(self, state: ExecutionState) -> None:
        for each in ending(state):
            self._print(each)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Screen(Display):
    """Log lines stream upwards; below them the progress and the nodes stay and change."""

    def __init__(self, console: Console, first: int) -> None:
        self._console = console
        self._first = first
        self._state: ExecutionState | None = None
        self._notice = ""
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def begin(self, state: ExecutionState) -> None:
        self._state = state

    def show(self, state: ExecutionState, event: AnyEvent) -> None:
        self._state = state
        text = log_line(event)
        if text is not None and event.seq >= self._first:
            self._console.print(text)

    def notice(self, text: str) -> None:
        self._notice = text

    def end(self, state: ExecutionState) -> None:
        self._state = state
        self._live.stop()
        for each in ending(state):
            self._console.print(each, markup=False, highlight=False)

    def _render(self) -> Any:
        if self._state is None:
            return ""
        rows = max(3, self._console.height - 4)
        return screen(self._state, datetime.now(UTC), rows=rows, notice=self._notice)


async def follow(viewer: Viewer, record: Record, display: Display) -> ExecutionState:
    """Show the execution until it ends; its last state."""
    while True:
        state = initial(record)
        display.begin(state)
        try:
            async with aclosing(viewer.events(record.execution_id)) as events:  # type: ignore[type-var]
                async for event in events:
                    state = apply(state, event)
                    display.show(state, event)
            display.end(state)
            return state
        except Ahead:
            display.notice("the server has begun anew: from the first event")


async def find(viewer: Viewer, target: str, given: Any) -> Record:
    """The execution that the command's argument means, made if it is a workflow.

    Raises:
        Trouble: there is no such thing.
    """
    path = Path(target)
    if target.endswith(".json") or path.is_file():
        workflow_id = await viewer.create(read(path))
    else:
        record = await viewer.record(target)
        if record is not None:
            if given is not None:
                raise Trouble(f"{target} is an execution: --input is for a workflow")
            return record
        workflow_id = target
    execution_id = await viewer.execute(workflow_id, given)
    record = None if execution_id is None else await viewer.record(execution_id)
    if record is None:
        raise Trouble(
            f"{target} is no file, execution or workflow that you may see",
            "a file is like examples/docs-digest.json; ids are listed by GET /api/executions",
        )
    return record


def read(path: Path) -> Any:
    """The workflow in a file.

    Raises:
        Trouble: it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Trouble(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise Trouble(f"{path} is not JSON: {error}") from None


async def run(options: argparse.Namespace, console: Console) -> int:
    """Do what the command line asks; the exit code."""
    with ExitStack() as stack:
        kind = Screen if console.is_terminal else Lines
        display = kind(console, options.first)
        async with Viewer(options.url, options.token, display.notice) as viewer:
            record = await find(viewer, options.target, options.input)
            options.execution_id = record.execution_id
            stack.enter_context(display)
            return exit_code(await follow(viewer, record, display))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.follow",
        description="Execute a workflow, or take an execution, and follow it live.",
    )
    parser.add_argument(
        "target",
        metavar="EXECUTION_OR_FILE",
        help="an execution's id; or a workflow's JSON file or id, which is then executed",
    )
    parser.add_argument("--url", default=URL, help="the server (%(default)s)")
    parser.add_argument(
        "--token",
        default=os.environ.get("RUNROOM_TOKEN") or None,
        help="default: RUNROOM_TOKEN, else one that a development server gives",
    )
    parser.add_argument("--input", type=_json, metavar="JSON", help="the execution's input")
    parser.add_argument(
        "--from",
        dest="first",
        type=int,
        default=1,
        metavar="SEQ",
        help="the first event to print (%(default)s)",
    )
    return parser.parse_args(arguments)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is not JSON: {error}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = parse_arguments(arguments)
    options.execution_id = None
    console = Console()
    problems = Console(stderr=True)
    try:
        return asyncio.run(run(options, console))
    except Trouble as trouble:
        problems.print(f"{trouble}", style="red", markup=False, highlight=False, soft_wrap=True)
        if trouble.advice:
            problems.print(trouble.advice, markup=False, highlight=False, soft_wrap=True)
        return 2
    except RunroomError as error:
        problems.print(f"the server broke the contract: {error}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        if options.execution_id is not None:
            again = f"python -m scripts.follow {options.execution_id}"
            again += f" --url {options.url}" if options.url != URL else ""
            problems.print(
                f"stopped watching; the execution goes on. To watch again: {again}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        return 130


if __name__ == "__main__":
    sys.exit(main())
