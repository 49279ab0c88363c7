"""The example workflows are valid, name tools that exist, and do their work offline."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from contract.execution import Graph, initial
from contract.messages import Claimed
from contract.values import Json, encode_json
from contract.workflow import Node, Workflow, parse_workflow
from executor.capture import Capture
from executor.engine import Engine
from executor.nodes.builtin import standard
from executor.nodes.context import Context
from executor.nodes.errors import ToolError
from executor.nodes.expressions import holds
from executor.nodes.plan import Call, Each, Value, plan
from executor.nodes.registry import Registry
from executor.pools.local import Local
from executor.retry import Limits
from executor.slots import Slots
from executor.work import Workshop
from tests.executor.fakes import FakeJournal, record_of

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))


def load(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "examples" / f"{name}.json").read_text("utf-8"))


class Driver:
    """The least that runs a workflow: in order of the edges, one node after the other."""

    def __init__(self, workflow: Workflow, registry: Registry, files_root: Path) -> None:
        self.workflow = workflow
        self.registry = registry
        self.files_root = files_root
        self.outputs: dict[str, Json] = {}
        self.skipped: set[str] = set()
        self.failures: list[str] = []

    async def run(self, given: Json = None) -> Json:
        scope: dict[str, Json] = {"input": given, "nodes": self.outputs}
        waiting = {node.id: node for node in self.workflow.nodes}
        while waiting:
            for node in list(waiting.values()):
                incoming = [edge for edge in self.workflow.edges if edge.target == node.id]
                if any(edge.source in waiting for edge in incoming):
                    continue
                del waiting[node.id]
                taken = [
                    e for e in incoming if e.source not in self.skipped and holds(e.when, scope)
                ]
                if incoming and not taken:
                    self.skipped.add(node.id)
                    self.outputs[node.id] = None
                    continue
                output = await self._run_node(node, scope, [edge.source for edge in incoming])
                encode_json(output, f"the output of {node.id}")
                self.outputs[node.id] = output
        outputs = [node.id for node in self.workflow.nodes if node.kind == "output"]
        assert len(outputs) == 1
        return self.outputs[outputs[0]]

    async def _run_node(self, node: Node, scope: dict[str, Json], before: list[str]) -> Json:
        work = plan(node, scope, self.registry, before)
        if isinstance(work, Value):
            return work.output
        calls = work.calls if isinstance(work, Each) else (work,)
        tries = node.retry.attempts if node.retry else 1
        items = isinstance(work, Each)
        outputs = [
            await self._call(call, node.id, index if items else None, tries)
            for index, call in enumerate(calls)
        ]
        return outputs if items else outputs[0]

    async def _call(self, call: Call, node_id: str, item: int | None, tries: int) -> Json:
        for try_ in range(1, tries + 1):
            context = Context(
                execution_id="e", node_id=node_id, try_=try_, item=item, files_root=self.files_root
            )
            try:
                bound = call.tool.bind(call.arguments, context)
                if call.tool.pool == "async":
                    return await call.tool.function(**bound)
                return await asyncio.to_thread(call.tool.function, **bound)
            except ToolError as error:
                self.failures.append(f"{node_id} try {try_}: {error}")
                if try_ == tries:
                    raise
        raise AssertionError("no try at all")


def hasten(raw: dict[str, Any]) -> dict[str, Any]:
    """The workflow with its simulated seconds divided by 100."""
    for node in raw["nodes"]:
        arguments = (node.get("config") or {}).get("arguments", {})
        if isinstance(arguments.get("seconds"), int | float):
            arguments["seconds"] /= 100
    return raw


def driver(name: str, files_root: Path = ROOT) -> Driver:
    return Driver(parse_workflow(hasten(load(name))), standard(packages=False), files_root)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for name in ("alpha", "beta"):
        text = f"# {name}\n\nThe {name} document explains the server. It is short.\n"
        (tmp_path / "docs" / f"{name}.md").write_text(text)
    return tmp_path


def test_there_are_the_promised_examples() -> None:
    names = {path.stem for path in EXAMPLES}
    promised = {"docs-digest", "code-census", "conditional-quality-gate", "simulated-pipeline"}
    assert promised <= names


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_valid_described_and_drawn(path: Path) -> None:
    workflow = parse_workflow(json.loads(path.read_text("utf-8")))
    registry = standard(packages=False)
    assert workflow.description
    places = [(n.position.x, n.position.y) for n in workflow.nodes if n.position is not None]
    assert len(set(places)) == len(workflow.nodes)
    for node in workflow.nodes:
        assert node.name
        if node.config:
            tool = registry.get(node.config["tool"])
            assert tool.name not in ("http.request", "agent"), "examples run offline"
    assert path.name in (ROOT / "examples" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_an_example_runs_to_its_end_on_this_repository(path: Path) -> None:
    result = await driver(path.stem).run()
    assert result


async def test_the_digest_reports_every_document(documents: Path) -> None:
    run = driver("docs-digest", documents)
    report = await run.run()
    assert report.startswith("# Digest\n\n2 documents, 20 words.\n")
    assert "| docs/alpha.md | 10 | 2 | 0.0 |" in report
    assert "## docs/beta.md\n\nThe beta document explains the server. It is short." in report
    assert run.skipped == {"save"}
    assert sorted(p.name for p in documents.iterdir()) == ["docs"]


async def test_the_digest_is_saved_when_asked(documents: Path) -> None:
    run = driver("docs-digest", documents)
    report = await run.run({"saveAs": "out/digest.md", "sentences": 1})
    assert run.skipped == set()
    assert (documents / "out" / "digest.md").read_text("utf-8") == report
    assert "It is short." not in report


async def test_the_census_counts_what_is_there() -> None:
    census = await driver("code-census").run()
    files = [
        path
        for package in ("contract", "bff", "executor")
        for path in (ROOT / package).rglob("*.py")
    ]
    assert census["totals"]["files"] == len(files)
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in files
    }
    assert census["totals"]["lines"] == sum(lines.values())
    assert [found["lines"] for found in census["largest"]] == sorted(lines.values())[:-11:-1]


@pytest.mark.parametrize(("limit", "skipped"), [(1000, {"offenders", "plan"}), (1, {"release"})])
async def test_the_gate_takes_one_branch_and_skips_the_other(
    tmp_path: Path, limit: int, skipped: set[str]
) -> None:
    for name in ("README.md", "CHANGELOG.md"):
        (tmp_path / name).write_text("It runs workflows. Everyone may watch them live.\n")
    run = driver("conditional-quality-gate", tmp_path)
    verdict = await run.run({"limit": limit})
    assert run.skipped == skipped
    assert verdict["passed"] is (limit > 1)
    if verdict["passed"]:
        assert verdict["release"] == "It runs workflows. Everyone may watch them live."
    else:
        assert verdict["revise"] == ["README.md", "CHANGELOG.md"]


async def test_the_simulation_fails_and_recovers_the_same_way_each_time() -> None:
    first, second = driver("simulated-pipeline"), driver("simulated-pipeline")
    assert await first.run() == await second.run()
    assert first.failures == second.failures
    assert first.failures, "the default seed is meant to show retries"
    assert all(re.search(r"simulated failure: .+ after", failure) for failure in first.failures)
    third = driver("simulated-pipeline")
    assert await third.run({"seed": 8}) != first.outputs["output"]


async def run_for_real(name: str) -> FakeJournal:
    """The example carried out by the engine itself, its events kept and folded."""
    raw = hasten(load(name))
    graph = Graph.model_validate({"nodes": raw["nodes"], "edges": raw["edges"]})
    record = record_of(graph)
    claimed = Claimed(
        execution_id=record.execution_id,
        attempt=1,
        head=0,
        workflow={"id": "w1", "name": raw["name"], **graph.to_wire()},
        input=None,
        priority=0,
        state=initial(record).to_wire(),
    )
    with Capture().installed() as capture:
        async with contextlib.AsyncExitStack() as stack:
            pool = Local(capture)
            stack.push_async_callback(pool.close)
            workshop = Workshop(
                pool=pool,
                capture=capture,
                slots=Slots(5),
                limits=Limits(timeout=30, tries=3),
                context=Context(files_root=ROOT),
            )
            journal = FakeJournal(claimed)
            engine = Engine(standard(packages=False), workshop)
            await engine.attempt(claimed, journal, fetch_nothing).run()
            return journal


async def fetch_nothing(execution_id: str, node_id: str) -> Json:
    raise AssertionError(f"a new execution asked for the output of {node_id}")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_the_engine_runs_an_example_to_the_same_result(path: Path) -> None:
    journal = await run_for_real(path.stem)
    least = driver(path.stem)
    result = await least.run()
    assert journal.state.status == "completed", journal.state.error
    assert journal.state.result == result
    skipped = {node.node_id for node in journal.state.nodes.values() if node.status == "skipped"}
    assert skipped == least.skipped
