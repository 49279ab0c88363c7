"""The servers under measurement: how each is started, and what it costs."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from bff.auth import Authenticator, Role
from bff.settings import Settings
from scripts.bench import machine

PEERS = Path(__file__).parent / "peers"
SECRET = "a key for nothing but measurements"
START_SECONDS = 20
SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Peer:
    """One kind of server.

    Attributes:
        kind: how `scripts.bench.load` speaks to it.
        command: with `{port}` where the port goes.
    """

    name: str
    kind: str
    command: tuple[str, ...]


_PYTHON = (sys.executable, "-m")
_STOCK = "scripts.bench.peers.stock"
_FLOOR = "scripts.bench.peers.floor"

RUNROOM = Peer("Runroom", "batches", (*_PYTHON, "bff"))
NODE = Peer("Node Socket.IO", "emits", ("node", str(PEERS / "node.mjs"), "{port}"))
STOCK = Peer("python-socketio", "emits", (*_PYTHON, _STOCK, "{port}", "asyncio"))
STOCK_UVLOOP = Peer("python-socketio, uvloop", "emits", (*_PYTHON, _STOCK, "{port}", "uvloop"))
FLOOR_1 = Peer("floor, 1 frame a write", "prepared", (*_PYTHON, _FLOOR, "{port}", "1"))
FLOOR_8 = Peer("floor, 8 frames a write", "prepared", (*_PYTHON, _FLOOR, "{port}", "2600"))
FLOOR_64K = Peer("floor, 64 KiB a write", "prepared", (*_PYTHON, _FLOOR, "{port}", "65536"))


@dataclass(slots=True)
class Server:
    """A server that runs, in a process of its own on a core of its own."""

    peer: Peer
    pid: int
    address: tuple[str, int]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def cpu_seconds(self) -> float:
        return machine.cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        return machine.resident_bytes(self.pid)


@asynccontextmanager
async def running(peer: Peer, *, settle: float = SETTLE_SECONDS) -> AsyncIterator[Server]:
    """Start a server, wait until it listens, and stop it in the end.

    Args:
        settle: seconds to wait after the start, so that nothing of it is measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BFF_")},
            "BFF_PORT": str(port),
            "BFF_JWT_SECRET": SECRET,
            "BFF_STORE": f"sqlite:///{folder}/executions.db",
        }
        process = await asyncio.create_subprocess_exec(
            *(part.format(port=port) for part in peer.command),
            env=environment,
            stderr=DEVNULL,
            preexec_fn=machine.pin(machine.SERVER_CORE),
        )
        try:
            server = Server(peer, process.pid, ("127.0.0.1", port), _tokens())
            await _listening(server, process)
            await asyncio.sleep(settle)
            yield server
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _tokens() -> dict[str, str]:
    settings = Settings(_env_file=None, jwt_secret=SecretStr(SECRET))
    authenticator = Authenticator(settings)
    roles: tuple[Role, ...] = ("viewer", "operator", "executor")
    return {role: authenticator.mint(role=role) for role in roles}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def _listening(server: Server, process: Process) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            if process.returncode is not None:
                raise RuntimeError(
                    f"{server.peer.name} ended with code {process.returncode} at its start"
                )
            try:
                _, writer = await asyncio.open_connection(*server.address)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
