"""The same job on Ray Data: chunks go out as rows of a data set, and come back with their results.

The parent writes the parts, as it does for local processes: a scan can be cut off on one engine and go on
with the other, and workers need no common disk but the pictures'.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from spectrace.errors import MissingDependencyError, ModelError, SpectraceError
from spectrace.images.reading import one_line
from spectrace.scan.chunks import Chunk
from spectrace.scan.digests import Digests
from spectrace.scan.items import Item
from spectrace.scan.scoring import Deliver, Scoring, score_batch

_WINDOW = 1000  # chunks of one data set: their items are in memory
_ATTEMPTS = 3


def run(
    scoring: Scoring,
    chunks: Iterator[Chunk],
    deliver: Deliver,
    *,
    workers: int | None = None,
    digests: Path | None = None,
) -> None:
    """Score chunks on the cluster that ``RAY_ADDRESS`` names, or on one started on this machine.

    Args:
        scoring: how.
        chunks: the work.
        deliver: called with a chunk, 0, and all of its rows.
        workers: number of actors at most; None takes one a processor of the cluster (one a GPU with ``gpu``).
        digests: of what is scored already, to leave duplicates out.

    Raises:
        MissingDependencyError: Ray is not installed.
        ModelError: the cluster has no GPU to use.
        SpectraceError: the job failed; what was delivered stays.
    """
    try:
        import ray  # noqa: PLC0415  (optional, and slow to start)
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("Scans on a cluster", "ray[data]", "cluster") from error

    first = next(chunks, None)
    if first is None:
        return
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    ours = not ray.is_initialized()
    try:
        if ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing calls home
            os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters comes as an exception
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # of many kinds, bare ones among them
        raise SpectraceError(
            f"no cluster could be reached or started ({one_line(error)}): check RAY_ADDRESS, or take "
            "--engine local"
        ) from error
    try:
        there = ray.cluster_resources()
        if scoring.gpu and not there.get("GPU"):  # Ray would wait for one without end
            raise ModelError("the cluster has no GPU: start a worker that has one, or leave --gpu out")
        most = workers or max(int(there.get("GPU" if scoring.gpu else "CPU", 0)), 1)
        # On this machine, where the files are.
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        home = ray.remote(num_cpus=0, scheduling_strategy=here)(_Home).remote(scoring.model, digests)
        head: Iterator[Chunk] = iter([first])
        while window := {chunk.id: chunk for chunk in [*head, *islice(chunks, _WINDOW)]}:
            data = ray.data.from_items(
                [{"chunk": one.id, "items": json.dumps(one.items)} for one in window.values()],
                override_num_blocks=len(window),
            )
            scored = data.map_batches(
                _Scorer,
                fn_constructor_args=(scoring, home, digests is not None),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
                num_cpus=1,
                num_gpus=1 if scoring.gpu else None,
            )
            for row in scored.iter_rows():
                deliver(window[row["chunk"]], 0, json.loads(row["rows"]))
    except ray.exceptions.RayError as error:
        raise SpectraceError(
            f"the cluster gave up ({_reason(error)}): the same command goes on, also with --engine local"
        ) from error
    finally:
        if ours:
            ray.shutdown()


def _reason(error: Exception) -> str:
    """The last line of Ray's report, below the stack: the error itself."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


class _Home:
    """An actor beside the parent: what the scorers ask of its machine."""

    def __init__(self, model: str, digests: Path | None) -> None:
        self._model = model
        self._digests = None if digests is None else Digests(digests)
        self._begun: Counter[int] = Counter()

    def model(self) -> bytes:
        return Path(self._model).read_bytes()

    def known(self, sha256: str) -> bool:
        return self._digests is not None and self._digests.known(sha256)

    def begin(self, chunk: int) -> int:
        """How often a chunk was begun, this time included."""
        self._begun[chunk] += 1
        return self._begun[chunk]


class _Scorer:
    """An actor: a detector that stays loaded."""

    def __init__(self, scoring: Scoring, home: Any, once: bool) -> None:
        import ray  # noqa: PLC0415  (it is here: this runs in one of its workers)

        def ask(method: str, value: str | int) -> Any:
            return ray.get(getattr(home, method).remote(value))

        self._begin: Callable[[int], int] = partial(ask, "begin")
        self._known: Callable[[str], bool] | None = partial(ask, "known") if once else None
        # The model travels: a worker may be a machine without that file.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(ray.get(home.model.remote()))
            self._detector = msgspec.structs.replace(scoring, model=str(path)).detector()
        self._column = scoring.column

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        answers = []
        for chunk, items in zip(batch["chunk"], batch["items"], strict=True):
            # Ray starts an actor that died again, for ever: a picture that none survives must end the job.
            if self._begin(int(chunk)) > _ATTEMPTS:
                raise SpectraceError(
                    f"{_ATTEMPTS} actors died of chunk {chunk}: --engine local finds out why"
                )
            taken = (Item(path, row) for path, row in json.loads(items))
            rows = list(score_batch(self._detector, taken, column=self._column, known=self._known))
            answers.append(json.dumps(rows))
        return {"chunk": batch["chunk"], "rows": answers}
