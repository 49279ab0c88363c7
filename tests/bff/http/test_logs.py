"""Route: log lines, filtered or as a text file."""

from __future__ import annotations

import pytest

from tests.bff.house import RUNNING, House, log

TEXT = {"Accept": "text/plain"}


@pytest.fixture
async def path(house: House) -> str:
    id = await house.execution()
    await house.write(
        id,
        RUNNING,
        log("Starting up", nodeId="start"),
        log("disk is 50% full_", level="warning", nodeId="wait"),
        {"type": "progress", "progress": 10},
        log("disk is full", level="error", nodeId="wait"),
        log("no node"),
    )
    return f"/api/executions/{id}/logs"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [2, 3, 5, 6]),
        ("level=error", [5]),
        ("level=warning,error", [3, 5]),
        ("level=warning&level=info", [2, 3, 6]),
        ("nodeId=wait", [3, 5]),
        ("nodeId=wait&level=error", [5]),
        ("q=DISK", [3, 5]),
        ("q=50%25", [3]),
        ("q=full_", [3]),
        ("q=nowhere", []),
        ("q=", [2, 3, 5, 6]),
        ("after=3", [5, 6]),
        ("after=3&q=full", [5]),
    ],
)
async def test_filters(house: House, path: str, query: str, expected: list[int]) -> None:
    page = await house.get(f"{path}?{query}")
    assert [event["seq"] for event in page["events"]] == expected
    assert all(event["type"] == "log" for event in page["events"])
    assert (page["head"], page["nextAfter"]) == (6, None)


async def test_pages_say_where_to_go_on(house: House, path: str) -> None:
    first = await house.get(f"{path}?limit=2")
    assert ([event["seq"] for event in first["events"]], first["nextAfter"]) == ([2, 3], 3)
    rest = await house.get(f"{path}?limit=2&after={first['nextAfter']}")
    assert ([event["seq"] for event in rest["events"]], rest["nextAfter"]) == ([5, 6], None)


@pytest.mark.parametrize(
    "query",
    ["level=debug", "level=", "limit=0", "after=x", "type=log", "nodeId=", "q=" + "x" * 1001],
)
async def test_a_wrong_query_is_named(house: House, path: str, query: str) -> None:
    error = await house.refusal("GET", f"{path}?{query}", status=400)
    assert query.partition("=")[0] in error["message"]


@pytest.mark.parametrize("accept", ["application/json, text/plain, */*", "text/plain;q=0", "*/*"])
async def test_who_takes_json_as_well_gets_json(house: House, path: str, accept: str) -> None:
    response = await house.ask("GET", path, headers={"Accept": accept})
    assert response.content_type == "application/json"


async def test_an_odd_search_finds_nothing(house: House, path: str) -> None:
    for query in ("q=%FF", "q=%00", "q=%ED%A0%80", "q=%27%22%3B--"):
        assert (await house.get(f"{path}?{query}"))["events"] == []


async def test_the_whole_log_is_a_text_file(house: House, path: str) -> None:
    id = path.split("/")[3]
    response = await house.ask("GET", path, headers=TEXT)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{id}.log"'
    lines = (await response.text()).splitlines()
    events = (await house.get(path))["events"]
    first = events[0]["log"]["createdAt"]
    assert lines[0] == f"{first} INFO [start] Starting up"
    assert lines[1].endswith("WARNING [wait] disk is 50% full_")
    assert lines[3].endswith("INFO no node")
    assert len(lines) == 4
    rather = {"Accept": "text/plain, application/json;q=0.9"}
    assert (await house.ask("GET", path, headers=rather)).content_type == "text/plain"
    filtered = await house.ask("GET", f"{path}?level=error", headers=TEXT)
    assert (await filtered.text()).count("\n") == 1


async def test_a_message_cannot_forge_another_line(house: House) -> None:
    id = await house.execution()
    evil = "one\r\n2026 ERROR [x] two\x1b[31m\x00\x7f\x85\u2028\u202etab\té"
    await house.write(id, RUNNING, log(evil))
    response = await house.ask("GET", f"/api/executions/{id}/logs", headers=TEXT)
    text = await response.text()
    assert text.endswith(r"one\r\n2026 ERROR [x] two\x1b[31m\x00\x7f\x85\u2028\u202e" + "tab\té\n")
    assert len(text.splitlines()) == 1


async def test_a_long_log_comes_whole(house: House) -> None:
    id = await house.execution()
    await house.write(id, RUNNING)
    for start in range(0, 2500, 500):
        await house.write(id, *(log(f"line {n}") for n in range(start, start + 500)))
    response = await house.ask("GET", f"/api/executions/{id}/logs", headers=TEXT)
    lines = (await response.text()).splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == [str(n) for n in range(2500)]
