"""What `spectrace serve` does under load: many clients at once with good, broken and hostile bodies.

    python benchmarks/serve_load.py [--seconds 60] [--clients 64] [--out results/serve-load.json]

A server is started as a process of its own on a free port of this machine. First every kind of request is
sent once by one client, which also settles what the right answer is; then all clients send at once, each
kind in turn; beside them one client sends its picture a few bytes at a time, one sends 200 MB, and one reads
the server's memory. Every answer is judged: its status, and for pictures the rows. `429` is a right answer
to a good request, for the server may have enough to do. Exit code 1 when an answer was wrong, the server
gave a 5xx, or its memory at rest grew.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import numpy as np
from PIL import Image

from spectrace.evaluation.environment import Environment

LARGE, PLAIN = "200 MB", "one photograph"
GROWTH_MEBIBYTES = 64  # what allocators keep for the next burst
FORM = "multipart/form-data; boundary=b"


@dataclass(frozen=True)
class Kind:
    """A request, and what a right answer to it looks like."""

    path: str
    files: tuple[tuple[str, bytes], ...] = ()
    body: bytes | Callable[[], Iterator[bytes]] | None = None
    status: int = 200
    right: Callable[[httpx.Response, Reference], bool] = lambda answer, reference: True

    def send(self, client: httpx.Client) -> httpx.Response:
        if self.body is not None:
            content = self.body() if callable(self.body) else self.body
            return client.post(self.path, content=content, headers={"Content-Type": FORM})
        return client.post(self.path, files=[("files", file) for file in self.files])


@dataclass
class Tally:
    """What all clients saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str, status: int, seconds: float, *, right: bool, text: str) -> None:
        with self.lock:
            self.statuses[f"{name}: {status}"] += 1
            self.seconds.append(seconds)
            if not right:
                self.wrong.append(f"{name}: {status} {text[:200]}")


Reference = dict[str, object]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/serve-load.json"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=64)
    arguments = parser.parse_args()
    kinds = make_kinds()
    with serving() as (address, process):
        with connected(address) as client:
            references = {name: reference(kind, client) for name, kind in kinds.items()}
            # A first burst fills what is filled once: threads, pools, caches.
            Load(address, kinds, references).run(arguments.clients, min(5.0, arguments.seconds))
            before = settled_memory(client)
            load = Load(address, kinds, references)
            load.run(arguments.clients, arguments.seconds)
            after = settled_memory(client)
            again = {name: judged(kind, references[name], kind.send(client)) for name, kind in kinds.items()}
            failures = server_faults(client)
        process.terminate()
        ended = process.wait(60)
    tally, growth = load.tally, after - before
    tally.wrong += [f"{name}, after the load" for name, right in again.items() if not right]
    document = {
        "what": "one server, many clients at once; memory at rest before and after, in MiB",
        "seconds": arguments.seconds,
        "clients": arguments.clients,
        "requests": tally.statuses.total(),
        "requests_a_second": round(tally.statuses.total() / arguments.seconds, 1),
        "answers": dict(sorted(tally.statuses.items())),
        "wrong_answers": len(tally.wrong),
        "server_errors": failures,
        "seconds_of_an_answer": {
            f"{share} %": round(float(np.percentile(tally.seconds, share)), 3) for share in (50, 95, 100)
        },
        "memory": {"before": before, "peak": load.peak, "after": after, "growth": round(growth, 1)},
        "exit_code": ended,
        "environment": msgspec.to_builtins(Environment.here()),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))
    for line in tally.wrong[:20]:
        print(f"wrong: {line}", file=sys.stderr)
    return 1 if tally.wrong or failures or growth > GROWTH_MEBIBYTES or ended else 0


@contextmanager
def serving() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "spectrace", "serve", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+/", line)
        if found is None:
            raise SystemExit(f"the server did not start: {line}{process.stderr.read()}")
        # Whatever else it says must not fill the pipe.
        threading.Thread(target=lambda: sys.stderr.writelines(process.stderr), daemon=True).start()
        yield found[0], process
    finally:
        process.kill()
        process.wait()


class Load:
    """Clients that all send at once.

    Args:
        address: of the server.
        kinds: what to send.
        references: the right answers.
    """

    def __init__(self, address: str, kinds: dict[str, Kind], references: dict[str, Reference]) -> None:
        self._address = address
        self._kinds = kinds
        self._references = references
        self._end = 0.0
        self.tally = Tally()
        self.peak = 0.0

    def run(self, clients: int, seconds: float) -> None:
        jobs = [(self._steady, number) for number in range(clients)]
        jobs += [(self._slow, 0), (self._large, 0), (self._watch, 0)]
        threads = [threading.Thread(target=self._client, args=job) for job in jobs]
        self._end = time.monotonic() + seconds
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _client(self, job: Callable[[httpx.Client, int], None], turn: int) -> None:
        with connected(self._address) as client:
            while time.monotonic() < self._end:
                job(client, turn)
                turn += 1

    def _steady(self, client: httpx.Client, turn: int) -> None:
        names = [name for name in self._kinds if name != LARGE]
        name = names[turn % len(names)]
        self._exchange(name, name, lambda: self._kinds[name].send(client))

    def _slow(self, client: httpx.Client, _: int) -> None:
        """A photograph in 20 pieces, five a second."""
        kind = self._kinds[PLAIN]
        form = head(kind.files[0][0]) + kind.files[0][1] + b"\r\n--b--\r\n"

        def dripping() -> Iterator[bytes]:
            for start in range(0, len(form), len(form) // 20 + 1):
                yield form[start : start + len(form) // 20 + 1]
                time.sleep(0.2)

        headers = {"Content-Type": FORM}
        self._exchange(
            "a slow client", PLAIN, lambda: client.post(kind.path, content=dripping(), headers=headers)
        )

    def _large(self, client: httpx.Client, _: int) -> None:
        self._exchange(LARGE, LARGE, lambda: self._kinds[LARGE].send(client))
        time.sleep(1.0)

    def _watch(self, client: httpx.Client, _: int) -> None:
        self.peak = max(self.peak, memory(client))
        time.sleep(0.25)

    def _exchange(self, name: str, kind: str, send: Callable[[], httpx.Response]) -> None:
        started = time.perf_counter()
        try:
            answer = send()
        except httpx.HTTPError as error:
            self.tally.count(name, 0, time.perf_counter() - started, right=False, text=repr(error))
            return
        seconds = time.perf_counter() - started
        right = judged(self._kinds[kind], self._references[kind], answer)
        self.tally.count(name, answer.status_code, seconds, right=right, text=answer.text)
        if answer.status_code == 429:
            time.sleep(float(answer.headers["retry-after"]))


def connected(address: str) -> httpx.Client:
    # Without verify=False each client first reads all the world's certificates.
    return httpx.Client(base_url=address, timeout=120, trust_env=False, verify=False)


def judged(kind: Kind, known: Reference, answer: httpx.Response) -> bool:
    """Whether an answer is right."""
    if answer.status_code == 429:
        return answer.json()["code"] == "busy"
    return answer.status_code == kind.status and kind.right(answer, known)


def reference(kind: Kind, client: httpx.Client) -> Reference:
    """The answer of a server that has nothing else to do."""
    answer = kind.send(client)
    if answer.status_code != kind.status:
        raise SystemExit(f"{kind.path}: {answer.status_code}, wanted {kind.status}: {answer.text[:300]}")
    return (
        {"json": answer.json()} if "json" in answer.headers["content-type"] else {"size": len(answer.content)}
    )


def memory(client: httpx.Client) -> float:
    return round(figure(client, "process_resident_memory_bytes") / 2**20, 1)


def settled_memory(client: httpx.Client) -> float:
    """Memory of the server when it has nothing to do."""
    while figure(client, "spectrace_requests_working") or figure(client, "spectrace_held_bytes"):
        time.sleep(0.1)
    time.sleep(1.0)
    return memory(client)


def figure(client: httpx.Client, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def server_faults(client: httpx.Client) -> int:
    """Answers of 500 and above, as the server counts them."""
    counts = re.findall(
        r'^spectrace_requests_total\{.*status="5\d\d"\} (\S+)$', client.get("/metrics").text, re.M
    )
    return int(sum(map(float, counts)))


def make_kinds() -> dict[str, Kind]:
    """Good, broken and hostile requests."""
    import skimage.data

    photograph = encoded(skimage.data.chelsea(), "JPEG", quality=92)
    coffee = encoded(skimage.data.coffee(), "PNG")
    bomb = png_bomb()

    def same(answer: httpx.Response, known: Reference) -> bool:
        return answer.json() == known["json"]

    def like(answer: httpx.Response, known: Reference) -> bool:
        return answer.content[:4] == b"\x89PNG" and len(answer.content) == known["size"]

    def page(answer: httpx.Response, known: Reference) -> bool:
        return answer.text.startswith("<!DOCTYPE html>") and len(answer.content) == known["size"]

    several = (
        ("cat.jpg", photograph),
        ("broken.jpg", photograph[:2000]),
        ("bomb.png", bomb),
        ("cup.png", coffee),
    )
    return {
        "one photograph": Kind("/v1/detect", (("cat.jpg", photograph),), right=same),
        "good and broken together": Kind("/v1/detect", several, right=same),
        "evidence": Kind("/v1/evidence", (("cup.png", coffee),), right=same),
        "heatmap": Kind("/v1/heatmap", (("cat.jpg", photograph),), right=like),
        "spectrum": Kind("/v1/spectrum", (("cat.jpg", photograph),), right=like),
        "report": Kind("/v1/report", several[:2], right=page),
        "picture bomb": Kind("/v1/evidence", (("bomb.png", bomb),), status=413, right=same),
        "truncated": Kind("/v1/heatmap", (("broken.jpg", photograph[:2000]),), status=422, right=same),
        "no picture": Kind("/v1/spectrum", (("a.txt", b"words"),), status=415, right=same),
        "empty": Kind("/v1/evidence", (("a.jpg", b""),), status=422, right=same),
        "path in a name": Kind("/v1/detect", (("../../etc/passwd", b"root"),), right=same),
        "too many files": Kind("/v1/detect", (("a.jpg", b"x"),) * 17, status=413, right=same),
        "broken form": Kind("/v1/detect", body=b"--b\r\nnonsense", status=422, right=same),
        "cut form": Kind("/v1/detect", body=head("a.jpg") + photograph[:9000], status=422, right=same),
        LARGE: Kind("/v1/detect", body=large_body, status=413),
        "noise": Kind("/v1/detect", body=np.random.default_rng(0).bytes(20_000), status=422, right=same),
    }


def head(name: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()


def large_body() -> Iterator[bytes]:
    yield head("large.jpg")
    for _ in range(200):
        yield bytes(1_000_000)


def encoded(pixels: np.ndarray, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def png_bomb() -> bytes:
    """A PNG of a few kilobytes that states 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


if __name__ == "__main__":
    sys.exit(main())
