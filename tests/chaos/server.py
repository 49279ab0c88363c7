"""`python -m bff` with a failpoint or a meter.

The file `failpoint` in the working folder holds a line `name before|after passes`; it is taken
away when it is read, so that the next start is an ordinary one. `CHAOS_METER` names the file
that the meter's figures go to.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bff.__main__ import main
from tests.chaos import failpoints, meter

FILE = Path("failpoint")

if __name__ == "__main__":
    if FILE.exists():
        name, when, passes = FILE.read_text().split()
        FILE.unlink()
        failpoints.install(name, "before" if when == "before" else "after", int(passes))
    if "CHAOS_METER" in os.environ:
        meter.install(Path(os.environ["CHAOS_METER"]))
    sys.exit(main())
