"""The tool registry: plain Python functions, sync or async, that a node may name."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Literal, NotRequired, TypeVar, get_args

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.errors import PydanticUserError
from typing_extensions import TypedDict

from contract.errors import Invalid
from contract.values import ID_PATTERN, Json, explain
from executor.nodes.context import Context

__all__ = ["Context", "Registry", "Tool", "tool"]

ENTRY_POINT_GROUP = "runroom.tools"
ToolPool = Literal["async", "thread", "process"]

_MARK = "__runroom_tool__"
_ARGUMENTS = ConfigDict(
    extra="forbid",
    alias_generator=to_camel,
    populate_by_name=True,
    allow_inf_nan=False,
    arbitrary_types_allowed=True,
)


@dataclass(frozen=True)
class _Mark:
    name: str | None
    idempotent: bool
    pool: ToolPool | None


F = TypeVar("F", bound=Callable[..., Any])


def tool(
    name: str | None = None, *, idempotent: bool = False, pool: ToolPool | None = None
) -> Callable[[F], F]:
    """Mark a module-level function as a tool; the function itself stays as it is.

    Args:
        name: how workflows call it; the function's own name if left out.
        idempotent: running it twice does no harm, so that it is retried by default.
        pool: `async` for coroutine functions (their default), `thread` (the default of plain
            functions) or `process` for work that needs a CPU of its own and can be killed.
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, _Mark(name, idempotent, pool))
        return function

    return mark


@dataclass(frozen=True)
class Tool:
    """A function that nodes may call, and how it wants to be run."""

    name: str
    function: Callable[..., Any]
    idempotent: bool = False
    pool: ToolPool = "thread"
    description: str = ""

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        name: str | None = None,
        *,
        idempotent: bool = False,
        pool: ToolPool | None = None,
    ) -> Tool:
        """A tool from a function, with what its decorator said as the defaults.

        Raises:
            Invalid: a bad name, a signature without keywords, or a pool that does not fit it.
        """
        mark: _Mark | None = getattr(function, _MARK, None)
        if mark is not None:
            name, idempotent = mark.name or name, mark.idempotent or idempotent
            pool = mark.pool or pool
        if name is None:
            name = str(getattr(function, "__name__", ""))
        if not re.fullmatch(ID_PATTERN, name):
            raise Invalid(f'tool "{name[:200]}": a name is 1 to 128 of A-Z a-z 0-9 _ . : -')
        is_async = inspect.iscoroutinefunction(function)
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise Invalid(f'tool "{name}": a generator cannot be a tool; return a list')
        if pool is None:
            pool = "async" if is_async else "thread"
        elif pool not in get_args(ToolPool):
            raise Invalid(
                f'tool "{name}": unknown pool "{pool}"; accepted are async, thread, process'
            )
        elif is_async != (pool == "async"):
            kind = "a coroutine function" if is_async else "a plain function"
            raise Invalid(f'tool "{name}": {kind} cannot run in the pool "{pool}"')
        made = cls(name, function, idempotent, pool, inspect.getdoc(function) or "")
        _ = made._arguments  # a signature that cannot be bound is told now, not in a running node
        return made

    def bind(self, arguments: Mapping[str, Json], context: Context) -> dict[str, Any]:
        """The function's keyword arguments, validated and coerced from its signature.

        Names are accepted as the function has them and in camelCase. A parameter annotated
        `Context` gets the context.

        Raises:
            Invalid: names the tool, the argument and what the tool takes.
        """
        try:
            bound: dict[str, Any] = self._arguments.validate_python(dict(arguments))
        except ValidationError as error:
            path, message = explain(error)
            where = f'argument "{path}"' if path else "arguments"
            raise Invalid(
                f'tool "{self.name}": {where}: {message}; it takes {self.signature}'
            ) from None
        if self._context_parameter is not None:
            bound[self._context_parameter] = context
        return bound

    @property
    def signature(self) -> str:
        """What the tool takes, in the protocol's form: `{seconds, seed?}`."""
        names = []
        for parameter in self._parameters:
            if parameter.kind is parameter.VAR_KEYWORD:
                names.append("…")
            else:
                optional = "" if parameter.default is parameter.empty else "?"
                names.append(to_camel(parameter.name) + optional)
        return "{" + ", ".join(names) + "}"

    @property
    def schema(self) -> dict[str, Json]:
        """The JSON schema of the arguments, for a model that is to call the tool."""
        return self._arguments.json_schema(by_alias=True)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        function = self.function
        target = function if inspect.isroutine(function) else type(function).__call__
        return typing.get_type_hints(target, include_extras=True)

    @cached_property
    def _context_parameter(self) -> str | None:
        return next((name for name, hint in self._hints.items() if hint is Context), None)

    @cached_property
    def _parameters(self) -> tuple[inspect.Parameter, ...]:
        """Those that a workflow gives: all but the context."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(p for p in parameters if p.name != self._context_parameter)

    @cached_property
    def _arguments(self) -> TypeAdapter[dict[str, Any]]:
        fields: dict[str, Any] = {}
        config = _ARGUMENTS
        for parameter in self._parameters:
            if parameter.kind is parameter.VAR_KEYWORD:
                config = ConfigDict(**{**config, "extra": "allow"})
                continue
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                raise Invalid(f'tool "{self.name}": parameter "{parameter.name}" has no keyword')
            hint = self._hints.get(parameter.name, Any)
            optional = parameter.default is not parameter.empty
            fields[parameter.name] = NotRequired[hint] if optional else hint
        make: Any = TypedDict  # mypy cannot follow one whose members are made at run time
        form = make("Arguments", fields)
        form.__pydantic_config__ = config
        try:
            return TypeAdapter(form)
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            reason = str(error).splitlines()[0]
            raise Invalid(
                f'tool "{self.name}": its parameters cannot be validated: {reason}'
            ) from None

    def __reduce__(self) -> tuple[Any, ...]:
        # the adapters are made anew on the other side: they cannot be pickled
        return Tool, (self.name, self.function, self.idempotent, self.pool, self.description)


class Registry:
    """The tools by name. Filled at start, read while nodes run."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for each in tools:
            self.add(each)

    def add(self, tool: Tool) -> None:
        """Make a tool known; the same function again is harmless.

        Raises:
            Invalid: another function already has the name.
        """
        known = self._tools.get(tool.name)
        if known is not None and known.function is not tool.function:
            raise Invalid(f'tool "{tool.name}": two functions have this name; rename one of them')
        self._tools[tool.name] = tool

    def get(self, name: str) -> Tool:
        """The tool of that name.

        Raises:
            Invalid: there is none; the message lists those that there are.
        """
        found = self._tools.get(name)
        if found is None:
            raise Invalid(f'there is no tool "{name}"; known are {", ".join(self.names())}')
        return found

    def names(self) -> list[str]:
        return sorted(self._tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter([self._tools[name] for name in self.names()])

    def load(self, modules: Iterable[str | ModuleType]) -> None:
        """Add every decorated function that stands at the top level of these modules.

        Raises:
            Invalid: a module cannot be imported, or has no tool.
        """
        for module in modules:
            loaded = module if isinstance(module, ModuleType) else _import(module)
            marked = [f for f in vars(loaded).values() if callable(f) and _mark_of(f)]
            if not marked:
                raise Invalid(f'module "{loaded.__name__}" has no function decorated with @tool')
            for function in marked:
                self.add(Tool.of(function))

    def load_entry_points(self, group: str = ENTRY_POINT_GROUP) -> None:
        """Add what installed packages offer: modules with decorated functions, or functions.

        Raises:
            Invalid: an entry point cannot be loaded.
        """
        for entry in entry_points(group=group):
            try:
                found = entry.load()
            except Exception as error:
                raise Invalid(f'entry point "{entry.name}" ({entry.value}): {error}') from error
            if isinstance(found, ModuleType):
                self.load([found])
            else:
                self.add(Tool.of(found, entry.name))


def _mark_of(value: object) -> bool:
    # an instance attribute only: a class with __getattr__ would answer to any name
    return isinstance(getattr(value, "__dict__", {}).get(_MARK), _Mark)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise Invalid(
            f'tools module "{name}" cannot be imported: {type(error).__name__}: {error}'
        ) from error
