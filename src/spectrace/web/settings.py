"""What the server takes on: its limits, and who may ask."""

from __future__ import annotations

import math
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
        receive_seconds: for a request to arrive, and for its answer to be taken.
        wait_seconds: for its turn to come, once it has arrived.
        work_seconds: for the work on it from then on.
        names: that the server goes by, beside addresses and names of this machine or its network. Requests
            for others are refused where there is no token, for a foreign site may have sent them.
        token: that requests must bear; None asks for none.

    Raises:
        UsageError: a limit below 1 (0 for ``waiting``), a time that is not positive, memory for less than one
            request, or a token that is empty or that no header can carry.

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
    wait_seconds: float = 60.0
    work_seconds: float = 60.0
    names: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in self.limits().items():
            shown = f"{name.replace('_', ' ')} = {value:g}"
            if name.endswith("_seconds"):
                if not 0 < value < math.inf:
                    raise UsageError(f"{shown}: wanted more than 0, and an end")
            elif value < (smallest := 0 if name == "waiting" else 1):
                raise UsageError(f"{shown}: wanted at least {smallest}")
        if self.held_bytes < self.request_bytes:
            raise UsageError(
                f"memory for {self.held_bytes:,} bytes and requests of {self.request_bytes:,}: wanted memory "
                "for one request at least"
            )
        if self.token is not None:
            _check_token(self.token)

    def limits(self) -> dict[str, Any]:
        """All that is a number."""
        values = asdict(self)
        return {one.name: values[one.name] for one in fields(self) if one.name not in ("names", "token")}


def _check_token(token: str) -> None:
    if not token.strip():
        raise UsageError("the token is empty: give one, or leave the option and its variable away")
    if token != token.strip() or not token.isprintable():
        raise UsageError(
            "the token begins or ends with a space, or holds what cannot be printed: no header can carry it"
        )
