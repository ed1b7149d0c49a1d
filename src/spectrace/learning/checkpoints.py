"""The state of a training on disk, and its log."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spectrace.errors import RecipeError

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write the state so that a kill at any moment leaves the old file or the new one, whole.

    Args:
        folder: of the run.
        state: tensors, numbers, text, lists and dicts of them.
    """
    temporary = folder / f"{CHECKPOINT}.part"
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / CHECKPOINT)


def load_checkpoint(folder: Path, digest: str, seed: int) -> dict[str, Any] | None:
    """Read the state back, on the CPU; ``None`` where the folder holds none.

    Args:
        folder: of the run.
        digest: of the recipe and its data.
        seed: of the run.

    Raises:
        RecipeError: the file is damaged, or belongs to another recipe or seed.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        found = (str(state["digest"]), int(state["seed"]))
    except Exception as error:  # torch raises whatever the unpickler meets
        raise RecipeError(
            f"{path} is no checkpoint of Spectrace ({error!r:.120}): start with --fresh"
        ) from error
    if found != (digest, seed):
        raise RecipeError(
            f"{folder} holds a run of another recipe, data or seed (digest {found[0][:8]}, seed {found[1]}; "
            f"wanted {digest[:8]}, seed {seed}): choose another --out or start with --fresh"
        )
    return state


def seed_chance(seed: int, rank: int) -> None:
    """Give each of several processes chance of its own (dropout): seeds torch's global generators."""
    torch.manual_seed(int(np.random.SeedSequence([seed, rank]).generate_state(1, np.uint64)[0] >> 1))


def read_chance(device: torch.device) -> Tensor:
    """State of torch's generators, the CPU's and that of a CUDA device: uint8 ``[n]``.

    Example:
        >>> state = read_chance(torch.device("cpu"))
        >>> drawn = torch.rand(3)
        >>> write_chance(state, torch.device("cpu"))
        >>> bool((torch.rand(3) == drawn).all())
        True
    """
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


def write_chance(state: Tensor, device: torch.device) -> None:
    """Go on with the chance that :func:`read_chance` found; that of another kind of device is left out."""
    here = torch.get_rng_state().numel()
    # Copies, for torch crashes on a state that is part of a larger tensor.
    torch.set_rng_state(state[:here].clone())
    if device.type == "cuda" and len(state) > here:
        torch.cuda.set_rng_state(state[here:].clone(), device)


class Log:
    """Numbers of a training, one JSON object a line, one line an epoch.

    Lines after the epoch that is resumed from are dropped, so that each epoch has one line.

    Args:
        path: the file; its folder exists.
        epoch: last epoch to keep.
    """

    def __init__(self, path: Path, epoch: int) -> None:
        self._path = path
        kept = [line for line in read_log(path) if line["epoch"] <= epoch] if path.is_file() else []
        self._write("w", kept)

    def add(self, **numbers: float | int) -> None:
        """Append one line."""
        self._write("a", [numbers])

    def _write(self, mode: str, lines: list[dict[str, Any]]) -> None:
        with self._path.open(mode, encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a training's log; a last line cut short by a kill is left out."""
    lines = []
    for text in path.read_text("utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines
