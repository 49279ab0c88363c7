"""The documents are true: what they print runs, what they name exists, what exists is named."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import socketio

import bff.settings
import executor.settings
from bff.http.requests import MAX_BODY_BYTES
from contract import messages, values, workflow
from contract.errors import ErrorCode
from contract.events import EVENT_TYPES, parse_event
from contract.messages import EXECUTORS, VIEWERS
from contract.workflow import Node
from executor.nodes import Context, Registry
from executor.nodes.builtin import standard
from executor.nodes.plan import Call, plan
from tests.bff.house import open_house
from tests.support.live import live
from tests.support.processes import ROOT, Program, environment, stack
from tests.support.program import free_port

DOCUMENTS = [path for place in (".", "docs", "examples") for path in (ROOT / place).glob("*.md")]
README = (ROOT / "README.md").read_text("utf-8")
PROTOCOL = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")
OUTLET = (ROOT / "docs" / "outlet.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
FENCED = re.compile(r"^```.*?^```\n", re.M | re.S)
ELSEWHERE = {"OPENAI_BASE_URL", "OPENAI_API_KEY"}
"""Variables that the executor's libraries read, not its settings."""


def snippets(text: str, language: str) -> list[str]:
    """The fenced code of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def section(heading: str) -> str:
    """A section of the protocol, up to the next of its level."""
    (found,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PROTOCOL, re.M | re.S)
    return str(found)


# the README's programs


async def test_the_readmes_python_program_reports_its_run(tmp_path: Path) -> None:
    program, _ = snippets(README, "python")
    async with live(tmp_path, dev=True) as runroom:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-",
            cwd=tmp_path,
            env=environment(RUNROOM_URL=runroom.server.url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate(program.encode())
        assert process.returncode == 0
        execution_id = out.decode().removeprefix("follow it: ").strip()
        state = await runroom.http("GET", f"/api/executions/{execution_id}")
    assert (state["status"], state["progress"], state["result"]) == (
        "completed",
        100,
        {"rows": 120},
    )
    assert {node["status"] for node in state["nodes"].values()} == {"completed"}
    assert state["logCount"] == len(state["nodes"]) == 2


@pytest.mark.node
async def test_the_readmes_javascript_program_follows_its_execution(tmp_path: Path) -> None:
    (program,) = snippets(README, "js")
    (tmp_path / "follow.mjs").write_text(program, "utf-8")
    (tmp_path / "node_modules").symlink_to(ROOT / "tests" / "e2e" / "node_modules")
    async with stack(tmp_path) as runroom:
        await runroom.server()
        await runroom.executor()
        follow = runroom.program("follow", "node", "follow.mjs", RUNROOM_URL=runroom.url)
        assert await (await follow.start()).ended() == 0
        (listed,) = (await runroom.get("/api/executions"))["items"]
        _, events = await runroom.history(listed["executionId"])
    shown = [line.split()[:2] for line in follow.lines]
    assert shown == [[str(event["seq"]), event["type"]] for event in events]
    assert events[-1]["status"] == "completed"


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_the_outlets_program_serves_stock_clients(
    tmp_path: Path, transports: list[str]
) -> None:
    (program,) = snippets(OUTLET, "python")
    (tmp_path / "server.py").write_text(program, "utf-8")
    port = free_port()
    env = environment(PORT=port, PYTHONPATH=ROOT)
    server = Program("server", sys.executable, "server.py", folder=tmp_path, env=env)
    await server.start()
    client = socketio.AsyncClient()
    ticks: list[int] = []
    client.on("tick", lambda tick: ticks.append(tick["number"]))
    try:
        await client.connect(
            f"http://127.0.0.1:{port}", transports=transports, wait_timeout=20, retry=True
        )
        async with asyncio.timeout(20):
            for number in range(20):
                assert await client.call("echo", number) == number
            while len(ticks) < 100:
                await asyncio.sleep(0.01)
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
        assert client.transport() == transports[-1]
    finally:
        await client.disconnect()
        await server.kill()


def test_the_outlet_needs_nothing_else_of_the_project() -> None:
    parts = {"bff.frames", "bff.outlet", "bff.websocket"}
    modules: set[str] = set()
    for part in parts:
        tree = ast.parse((ROOT / f"{part.replace('.', '/')}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                modules.add(str(node.module))
            elif isinstance(node, ast.Import):
                modules |= {name.name for name in node.names}
    packages = {module.partition(".")[0] for module in modules - parts}
    assert packages - set(sys.stdlib_module_names) == {"aiohttp", "engineio"}


def test_the_readmes_tool_works_in_its_node(tmp_path: Path) -> None:
    _, source = snippets(README, "python")
    (written,) = snippets(README, "json")
    (tmp_path / "mytools.py").write_text(source, "utf-8")
    spec = importlib.util.spec_from_file_location("mytools", tmp_path / "mytools.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    registry = Registry()
    registry.load([module])
    node = Node.model_validate_json(written)
    work = plan(node, {"input": {"name": "Ada"}, "nodes": {}}, registry, [])
    assert isinstance(work, Call)
    bound = work.tool.bind(work.arguments, Context())
    assert work.tool.function(**bound) == {"greeting": "Hello Ada"}


def test_the_readmes_words_of_make_are_targets() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    named = set(re.findall(r"\bmake ([a-z]+)\b(?=`|  | *$)", README, re.M))
    assert {"run", "test"} <= named <= set(targets)


# settings


def documented() -> dict[str, str]:
    """The variables of .env.example with the values they show."""
    text = (ROOT / ".env.example").read_text("utf-8")
    return dict(re.findall(r"^#([A-Z][A-Z_]*)=(.*)$", text, re.M))


def variables(settings: Any) -> set[str]:
    return {field.validation_alias for field in settings.model_fields.values()}


def test_every_setting_is_in_the_example_file_and_nothing_else() -> None:
    known = variables(bff.settings.Settings) | variables(executor.settings.Settings)
    assert set(documented()) - ELSEWHERE == known


@pytest.mark.parametrize("settings", [bff.settings.Settings, executor.settings.Settings])
def test_the_example_file_shows_the_defaults(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in documented():
        monkeypatch.delenv(name, raising=False)
    defaults = settings(_env_file=None)
    for name, value in documented().items():
        monkeypatch.setenv(name, value)
    assert settings(_env_file=None) == defaults


# the protocol


async def test_every_route_is_in_the_protocol(tmp_path: Path) -> None:
    async with open_house(tmp_path, dev=True) as house:
        routes = {
            f"{route.method} {route.resource.canonical}"
            for route in house.app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
    assert set(re.findall(r"^\| `([A-Z]+ /[^` ]*)`", section("HTTP"), re.M)) == routes


def rows(text: str) -> set[str]:
    """The names with which the rows of a text's tables begin."""
    cells = re.findall(r"^\| ([^|]*) \|", text, re.M)
    return {name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)}


def sent() -> set[str]:
    """The names of the messages that the server sends by itself."""
    call = re.compile(r'(?:event_frame|event_packet|announce|dissolve)\(\s*[\w.]+,\s*"(\w+)"')
    sources = (path.read_text("utf-8") for path in (ROOT / "bff").rglob("*.py"))
    return {name for source in sources for name in call.findall(source)}


async def test_every_socketio_event_is_in_the_protocol(tmp_path: Path) -> None:
    async with live(tmp_path) as runroom:
        namespaces = runroom.server.sockets.namespace_handlers
    viewers, executors = rows(section("Viewers")), rows(section("Executors"))
    assert set(namespaces) == {VIEWERS, EXECUTORS}
    assert {*namespaces[VIEWERS].handlers, *EVENT_TYPES} <= viewers
    assert {*namespaces[EXECUTORS].handlers} <= executors
    # a refused subscribe is an `error` too
    unlogged = sent() - set(EVENT_TYPES)
    assert unlogged == {"auth", "batch", "cancel", "executor", "presence", "reset", "work"}
    assert unlogged - {"cancel", "work"} <= viewers
    assert {"auth", "cancel", "work"} <= executors


LIMITS = {
    "one event's JSON; one output, result or input": f"{values.MAX_EVENT_BYTES:,} bytes",
    "a message on `/executions`": f"{messages.MAX_VIEWER_MESSAGE_BYTES >> 10} KiB",
    "a message on `/executor`": f"{messages.MAX_EXECUTOR_MESSAGE_BYTES >> 20} MiB",
    "an HTTP body": f"{MAX_BODY_BYTES >> 20} MiB",
    "events in one `events` message": f"{messages.MAX_BATCH_EVENTS:,}",
    "subscriptions of one connection": f"{messages.MAX_SUBSCRIPTIONS}",
    "nodes, edges of a workflow": f"{workflow.MAX_NODES:,}, {workflow.MAX_EDGES:,}",
}


def test_the_protocols_limits_are_the_codes() -> None:
    stated = dict(re.findall(r"^\| (.*) \| (.*) \|$", section("Basics"), re.M))
    assert {name: stated.get(name) for name in LIMITS} == LIMITS


def test_every_error_code_is_in_the_protocol() -> None:
    assert rows(section("Error codes")) == {code.value for code in ErrorCode}


def test_every_built_in_tool_is_in_the_protocol_with_its_arguments() -> None:
    described = dict(re.findall(r"^\| `([\w.]+)`[ *]*\| (.*) \|$", section("Built-in tools"), re.M))
    tools = {tool.name: tool.signature.strip("{}").split(", ") for tool in standard(packages=False)}
    assert set(described) == set(tools)
    for name, arguments in tools.items():
        taken = described[name].split(" | ")[0]
        assert [word for word in re.findall(r"`(\w+\??)`", taken) if word in arguments] == arguments


def examples(text: str) -> Iterable[Any]:
    for block in snippets(text, "json"):
        try:
            yield json.loads(block)
        except ValueError:
            yield from map(json.loads, block.splitlines())


def test_the_protocols_examples_are_json_and_its_events_are_events() -> None:
    seen = set()
    for example in examples(PROTOCOL):
        match example:
            case [str(kind), {"seq": _} as payload] if kind in EVENT_TYPES:
                assert parse_event({"type": kind, **payload}).type == kind
                seen.add(kind)
    assert seen == set(EVENT_TYPES)


# names and links


def slug(heading: str) -> str:
    """The anchor that a heading gets on the web."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    text = FENCED.sub("", document.read_text("utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", FENCED.sub("", target.read_text("utf-8")), re.M)
            assert anchor in map(slug, headings), link


def test_the_architecture_names_tests_and_files_that_exist() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    sources += (ROOT / "tests" / "bff" / "stores" / "contract.py").read_text("utf-8")
    files = set(
        re.findall(r"`((?:contract|bff|executor|tests|scripts|examples)/[\w./]*)`", ARCHITECTURE)
    )
    assert [path for path in files if not (ROOT / path).exists()] == []
    named = set(re.findall(r"`(test_\w+)`", ARCHITECTURE))
    assert len(named) > 50
    assert named <= set(re.findall(r"\bdef (test_\w+)\(", sources))
