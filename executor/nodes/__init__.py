"""What nodes do: tools written as Python functions, expressions, and the plan of a node's work.

Your own tool is a decorated function in a module named by `EXECUTOR_TOOLS`:

    from executor.nodes import Context, tool

    @tool("greet", idempotent=True)
    def greet(name: str, context: Context) -> str:
        context.progress(50, "halfway")
        return f"Hello {name}"
"""

from executor.nodes.errors import ToolError
from executor.nodes.registry import Context, Registry, Tool, tool

__all__ = ["Context", "Registry", "Tool", "ToolError", "tool"]
