"""Agents against a real server on loopback that speaks OpenAI's chat completions, streaming."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from contract.errors import Invalid
from executor.nodes import Context, Tool, ToolError, tool
from executor.nodes.agent import Agent, Lines
from executor.nodes.builtin import standard
from executor.nodes.registry import Registry


class FakeModel:
    """`POST /v1/chat/completions`: answers with the scripted turns, one a request.

    A turn is a list of text fragments, `{name: arguments}` for a call of a function, or an
    HTTP status.
    """

    def __init__(self) -> None:
        self.turns: list[list[str] | dict[str, Any] | int] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Authorization"))
        self.requests.append(await request.json())
        turn = self.turns.pop(0)
        if isinstance(turn, int):
            error = {"message": "no such model", "type": "invalid_request_error"}
            return web.json_response({"error": error}, status=turn)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if isinstance(turn, dict):
            deltas: list[dict[str, Any]] = [{"tool_calls": list(self._calls(turn))}]
        else:
            deltas = [{"content": fragment} for fragment in turn]
        for delta in [{"role": "assistant", "content": ""}, *deltas]:
            await self._send(response, [{"index": 0, "delta": delta, "finish_reason": None}])
        reason = "tool_calls" if isinstance(turn, dict) else "stop"
        await self._send(response, [{"index": 0, "delta": {}, "finish_reason": reason}])
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        await self._send(response, [], usage=usage)
        await response.write(b"data: [DONE]\n\n")
        return response

    def _calls(self, turn: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {
                "index": index,
                "id": f"call-{len(self.requests)}-{index}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for index, (name, arguments) in enumerate(turn.items())
        ]

    async def _send(self, response: web.StreamResponse, choices: Any, **more: Any) -> None:
        chunk = {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "fake",
            "choices": choices,
            **more,
        }
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")


@pytest.fixture
async def model() -> AsyncIterator[FakeModel]:
    made = FakeModel()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", made.complete)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield made
    finally:
        await runner.cleanup()


@tool("shout.loud")
def shout(text: str, context: Context) -> str:
    """Says it in capitals."""
    if not text:
        raise ToolError("there is nothing to shout")
    return f"{text.upper()} ({context.node_id})"


async def ask(model: FakeModel, *, tools: tuple[str, ...] = (), name: str = "openai:fake") -> str:
    registry = Registry([Tool.of(shout)])
    agent = Agent(registry, {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "k"})
    registry.add(Tool.of(agent.run, "agent"))
    return await agent.run(name, "Say it.", Context(node_id="n"), "Be brief.", tools)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "runroom.node"]


async def test_the_answer_is_text_and_is_logged_while_it_comes(
    model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "runroom.node")
    model.turns = [["Fir", "st li", "ne.\nSecond", " line", ".\n\nThe ", "end"]]
    assert await ask(model) == "First line.\nSecond line.\n\nThe end"
    assert lines(caplog) == ["First line.", "Second line.", "The end", "openai:fake answered"]
    usage = caplog.records[-1].__dict__["metadata"]
    assert usage == {"requests": 1, "inputTokens": 10, "outputTokens": 5}
    sent = model.requests[0]
    assert (sent["model"], sent["stream"]) == ("fake", True)
    assert [m["content"] for m in sent["messages"]] == ["Be brief.", "Say it."]
    assert model.keys == ["Bearer k"]


async def test_a_model_calls_registered_tools(
    model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "runroom.node")
    model.turns = [{"shout_loud": {"text": "hey"}}, ["Done."]]
    assert await ask(model, tools=("shout.loud",)) == "Done."
    offered = model.requests[0]["tools"][0]["function"]
    assert offered["name"] == "shout_loud"
    assert offered["description"] == "Says it in capitals."
    assert offered["parameters"]["properties"]["text"]["type"] == "string"
    assert offered["parameters"]["required"] == ["text"]
    answer = model.requests[1]["messages"][-1]
    assert (answer["role"], answer["content"]) == ("tool", "HEY (n)")
    assert lines(caplog)[:2] == ["calls shout_loud", "shout_loud answered"]
    called = caplog.records[0].__dict__["metadata"]
    assert called["tool"] == "shout_loud"
    assert json.loads(called["arguments"]) == {"text": "hey"}


async def test_a_model_may_correct_a_call_that_was_refused(model: FakeModel) -> None:
    model.turns = [
        {"shout_loud": {"txt": "hey"}},
        {"shout_loud": {"text": ""}},
        {"shout_loud": {"text": "hey"}},
        ["Done."],
    ]
    assert await ask(model, tools=("shout.loud",)) == "Done."
    refusals = [str(request["messages"][-1]["content"]) for request in model.requests[1:3]]
    assert "is missing; it takes {text}" in refusals[0]
    assert "there is nothing to shout" in refusals[1]


async def test_a_model_that_never_corrects_itself_fails(model: FakeModel) -> None:
    model.turns = [{"shout_loud": {}}] * 5
    with pytest.raises(ToolError, match="the model openai:fake failed: "):
        await ask(model, tools=("shout.loud",))
    assert len(model.requests) == 3


async def test_a_refusal_of_the_server_is_told(model: FakeModel) -> None:
    model.turns = [404]
    with pytest.raises(ToolError, match=r"the model openai:fake failed: .*no such model"):
        await ask(model)


async def test_a_server_that_is_away_is_told(model: FakeModel) -> None:
    agent = Agent(Registry(), {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    with pytest.raises(ToolError, match="the model openai:fake failed: "):
        await agent.run("openai:fake", "p", Context())


async def test_a_server_of_ones_own_needs_no_key(model: FakeModel) -> None:
    model.turns = [["ok"]]
    agent = Agent(Registry(), {"OPENAI_BASE_URL": model.url})
    assert await agent.run("openai:llama3:8b", "p", Context()) == "ok"
    assert model.requests[0]["model"] == "llama3:8b"


@pytest.mark.parametrize(
    ("name", "tools", "message"),
    [
        ("fake", (), 'the model "fake" is not of the form openai:NAME'),
        ("openai:", (), "is not of the form"),
        ("anthropic:claude", (), "is not of the form"),
        ("openai:fake", ("nope",), 'there is no tool "nope"; known are agent, shout.loud'),
        ("openai:fake", ("agent",), "an agent cannot be a tool of an agent"),
    ],
)
async def test_what_is_not_known_is_refused_before_anything_is_sent(
    model: FakeModel, name: str, tools: tuple[str, ...], message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await ask(model, name=name, tools=tools)
    assert message in str(refused.value)
    assert not model.requests


async def test_without_a_server_the_node_says_what_to_set() -> None:
    with pytest.raises(Invalid, match=r"set OPENAI_API_KEY .* or OPENAI_BASE_URL"):
        await Agent(Registry(), {}).run("openai:m", "p", Context())


async def test_without_the_extra_the_node_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    with pytest.raises(Invalid, match=r"pip install -e '\.\[agents\]'"):
        await Agent(Registry(), {"OPENAI_API_KEY": "k"}).run("openai:m", "p", Context())


def test_an_executor_starts_without_importing_the_extra() -> None:
    code = (
        "import sys; from executor.nodes.builtin import standard; standard(); "
        "sys.exit('pydantic_ai' in sys.modules or 'openai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_registrys_agent_takes_a_nodes_config() -> None:
    bound = (
        standard(packages=False)
        .get("agent")
        .bind(
            {"model": "openai:m", "prompt": "p", "instructions": "i", "tools": ["text.stats"]},
            Context(),
        )
    )
    assert bound["tools"] == ["text.stats"]
    with pytest.raises(Invalid, match='tool "agent": argument "prompt": input should be a valid s'):
        standard(packages=False).get("agent").bind({"model": "m", "prompt": None}, Context())


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
def test_lines_are_readable_however_the_text_is_cut(size: int) -> None:
    said: list[str] = []
    joined = Lines(lambda _, line: said.append(line))
    sentence = "This sentence has about fifty characters, or so. "
    text = f"Title\n\n{sentence * 4}\n" + "x" * 1200
    for start in range(0, len(text), size):
        joined.add(text[start : start + size])
    joined.flush()
    assert said[0] == "Title"
    assert said[1] == (sentence * 2).strip()
    assert said[2] == (sentence * 2).strip()
    assert all(len(line) <= Lines.MOST for line in said)
    assert "".join("".join(said).split()) == "".join(text.split())
