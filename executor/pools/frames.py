"""What the process pool and its workers say to each other: pickled tuples with their length.

parent → worker: `Work`. Worker → parent: any number of ("write", level, text),
("record", level, message, metadata) and ("progress", percent, message), then one of
("done", JSON bytes) and ("failed", error, traceback, permanent).
"""

from __future__ import annotations

import pickle
import struct
from typing import Any

LENGTH = struct.Struct("!I")


def pack(frame: Any) -> bytes:
    data = pickle.dumps(frame, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def unpack(data: bytes) -> Any:
    return pickle.loads(data)
