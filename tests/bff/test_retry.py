"""Retry from a node: what came before it is taken over, what follows runs again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.live import live, node, status

DIAMOND: dict[str, Any] = {
    "name": "Diamond",
    "nodes": [
        {"id": name, "kind": kind, **({"config": {"tool": "delay"}} if kind == "tool" else {})}
        for name, kind in (
            ("start", "trigger"), ("left", "tool"), ("right", "tool"), ("end", "output"),
        )
    ],
    "edges": [
        {"source": "start", "target": "left"}, {"source": "start", "target": "right"},
        {"source": "left", "target": "end"}, {"source": "right", "target": "end"},
    ],
}  # fmt: skip


async def test_from_node_names_what_the_claim_takes_over(tmp_path: Path) -> None:
    async with live(tmp_path) as house:
        first = await house.execute(DIAMOND, input={"big": "x" * 70_000})
        client = await house.executor()
        claimed = (await client.call("claim", {"max": 1}))["executions"][0]
        assert claimed["reuse"] == []
        events = [
            status(1, "running"),
            node(2, "start", "running"), node(3, "start", "completed", output={"y": "z" * 70_000}),
            node(4, "left", "running"), node(5, "left", "completed", output=1),
            node(6, "right", "running"), node(7, "right", "failed", error="no"),
            node(8, "end", "skipped"), status(9, "failed"),
        ]  # fmt: skip
        batch = {"executionId": first, "attempt": 1, "events": events}
        assert (await client.call("events", batch))["ok"]

        path = f"/api/executions/{first}/retry"
        made = await house.http("POST", path, json={"fromNode": "left"})
        again = (await client.call("claim", {"max": 1}))["executions"][0]
        assert again["executionId"] == made["executionId"] != first
        assert (again["state"]["retryOf"], again["reuse"]) == (first, ["start"])
        assert again["input"] == {"big": "x" * 70_000}
        asked = {"executionId": first, "nodeId": "start"}
        assert (await client.call("output", asked))["output"] == {"y": "z" * 70_000}

        await house.http("POST", path, json={"fromNode": "right"})
        again = (await client.call("claim", {"max": 1}))["executions"][0]
        assert again["reuse"] == ["left", "start"]

        await house.http("POST", path)
        assert (await client.call("claim", {"max": 1}))["executions"][0]["reuse"] == []

        refused = await house.http("POST", path, json={"fromNode": "nowhere"})
        assert refused["error"]["code"] == "invalid_request"
        assert '"nowhere"' in refused["error"]["message"]
