"""Several processes that train one network: what they share, and who does what only once.

PyTorch's own launcher starts them: ``torchrun --nproc-per-node 2 -m spectrace train RECIPE``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from spectrace.errors import UsageError

DEVICES = ("auto", "cpu", "cuda")

# The others wait while the first one reads all pictures or validates; a crash ends the wait at once anyway.
_PATIENCE = timedelta(days=1)

_Word = TypeVar("_Word")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; alone, every method gives back what it was given.

    Attributes:
        device: that this process computes on.
        rank: its number, from 0. The first one validates, logs, saves and exports.
        count: how many there are.
        neighbours: how many run on this machine, this one included.

    Example:
        >>> alone = Processes(torch.device("cpu"))
        >>> alone.first, alone.word([1, 2]), alone.together(torch.tensor([1, 2])).tolist()
        (True, [1, 2], [[1, 2]])
    """

    device: torch.device
    rank: int = 0
    count: int = 1
    neighbours: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that does what is done only once."""
        return self.rank == 0

    def share(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes; all begin with the first one's weights.

        Batch normalisation takes the statistics of each process's own part of a batch; the running ones,
        which are saved, are those of the first process.
        """
        if self.count == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def word(self, said: _Word) -> _Word:
        """What the first process says, in every process; what the others say is not heard."""
        if self.count == 1:
            return said
        words = [said if self.first else None]
        torch.distributed.broadcast_object_list(words, src=0, device=self.device)
        heard = words[0]
        return heard  # type: ignore[return-value]  # of the same type as in the first process

    def together(self, value: Tensor) -> Tensor:
        """The same tensor of all processes ``[...]``, stacked by rank: ``[count, ...]``."""
        if self.count == 1:
            return value[None]
        mine = value.to(self.device)
        parts = [torch.empty_like(mine) for _ in range(self.count)]
        torch.distributed.all_gather(parts, mine)
        return torch.stack(parts).to(value.device)

    def leave(self) -> None:
        """End this process when its work is done and others train with it; alone, go on.

        Now and then one of gloo's threads outlives its group and aborts a process that is on its way out,
        after all was written; a process that ends at once cannot be aborted.
        """
        if self.count > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)


@contextmanager
def processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that PyTorch's launcher started; without it this one is alone.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: CUDA where there is any.

    Raises:
        UsageError: an unknown device, or CUDA where there is none.

    Example:
        >>> with processes("cpu") as group:
        ...     group.device.type, group.rank, group.count
        ('cpu', 0, 1)
    """
    if device not in DEVICES:
        raise UsageError(f"the device is {device!r}, wanted one of {', '.join(DEVICES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("the device is cuda, but PyTorch finds none here: take auto or cpu")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if not torch.distributed.is_torchelastic_launched():
        yield Processes(torch.device(kind))
        return
    place, neighbours = torch.device(kind), int(os.environ["LOCAL_WORLD_SIZE"])
    if kind == "cuda":
        if neighbours > torch.cuda.device_count():
            raise UsageError(
                f"{neighbours} processes on {torch.cuda.device_count()} GPUs: give torchrun "
                "--nproc-per-node as many as there are GPUs, or take --device cpu"
            )
        place = torch.device(kind, int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(place)
    torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        rank, count = torch.distributed.get_rank(), torch.distributed.get_world_size()
        yield Processes(place, rank, count, neighbours)
    finally:
        torch.distributed.destroy_process_group()
