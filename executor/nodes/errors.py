"""What a tool raises when it could not do its work."""

from __future__ import annotations

from contract.errors import RunroomError


class ToolError(RunroomError):
    """The work failed, and another try may succeed; the sentence becomes the node's error.

    What cannot succeed however often it is tried (arguments that are not accepted, a path
    outside the root, a host that is not allowed) is `contract.errors.Invalid` instead.
    """
