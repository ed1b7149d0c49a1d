"""What happens when much is asked at one time, slowly, or for long."""

from __future__ import annotations

import gc
import io
import itertools
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import numpy as np
import pytest
from PIL import Image

from spectrace.images.decode import Picture
from spectrace.web import answers, server
from spectrace.web.app import create_app
from spectrace.web.settings import Settings
from spectrace.web.uploads import Held, Upload


@pytest.fixture
def gate(monkeypatch):
    """Holds every look at a picture until it is opened; counts those that wait at it."""
    opened, entered = threading.Event(), threading.Semaphore(0)
    look = answers.row

    def slow(detector, upload):
        entered.release()
        assert opened.wait(120)  # longer than any test waits for anything
        return look(detector, upload)

    monkeypatch.setattr(answers, "row", slow)
    yield opened, entered
    opened.set()


def ask(client, grey, count=1):
    return client.post("/v1/detect", files=[("files", ("a.png", grey(200)))] * count)


def figure(client, name):
    line = next(one for one in client.get("/metrics").text.splitlines() if one.startswith(f"{name} "))
    return float(line.rsplit(" ", 1)[1])


def held(client):
    return figure(client, "spectrace_held_bytes")


@contextmanager
def connected(client, receives=None):
    """A bare connection, with room for so many bytes of an answer."""
    with socket.socket() as plain:
        plain.settimeout(20)
        if receives is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        plain.connect((client.base_url.host, client.base_url.port))
        yield plain


def post_head(length, path="/v1/detect"):
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    ).encode()


def parts(*contents):
    """A form of files."""
    head = b'Content-Disposition: form-data; name="f"; filename="f"'
    return b"".join(b"--b\r\n%b\r\n\r\n%b\r\n" % (head, content) for content in contents) + b"--b--\r\n"


@contextmanager
def half_sent(client, length=1000, sent=100):
    """A client that sends the first bytes of a form and then waits."""
    with connected(client) as plain:
        plain.sendall(post_head(length))
        plain.sendall(
            b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'.ljust(sent, b".")
        )
        until(lambda: held(client) >= sent)
        yield plain


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def test_past_the_places_to_wait_in_requests_are_refused(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, client, grey)
        entered.acquire()
        second = pool.submit(ask, client, grey)
        until(lambda: figure(client, "spectrace_requests_waiting") == 1)
        third = ask(client, grey)
        assert (third.status_code, third.json()["code"]) == (429, "busy")
        assert int(third.headers["retry-after"]) >= 1
        opened.set()
        assert [one.result().json()[0]["score"] for one in (first, second)] == [72.0, 72.0]
    assert ask(client, grey).status_code == 200


def test_late_pictures_are_rows_with_error_and_the_thread_is_free_again_when_it_ends(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=0, work_seconds=1)
    rows = ask(client, grey, count=3).json()
    assert len(rows) == 3
    assert all("was not ready in 1 s" in row["error"] for row in rows)
    assert ask(client, grey).status_code == 429  # the thread is still at the first picture
    opened.set()
    until(lambda: figure(client, "spectrace_requests_working") == 0)
    assert ask(client, grey).json()[0]["score"] == 72.0
    assert entered.acquire(blocking=False)
    assert entered.acquire(blocking=False)
    assert not entered.acquire(blocking=False)  # of the late request only the first picture was begun


def test_a_turn_that_does_not_come_in_time_is_refused(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=4, wait_seconds=0.3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, client, grey)
        entered.acquire()
        refused = ask(client, grey)
        assert (refused.status_code, refused.json()["code"]) == (429, "busy")
        opened.set()
        assert first.result().json()[0]["score"] == 72.0


def test_those_before_it_make_no_answer_late(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=4, work_seconds=2)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(ask, client, grey)
        entered.acquire()
        patient = pool.submit(ask, client, grey)
        until(lambda: figure(client, "spectrace_requests_waiting") == 1)
        seen = time.monotonic()
        assert "was not ready in 2 s" in slow.result().json()[0]["error"]
        until(lambda: time.monotonic() > seen + 2)  # longer than its own work may take
        opened.set()
        assert patient.result().json()[0]["score"] == 72.0


def test_a_slow_client_holds_no_thread(serve, grey):
    client = serve(workers=1, waiting=0)
    with half_sent(client):
        assert ask(client, grey).json()[0]["score"] == 72.0


def test_a_slow_client_is_given_up(serve):
    client = serve(receive_seconds=0.5)
    with connected(client) as slow:
        slow.sendall(post_head(1000) + parts(b"")[:40])
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    until(lambda: held(client) == 0)


@pytest.mark.parametrize("told_by_the_system", [True, False])
def test_a_client_that_does_not_take_its_answer_is_given_up(serve, grey, monkeypatch, told_by_the_system):
    if not told_by_the_system:  # as elsewhere than on Linux, or where a client takes a byte now and then
        monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)
    answer = bytes(32 * 2**20)  # more than any system keeps for a connection
    monkeypatch.setattr(answers, "heatmap_png", lambda *_, **__: answer)
    counted = []
    lease = Held.answer
    monkeypatch.setattr(Held, "answer", lambda self, count: counted.append(count) or lease(self, count))
    client = serve(receive_seconds=1)
    ask(client, grey)
    before = figure(client, "process_open_fds")
    form = parts(grey(200))
    with connected(client, receives=4096) as idle:
        idle.sendall(post_head(len(form), "/v1/heatmap") + form)
        until(lambda: len(answer) in counted)  # what is not sent yet is in memory, and counts
        until(lambda: held(client) == 0)
        if told_by_the_system:
            until(lambda: figure(client, "process_open_fds") == before + 1)  # this end, and no other


def test_a_large_answer_arrives_whole(serve, grey, monkeypatch):
    answer = np.random.default_rng(0).bytes(3_000_001)
    monkeypatch.setattr(answers, "heatmap_png", lambda *_, **__: answer)
    client = serve()
    given = client.post("/v1/heatmap", files={"file": ("a.png", grey(200))})
    assert given.content == answer
    assert held(client) == 0


@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_a_client_that_does_not_say_what_it_wants_is_given_up(serve, monkeypatch, asked_before, sent):
    monkeypatch.setattr(server, "_KEEP_ALIVE_SECONDS", 1 if not sent else 1000)
    client = serve(receive_seconds=1)
    with connected(client) as slow:
        if asked_before:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += slow.recv(1000)
        slow.sendall(sent)
        with suppress(ConnectionResetError):
            assert slow.recv(1) == b""


def test_idle_connections_outlast_those_of_clients():
    """Or a client would send into one at the moment of its end, and lose its request."""
    settings = Settings()
    config = server.server_of(create_app(settings=settings), settings).config
    assert config.timeout_keep_alive > httpx.Limits().keepalive_expiry


def test_a_client_that_leaves_is_forgotten(serve, grey):
    client = serve()
    with half_sent(client):
        pass
    until(lambda: held(client) == 0)
    assert ask(client, grey).status_code == 200


def test_a_client_that_leaves_while_it_waits_is_not_worked_for(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=4, wait_seconds=600)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, client, grey)
        entered.acquire()
        form = parts(grey(200))
        with connected(client) as leaving:
            leaving.sendall(post_head(len(form)) + form)
            until(lambda: figure(client, "spectrace_requests_waiting") == 1)
        until(lambda: figure(client, "spectrace_requests_waiting") == 0)  # its place is free at once
        assert held(client) < len(form) * 2
        opened.set()
        first.result()
    assert not entered.acquire(blocking=False)


def test_a_client_that_leaves_in_mid_work_is_worked_for_no_longer(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=0)
    form = parts(*[grey(200)] * 3)
    with connected(client) as leaving:
        leaving.sendall(post_head(len(form)) + form)
        entered.acquire()
    until(lambda: held(client) == 0)
    opened.set()
    until(lambda: figure(client, "spectrace_requests_working") == 0)
    assert not entered.acquire(blocking=False)  # of its pictures only the first was begun
    assert ask(client, grey).json()[0]["score"] == 72.0


def test_requests_in_memory_are_bounded(serve, grey):
    client = serve(held_bytes=2000, request_bytes=2000, receive_seconds=20)
    with half_sent(client, length=2000, sent=1900):
        refused = ask(client, grey, count=2)
        assert (refused.status_code, refused.json()["code"]) == (429, "busy")
    until(lambda: held(client) == 0)
    assert ask(client, grey, count=2).status_code == 200


def test_open_requests_are_bounded_and_health_is_told_all_the_same(serve, grey):
    client = serve(requests=1, receive_seconds=20)
    with half_sent(client):
        assert ask(client, grey).status_code == 429
        assert client.get("/healthz").status_code == 200
    until(lambda: held(client) == 0)
    assert ask(client, grey).status_code == 200


def test_a_fault_is_a_500_that_says_nothing_of_the_inside(serve, grey, monkeypatch, caplog):
    def fault(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(answers, "row", fault)
    client = serve()
    answer = ask(client, grey)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "secret" in caplog.text
    assert held(client) == 0


def test_an_answer_is_the_same_beside_any_others(client, photographs):
    """Scores depend on no neighbour, in time or in a request, and on no number of threads."""
    pictures = []
    for name in ("chelsea", "coffee", "rocket", "astronaut"):
        file = io.BytesIO()
        Image.fromarray(photographs[name][:200, :260]).save(file, "PNG")
        pictures.append((f"{name}.png", file.getvalue()))

    def look(chosen):
        return client.post("/v1/detect", files=[("files", one) for one in chosen]).json()

    alone = {one[0]: look([one])[0] for one in pictures}
    assert len({row["score"] for row in alone.values()}) == len(pictures)
    orders = [list(order) for count in (1, 2, 4) for order in itertools.permutations(pictures, count)]
    with ThreadPoolExecutor(8) as pool:
        for chosen, rows in zip(orders, pool.map(look, orders), strict=True):
            assert rows == [alone[name] for name, _ in chosen]


def test_pictures_are_let_go_at_once(serve, grey):
    client = serve()
    gc.collect()
    gc.disable()  # it may come minutes later, and until then memory would grow
    try:
        ask(client, grey)
        client.post("/v1/evidence", files={"file": ("a.png", grey(200))})
        client.post("/v1/evidence", files=[("files", ("a.png", grey(200)))] * 2)
        kept = [one for one in gc.get_objects() if type(one) in (Upload, Picture)]
    finally:
        gc.enable()
    assert kept == []
