"""The DAG scheduler without I/O: what became of nodes in; nodes to start and moves to log out.

Pure and synchronous. The engine tells it `started`, `completed`, `failed` and `cancelled`;
every answer is a `Step`. When all nodes are terminal, `end` says how the execution ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contract.errors import Invalid
from contract.execution import ExecutionState, Graph
from contract.states import NODE_TERMINAL, ExecutionStatus, NodeStatus
from contract.values import Json
from contract.workflow import Edge, Node

Holds = Callable[[str, Mapping[str, Json]], bool]
"""Whether an edge's `when` holds on `{input, nodes, item}`; raises Invalid if it cannot tell."""

CONDITION_FAILED = "the condition of edge {} → {} cannot be decided: {}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A node's move to log; `progress` is the execution's after it, None unless terminal."""

    node_id: str
    status: NodeStatus
    output: Json = None
    error: str | None = None
    reused: bool = False
    progress: int | None = None


@dataclass(slots=True)
class Step:
    """What follows from one outcome.

    Attributes:
        moves: to be logged, in this order.
        ready: nodes whose turn has come: start them as soon as there is room.
        stop: running nodes to cancel; each must still be reported, by `cancelled` or, if it
            was quicker, by `completed` or `failed`. A resumed one may have nobody running it.
    """

    moves: list[Move] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """How the execution ends: `result` if completed, `error` and `node_id` if failed."""

    status: ExecutionStatus
    result: Json = None
    error: str | None = None
    node_id: str | None = None


class Schedule:
    """The nodes of one execution and what has become of each.

    Args:
        holds: decides an edge's `when`.
        state: where an earlier attempt left off: its finished nodes are not run again, the
            ones found running are started again. Outputs must be whole, not previews.
        reuse: outputs that nodes take over from an earlier execution instead of running.
    """

    def __init__(
        self,
        graph: Graph,
        holds: Holds,
        *,
        input: Json = None,
        state: ExecutionState | None = None,
        reuse: Mapping[str, Json] | None = None,
    ) -> None:
        self.nodes: dict[str, Node] = {node.id: node for node in graph.nodes}
        self.status: dict[str, NodeStatus] = dict.fromkeys(self.nodes, NodeStatus.PENDING)
        self.outputs: dict[str, Json] = {}
        self._holds = holds
        self._input = input
        self._reuse = dict(reuse or {})
        self._incoming: dict[str, list[Edge]] = {node_id: [] for node_id in self.nodes}
        self._outgoing: dict[str, list[str]] = {node_id: [] for node_id in self.nodes}
        for edge in graph.edges:
            self._incoming[edge.target].append(edge)
            self._outgoing[edge.source].append(edge.target)
        # how many sources of a node are still undecided
        self._waiting = {node_id: len(edges) for node_id, edges in self._incoming.items()}
        self._undecided = len(self.nodes)
        self._failure: tuple[str, str | None] | None = None
        self._cancelling = False
        self._resumed: list[str] = []
        if state is not None:
            self._restore(state)

    # what an engine asks

    @property
    def scope(self) -> dict[str, Any]:
        """What expressions see; a node that was skipped or has not run is null."""
        return {"input": self._input, "nodes": self.outputs, "item": None}

    def predecessors(self, node_id: str) -> list[str]:
        """The sources of the node's incoming edges, in the edges' order."""
        return [edge.source for edge in self._incoming[node_id]]

    @property
    def progress(self) -> int:
        """`floor(100 × terminal nodes / all nodes)`."""
        if not self.nodes:
            return 100
        return 100 * (len(self.nodes) - self._undecided) // len(self.nodes)

    @property
    def stopping(self) -> bool:
        """No further node starts: one has failed, or the execution is being cancelled."""
        return self._cancelling or self._failure is not None

    @property
    def end(self) -> End | None:
        """How the execution ends, once all its nodes are terminal."""
        if self._undecided:
            return None
        if self._failure is not None:
            error, node_id = self._failure
            return End(status=ExecutionStatus.FAILED, error=error, node_id=node_id)
        if self._cancelling:
            return End(status=ExecutionStatus.CANCELLED)
        return End(status=ExecutionStatus.COMPLETED, result=self._result())

    # what an engine reports

    def begin(self) -> Step:
        """The first step: reused nodes, the nodes found running, and what is ready now."""
        step = Step()
        if self.stopping:
            self._stop(step)
            return step
        for node_id in self.nodes:
            if node_id in self._reuse and self.status[node_id] is NodeStatus.PENDING:
                self.outputs[node_id] = self._reuse[node_id]
                self._log(step, node_id, NodeStatus.COMPLETED, reused=True)
        step.ready.extend(self._resumed)
        self._decide(step, [n for n in self.nodes if not self._waiting[n]])
        return step

    def started(self, node_id: str, step: Step | None = None) -> Step:
        """A ready node runs now: log it before what else it says."""
        step = step or Step()
        self.status[node_id] = NodeStatus.RUNNING
        step.moves.append(Move(node_id=node_id, status=NodeStatus.RUNNING))
        return step

    def completed(self, node_id: str, output: Json) -> Step:
        """A running node has its output: what it leads to is decided."""
        step = Step()
        self.outputs[node_id] = output
        self._log(step, node_id, NodeStatus.COMPLETED, output=output)
        self._follow(step, node_id)
        return step

    def failed(self, node_id: str, error: str) -> Step:
        """A running node failed for good: nothing further starts, what runs is stopped."""
        step = Step()
        self._fail(step, node_id, error)
        return step

    def cancelled(self, node_id: str) -> Step:
        """A running node that was to be stopped has stopped."""
        step = Step()
        self._log(step, node_id, NodeStatus.CANCELLED)
        return step

    def cancel(self) -> Step:
        """The execution is to be cancelled; without effect once a node has failed."""
        step = Step()
        if not self.stopping:
            self._cancelling = True
            self._stop(step)
        return step

    def abort(self, error: str) -> Step:
        """The execution fails for a reason that is none of its nodes'."""
        step = Step()
        if not self.stopping:
            self._failure = (error, None)
            self._stop(step)
        return step

    # inside

    def _restore(self, state: ExecutionState) -> None:
        for node_id, node in state.nodes.items():
            if node_id not in self.nodes:
                continue
            self.status[node_id] = node.status
            if node.status is NodeStatus.RUNNING:
                self._resumed.append(node_id)
            elif node.status in NODE_TERMINAL:
                self._undecided -= 1
                self.outputs[node_id] = node.output
                for target in self._outgoing[node_id]:
                    self._waiting[target] -= 1
            if node.status is NodeStatus.FAILED and self._failure is None:
                self._failure = (node.error or "the node failed", node_id)
        cancelled = NodeStatus.CANCELLED in self.status.values()
        self._cancelling = cancelled and self._failure is None

    def _log(self, step: Step, node_id: str, status: NodeStatus, **members: Any) -> None:
        """The node's terminal move."""
        self.status[node_id] = status
        self.outputs.setdefault(node_id, None)
        self._undecided -= 1
        for target in self._outgoing[node_id]:
            self._waiting[target] -= 1
        if members.get("reused"):
            members["output"] = self.outputs[node_id]
        step.moves.append(Move(node_id=node_id, status=status, progress=self.progress, **members))

    def _follow(self, step: Step, node_id: str) -> None:
        if not self.stopping:
            self._decide(step, [n for n in self._outgoing[node_id] if not self._waiting[n]])

    def _decide(self, step: Step, candidates: Iterable[str]) -> None:
        """Start or skip nodes all of whose sources are terminal, and what skipping leads to."""
        queue = deque(candidates)
        while queue and not self.stopping:
            node_id = queue.popleft()
            if self.status[node_id] is not NodeStatus.PENDING:
                continue
            try:
                starts = self._any_holds(node_id)
            except Invalid as problem:
                # A node fails only from running, so that is what its log says.
                self.started(node_id, step)
                self._fail(step, node_id, str(problem))
                return
            if starts:
                step.ready.append(node_id)
            else:
                self._log(step, node_id, NodeStatus.SKIPPED)
                queue.extend(n for n in self._outgoing[node_id] if not self._waiting[n])

    def _any_holds(self, node_id: str) -> bool:
        edges = self._incoming[node_id]
        if not edges:
            return True
        taken = False
        for edge in edges:
            if self.status[edge.source] is not NodeStatus.COMPLETED:
                continue
            if edge.when is None:
                taken = True
                continue
            try:
                # all of them, so that a broken one does not depend on its neighbours
                taken = self._holds(edge.when, self.scope) or taken
            except Invalid as problem:
                raise Invalid(CONDITION_FAILED.format(edge.source, edge.target, problem)) from None
        return taken

    def _fail(self, step: Step, node_id: str, error: str) -> None:
        first = not self.stopping
        self._log(step, node_id, NodeStatus.FAILED, error=error)
        if first:
            self._failure = (error, node_id)
            step.ready.clear()
            self._stop(step)

    def _stop(self, step: Step) -> None:
        left = NodeStatus.CANCELLED if self._cancelling else NodeStatus.SKIPPED
        for node_id, status in self.status.items():
            if status is NodeStatus.PENDING:
                self._log(step, node_id, left)
            elif status is NodeStatus.RUNNING:
                step.stop.append(node_id)

    def _result(self) -> Json:
        outputs = [n for n, node in self.nodes.items() if node.kind == "output"]
        if len(outputs) == 1:
            return self.outputs[outputs[0]]
        return {n: self.outputs[n] for n in outputs} or None
