"""What happens when much is asked at one time, slowly, or for long."""

from __future__ import annotations

import gc
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from spectrace.images.decode import Picture
from spectrace.web import answers
from spectrace.web.uploads import Upload


@pytest.fixture
def gate(monkeypatch):
    """Holds every look at a picture until it is opened; counts those that wait at it."""
    opened, entered = threading.Event(), threading.Semaphore(0)
    look = answers.row

    def slow(detector, upload):
        entered.release()
        assert opened.wait(20)
        return look(detector, upload)

    monkeypatch.setattr(answers, "row", slow)
    yield opened, entered
    opened.set()


def ask(client, grey, count=1):
    return client.post("/v1/detect", files=[("files", ("a.png", grey(200)))] * count)


def held(client):
    line = next(one for one in client.get("/metrics").text.splitlines() if one.startswith("spectrace_held"))
    return float(line.split()[1])


@contextmanager
def half_sent(client, length=1000, sent=100):
    """A client that sends the first bytes of a form and then waits."""
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=20) as plain:
        plain.sendall(
            b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" % length
        )
        plain.sendall(
            b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'.ljust(sent, b".")
        )
        until(lambda: held(client) >= sent)
        yield plain


def until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not come to that")


def test_past_the_places_to_wait_in_requests_are_refused(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, client, grey)
        entered.acquire()
        second = pool.submit(ask, client, grey)
        until(lambda: "spectrace_requests_waiting 1.0" in client.get("/metrics").text)
        third = ask(client, grey)
        assert (third.status_code, third.json()["code"]) == (429, "busy")
        assert int(third.headers["retry-after"]) >= 1
        opened.set()
        assert [one.result().json()[0]["score"] for one in (first, second)] == [72.0, 72.0]
    assert ask(client, grey).status_code == 200


def test_late_pictures_are_rows_with_error_and_the_thread_is_free_again_when_it_ends(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=0, work_seconds=0.3)
    rows = ask(client, grey, count=3).json()
    assert len(rows) == 3
    assert all("was not ready in 0.3 s" in row["error"] for row in rows)
    assert ask(client, grey).status_code == 429  # the thread is still at the first picture
    opened.set()
    until(lambda: "spectrace_requests_working 0.0" in client.get("/metrics").text)
    assert ask(client, grey).json()[0]["score"] == 72.0
    assert entered.acquire(blocking=False)
    assert entered.acquire(blocking=False)
    assert not entered.acquire(blocking=False)  # of the late request only the first picture was begun


def test_a_turn_that_does_not_come_in_time_is_refused(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=4, work_seconds=0.3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, client, grey)
        entered.acquire()
        assert ask(client, grey).status_code == 429
        opened.set()
        first.result()


def test_a_slow_client_holds_no_thread_and_is_given_up(serve, grey):
    client = serve(workers=1, waiting=0, receive_seconds=1)
    with half_sent(client) as slow:
        assert ask(client, grey).json()[0]["score"] == 72.0
        assert b"HTTP/1.1 408" in slow.recv(100)
    until(lambda: held(client) == 0)


def test_a_client_that_leaves_is_forgotten(serve, grey):
    client = serve()
    with half_sent(client):
        pass
    until(lambda: held(client) == 0)
    assert ask(client, grey).status_code == 200


def test_a_client_that_leaves_while_it_waits_is_not_worked_for(serve, grey, gate):
    opened, entered = gate
    client = serve(workers=1, waiting=4)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, client, grey)
        entered.acquire()
        with half_sent(client, length=110) as leaving:
            leaving.sendall(b"\r\n--b--\r\n ")
            until(lambda: "spectrace_requests_waiting 1.0" in client.get("/metrics").text)
        time.sleep(0.1)
        opened.set()
        first.result()
    until(lambda: "spectrace_requests_waiting 0.0" in client.get("/metrics").text)
    assert not entered.acquire(timeout=0.2)


def test_requests_in_memory_are_bounded(serve, grey):
    client = serve(held_bytes=2000, receive_seconds=20)
    with half_sent(client, length=5000, sent=1900):
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
