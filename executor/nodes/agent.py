"""The `agent` tool: a model behind an OpenAI-compatible server, through pydantic-ai.

pydantic-ai is the extra `agents` and is imported when the first agent runs, so that an executor
starts without it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import re
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from contract.errors import Invalid, RunroomError
from contract.values import Json
from executor.nodes.errors import ToolError
from executor.nodes.registry import Context, Registry, Tool

if TYPE_CHECKING:
    from pydantic_ai import AgentStreamEvent, RunContext
    from pydantic_ai import Tool as ModelTool

PREFIX = "openai:"
TOOL_RETRIES = 2
"""How often a model may correct its call of a tool."""

_logger = logging.getLogger("runroom.node")
_NOT_IN_A_FUNCTION_NAME = re.compile(r"[^A-Za-z0-9_-]")
_SHOWN_ARGUMENTS = 2_000


class Agent:
    """Runs agents, which may call the tools of one registry.

    Args:
        environ: where `OPENAI_BASE_URL` and `OPENAI_API_KEY` are read, at each run.
    """

    def __init__(self, registry: Registry, environ: Mapping[str, str] = os.environ) -> None:
        self._registry = registry
        self._environ = environ

    async def run(
        self,
        model: str,
        prompt: Annotated[str, Field(min_length=1)],
        context: Context,
        instructions: str | None = None,
        tools: Sequence[str] = (),
    ) -> str:
        """Ask a model, let it call tools, and give its final text.

        What it writes appears in the log line by line while it writes.

        Args:
            model: `openai:` and the name that the server knows the model by.
            tools: names of registered tools that the model may call.

        Raises:
            Invalid: something is not installed or not set, or a name is not known.
            ToolError: the server refused, failed or cannot be reached.
        """
        if not model.startswith(PREFIX) or model == PREFIX:
            raise Invalid(f'the model "{model[:200]}" is not of the form openai:NAME')
        base_url = self._environ.get("OPENAI_BASE_URL") or None
        api_key = self._environ.get("OPENAI_API_KEY") or None
        if base_url is None and api_key is None:
            raise Invalid(
                "agents need a model server: set OPENAI_API_KEY for OpenAI itself, or "
                "OPENAI_BASE_URL for any OpenAI-compatible server"
            )
        try:
            # the first import takes a second or two, which the loop must not wait for
            await asyncio.to_thread(importlib.import_module, "pydantic_ai.models.openai")
            import pydantic_ai
            from openai import AsyncOpenAI, OpenAIError
            from pydantic_ai.exceptions import AgentRunError, UserError
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.openai import OpenAIProvider
        except ImportError as error:
            raise Invalid(
                f"agents need what is not installed ({error.name}):"
                " install runroom with its extra, pip install -e '.[agents]'"
            ) from None
        offered = self._offer(tools, context)
        # a server of one's own often asks for no key, but the client wants one
        async with AsyncOpenAI(base_url=base_url, api_key=api_key or "not-needed") as client:
            agent = pydantic_ai.Agent(
                OpenAIChatModel(
                    model.removeprefix(PREFIX), provider=OpenAIProvider(openai_client=client)
                ),
                instructions=instructions,
                tools=offered,
                retries=TOOL_RETRIES,
            )
            try:
                result = await agent.run(prompt, event_stream_handler=_follow)
            except (AgentRunError, UserError, OpenAIError) as error:
                reason = " ".join(str(error).split()) or type(error).__name__
                raise ToolError(f"the model {model} failed: {reason[:500]}") from error
            usage = result.usage
            _logger.info(
                "%s answered",
                model,
                extra={
                    "metadata": {
                        "requests": usage.requests,
                        "inputTokens": usage.input_tokens,
                        "outputTokens": usage.output_tokens,
                    }
                },
            )
            return result.output

    def _offer(self, names: Sequence[str], context: Context) -> list[ModelTool[None]]:
        """The tools as the model sees them; its names have no dots."""
        from pydantic_ai import Tool as ModelTool

        offered: dict[str, ModelTool[None]] = {}
        for name in dict.fromkeys(names):
            tool = self._registry.get(name)
            if tool.function == self.run:
                raise Invalid("an agent cannot be a tool of an agent")
            known_as = _NOT_IN_A_FUNCTION_NAME.sub("_", name)[:64]
            if known_as in offered:
                raise Invalid(
                    f'the tool "{name}" and another would both be {known_as} to the model'
                )
            offered[known_as] = ModelTool.from_schema(
                _caller(tool, context), known_as, tool.description, tool.schema
            )
        return list(offered.values())


def _caller(tool: Tool, context: Context) -> Callable[..., Any]:
    """The tool as an async function of its arguments, whose refusals the model may correct."""
    from pydantic_ai import ModelRetry

    async def call(**arguments: Json) -> Any:
        try:
            bound = tool.bind(arguments, context)
            if tool.pool == "async":
                return await tool.function(**bound)
            return await asyncio.to_thread(tool.function, **bound)
        except RunroomError as error:
            raise ModelRetry(str(error)) from error

    return call


async def _follow(_: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
    """Write what the model does into the log while it does it."""
    from pydantic_ai.messages import (
        FunctionToolCallEvent,
        FunctionToolResultEvent,
        PartDeltaEvent,
        PartStartEvent,
        TextPart,
        TextPartDelta,
    )

    lines = Lines(_logger.info)
    async for event in events:
        if isinstance(event, PartStartEvent):
            lines.flush()
            if isinstance(event.part, TextPart):
                lines.add(event.part.content)
        elif isinstance(event, PartDeltaEvent):
            if isinstance(event.delta, TextPartDelta):
                lines.add(event.delta.content_delta)
        elif isinstance(event, FunctionToolCallEvent):
            lines.flush()
            arguments = event.part.args_as_json_str()[:_SHOWN_ARGUMENTS]
            call = {"tool": event.part.tool_name, "arguments": arguments}
            _logger.info("calls %s", event.part.tool_name, extra={"metadata": call})
        elif isinstance(event, FunctionToolResultEvent):
            outcome = {"tool": event.part.tool_name, "outcome": event.part.outcome}
            _logger.info("%s answered", event.part.tool_name, extra={"metadata": outcome})
    lines.flush()


class Lines:
    """Joins fragments of text into readable lines: up to a line break, or a sentence's end.

    Args:
        write: takes a `%s` format and the line.
    """

    ENOUGH = 80
    """From this length on a line is given out at the end of a sentence."""
    MOST = 500

    _BREAK = re.compile(r"\n+|(?<=[.!?…:;])\s+")

    def __init__(self, write: Callable[[str, str], None]) -> None:
        self._write = write
        self._text = ""

    def add(self, fragment: str) -> None:
        for start in range(0, len(fragment), self.MOST):
            self._text += fragment[start : start + self.MOST]
            while (end := self._end()) is not None:
                self._say(self._text[:end])
                self._text = self._text[end:]

    def flush(self) -> None:
        self._say(self._text)
        self._text = ""

    def _end(self) -> int | None:
        for found in self._BREAK.finditer(self._text):
            if "\n" in found[0] or found.start() >= self.ENOUGH:
                return found.end()
        if len(self._text) > self.MOST:
            return self._text.rfind(" ", 0, self.MOST) + 1 or self.MOST
        return None

    def _say(self, line: str) -> None:
        if line.strip():
            self._write("%s", line.strip())
