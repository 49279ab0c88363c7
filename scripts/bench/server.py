"""A server process to measure: its address, and the CPU time that it has used."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from bff.auth import Authenticator, Role
from bff.settings import Settings

SECRET = "a key for nothing but measurements"
PORT = 3999
START_SECONDS = 20


class ServerProcess:
    """`python -m bff` on its own, with a store of its own."""

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self.url = url
        self._authenticator = Authenticator(Settings(_env_file=None, jwt_secret=SecretStr(SECRET)))

    def token(self, role: Role) -> str:
        """A token that the server accepts."""
        return self._authenticator.mint(role=role)

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Memory of the process that is in use now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def server_process() -> AsyncIterator[ServerProcess]:
    """Start a server, wait until it is ready, and stop it in the end."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "BFF_PORT": str(PORT),
            "BFF_JWT_SECRET": SECRET,
            "BFF_STORE": f"sqlite:///{folder}/executions.db",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bff", env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{PORT}"
            await _ready(url, process)
            yield ServerProcess(process.pid, url)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the server ended with code {process.returncode}")
            try:
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
