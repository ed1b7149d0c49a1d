"""The command that serves, as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from spectrace.cli import serve as command


@contextmanager
def serving(*arguments, **variables):
    """The address of a server, and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "spectrace", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )
    try:
        line = process.stderr.readline()
        found = re.search(r"http://\S+/", line)
        assert found, line + process.stderr.read()
        yield found[0], process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_it_answers_and_ends_well_with_a_request_at_hand(photograph_paths):
    raw = photograph_paths["chelsea"].read_bytes()
    head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="cat.png"\r\n\r\n'
    form = head + raw + b"\r\n--b--\r\n"
    with serving() as (address, process):
        port = int(address.rsplit(":", 1)[1].strip("/"))
        with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
            plain.sendall(
                b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" % len(form)
            )
            plain.sendall(form[:1000])
            while "spectrace_held_bytes 1000.0" not in httpx.get(f"{address}metrics").text:
                pass
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            with pytest.raises((ConnectionRefusedError, ConnectionResetError, TimeoutError)):
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            plain.sendall(form[1000:])
            answer = b""
            while piece := plain.recv(65_536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"path":"cat.png"' in answer
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_settings_come_from_options_and_variables():
    with serving("--max-files", "3", SPECTRACE_SERVE_TOKEN="open-sesame", SPECTRACE_SERVE_WORKERS="5") as (
        address,
        process,
    ):
        assert httpx.get(f"{address}v1/limits").status_code == 401
        bearer = {"Authorization": "Bearer open-sesame"}
        limits = httpx.get(f"{address}v1/limits", headers=bearer).json()
        assert (limits["files"], limits["workers"], limits["file_bytes"]) == (3, 5, 32 * 2**20)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_it_answers_to_the_names_it_is_given():
    names = {"SPECTRACE_SERVE_ALLOW_HOST": "one.example two.example"}
    with serving("--host", "localhost", **names) as (address, _):
        for name, status in (("one.example", 200), ("two.example:80", 200), ("three.example", 421)):
            assert httpx.get(f"{address}healthz", headers={"Host": name}).status_code == status


def test_an_address_that_others_reach_is_warned_of():
    with serving("--host", "0.0.0.0") as (_, process):
        warning = process.stderr.readline()
        assert "anybody who reaches it" in warning
        assert "unencrypted" in warning


def test_a_port_that_is_taken_and_an_address_that_is_not_ours(spectrace):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = spectrace("serve", "--port", taken.getsockname()[1])
    assert result.code == 2
    assert "cannot listen on 127.0.0.1" in result.err
    for impossible in ("192.0.2.1", "a..b"):
        result = spectrace("serve", "--host", impossible, "--port", "0")
        assert (result.code, result.err.count("\n")) == (2, 1)


def test_without_its_packages_it_says_what_to_install(spectrace, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("spectrace.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = spectrace("serve")
    assert (result.code, result.out) == (2, "")
    assert "pip install 'spectrace[serve]'" in result.err


def test_help_names_every_option(spectrace):
    result = spectrace("serve", "--help")
    assert result.code == 0
    for parameter in command.command.params:
        assert parameter.opts[0] in result.out
