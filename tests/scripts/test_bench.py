"""The benchmarks measure only what has been delivered, all of it and in order."""

import pytest

from scripts.bench import measures, wire
from scripts.bench.bars import BARS
from scripts.bench.plan import PLAN
from scripts.bench.servers import FLOOR_8, RUNROOM, STOCK, Peer
from scripts.bench.tally import Tally

ROOM = "room-000"


@pytest.mark.parametrize("peer", [RUNROOM, STOCK, FLOOR_8], ids=lambda peer: peer.name)
async def test_every_viewer_gets_every_event(peer: Peer):
    figures = await measures.fan_out(peer, viewers=4, count=300)
    assert figures["cpu"] > 0
    assert 0 < figures["p50"] <= figures["p99"]


async def test_paced_events_come_at_their_rate():
    figures = await measures.fan_out(RUNROOM, viewers=4, rooms=2, count=40, rate=100)
    assert figures["rate"] == pytest.approx(4 * 20 / 0.4, rel=0.3)


async def test_the_bridge_and_the_idle_viewers_are_measured(monkeypatch: pytest.MonkeyPatch):
    for name, few in {"INGESTED": 500, "IDLE_VIEWERS": 20, "LATENCIES": 5, "CATCH_UP": 700}.items():
        monkeypatch.setattr(measures, name, few)
    for measure in (measures.ingest, measures.idle, measures.latency, measures.catch_up):
        figures = await measure(RUNROOM)
        assert all(value >= 0 for value in figures.values()), (measure.__name__, figures)


async def test_the_engine_is_measured():
    assert (await measures.engine("chain", 5))["cpu"] > 0


def stream(*seqs: int) -> bytes:
    packets = (f'42/executions,["log",{wire.log_line(ROOM, seq, 0)}]' for seq in seqs)
    return b"".join(wire.text_frame(packet, masked=False) for packet in packets)


@pytest.mark.parametrize(
    ("seqs", "right"),
    [((2, 3, 4), True), ((2, 4, 3), False), ((2, 3, 3), False), ((2, 4, 5), False), ((), False)],
)
def test_a_tally_knows_a_hole_a_repeat_and_another_order(seqs: tuple[int, ...], right: bool):
    data = stream(*seqs)
    for size in (1, 7, 64, 100_000):  # every edge falls somewhere
        tally = Tally(kept=True)
        for at in range(0, len(data), size):
            tally.add(data[at : at + size])
        assert tally.seen == len(seqs)
        assert tally.in_order(3) is right


def test_a_tally_measures_each_event_once():
    data = stream(*range(1, 30))
    for size in (1, 7, 64, 100_000):
        tally = Tally(measured=True)
        for at in range(0, len(data), size):
            tally.add(data[at : at + size])
        assert len(tally.latencies) == 29


def test_every_bar_has_its_measurement():
    assert {bar.measurement for bar in BARS} <= {measurement.name for measurement in PLAN}
