"""What the server takes on: its limits, and who may ask."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from spectrace.errors import UsageError
from spectrace.threads import available_processors


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Limits of a server, and its token.

    Attributes:
        file_bytes: the largest picture file.
        request_bytes: the largest request, all its files together.
        held_bytes: of all requests that are in memory at one time.
        pixels: width times height of a picture.
        files: pictures in one request.
        requests: that may be open at one time, slow ones included.
        workers: requests whose pictures are looked at, at one time.
        waiting: requests that may wait for that.
        receive_seconds: for a request to arrive.
        work_seconds: for its answer from then on, waiting included.
        token: that requests must bear; None asks for none.

    Raises:
        UsageError: a limit below 1 (0 for ``waiting``), a time that is not positive, or an empty token.

    Example:
        >>> Settings(files=4, workers=1).limits()["files"]
        4
    """

    file_bytes: int = 32 * 2**20
    request_bytes: int = 64 * 2**20
    held_bytes: int = 512 * 2**20
    pixels: int = 50_000_000
    files: int = 16
    requests: int = 256
    workers: int = field(default_factory=available_processors)
    waiting: int = 64
    receive_seconds: float = 30.0
    work_seconds: float = 60.0
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in self.limits().items():
            smallest = 0 if name == "waiting" else 1
            if value < smallest and not (name.endswith("_seconds") and value > 0):
                raise UsageError(f"{name.replace('_', ' ')} = {value:g}: wanted at least {smallest}")
        if self.token is not None and not self.token.strip():
            raise UsageError("the token is empty: give one, or leave the option and its variable away")

    def limits(self) -> dict[str, Any]:
        """All but the token."""
        values = asdict(self)
        return {one.name: values[one.name] for one in fields(self) if one.name != "token"}
