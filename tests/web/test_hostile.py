"""Bodies that are broken, and bodies that are meant to break something."""

from __future__ import annotations

import io
import socket
import struct
import sys
import threading
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

POSTS = ("/v1/detect", "/v1/evidence", "/v1/heatmap", "/v1/spectrum", "/v1/report")
QUICK = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refused(answer, status, code):
    """Asserts that a request was refused in the one shape that refusals have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "code", "detail"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"].isprintable()
    return body["detail"]


def form(*parts, boundary="b", end=True):
    """A multipart body made by hand: (header lines, content)."""
    body = b"".join(b"--b\r\n%b\r\n\r\n%b\r\n" % (head, content) for head, content in parts)
    return body + (b"--b--\r\n" if end else b"")


def head(name="a.png"):
    return b'Content-Disposition: form-data; name="file"; filename="%b"' % name.encode()


def post(client, content, path="/v1/detect", kind="multipart/form-data; boundary=b"):
    return client.post(path, content=content, headers={"Content-Type": kind})


def bomb(width=60_000, height=60_000):
    """A PNG of a few kilobytes that unpacks to gigabytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("path", POSTS)
def test_what_is_no_form_is_refused(client, path):
    for kind in ("image/png", "application/json", "", "multipart/mixed; boundary=b", "\x7f"):
        refused(post(client, b"{}", path, kind), 415, "not-a-form")
    refused(post(client, b"", path, "multipart/form-data"), 422, "broken-form")
    refused(post(client, b"", path, f"multipart/form-data; boundary={'b' * 300}"), 422, "broken-form")


@pytest.mark.parametrize("path", POSTS)
def test_broken_forms_are_refused(client, path, grey):
    picture = grey(9)
    for body, code in (
        (b"", "broken-form"),
        (b"no form", "broken-form"),
        (b"--b--\r\n", "no-file"),
        (form((head(), picture), end=False), "broken-form"),
        (form((head(), picture))[:-40], "broken-form"),
        (form((b"Content-Disposition: form-data", picture)), "no-file"),
        (form((b"X: y", picture)), "no-file"),
        (form((b"X: " + b"y" * 100_000, picture)), "broken-form"),
        (form((b"\r\n".join([b"X: y"] * 1000), picture)), "broken-form"),
    ):
        refused(post(client, body, path), 422, code)


def test_a_part_without_a_file_name_is_refused_and_addresses_are_not_fetched(client):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/photo.jpg"
        detail = refused(client.post("/v1/detect", data={"url": address}, files={}), 415, "not-a-form")
        parts = {"url": (None, address)}
        detail = refused(client.post("/v1/detect", files=parts), 422, "no-file")
        assert "addresses are not fetched" in detail
        [row] = client.post("/v1/detect", files={"file": (address, address.encode())}).json()
        assert row["error"] is not None
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}"/></svg>'
        client.post("/v1/detect", files={"file": ("a.svg", svg.encode())})
        listening.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listening.accept()


def test_too_much_is_refused(client, grey):
    picture = grey(9)
    five = [("files", ("a.png", picture))] * 5
    assert "4 files" in refused(client.post("/v1/detect", files=five), 413, "too-many-files")
    two = five[:2]
    for path in POSTS[1:4]:
        refused(client.post(path, files=two), 413, "too-many-files")
    large = bytes(2**20 + 1)
    detail = refused(client.post("/v1/detect", files={"file": ("large.png", large)}), 413, "too-many-bytes")
    assert detail.startswith("large.png has more than 1,048,576 bytes")


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_of_200_megabytes_is_refused_with_its_length_and_without(client, stated):
    beginning, piece = form((head(), b""), end=False), bytes(2_000_000)

    def pieces():
        yield beginning
        for _ in range(100):
            yield piece

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    if stated:
        headers["Content-Length"] = str(len(beginning) + 100 * len(piece))
    refused(client.post("/v1/detect", content=pieces(), headers=headers), 413, "too-many-bytes")


def test_a_client_that_waits_to_be_told_to_go_on_is_told_not_to(client):
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port), timeout=10) as plain:
        plain.sendall(
            b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 200000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        assert plain.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", POSTS)
def test_a_picture_bomb_is_refused_before_it_is_unpacked(client, path):
    answer = client.post(path, files={"file": ("bomb.png", bomb())})
    if path in ("/v1/detect", "/v1/report"):
        assert answer.status_code == 200
        assert "3,600,000,000 pixels" in answer.text
    else:
        assert "3,600,000,000 pixels" in refused(answer, 413, "too-many-pixels")


@pytest.mark.parametrize("path", POSTS[1:4])
def test_one_picture_that_cannot_be_read_has_a_status_of_its_own(client, path, grey):
    for content, status, code in (
        (b"", 422, "empty"),
        (b"just words", 415, "not-an-image"),
        (grey(9)[:60], 422, "truncated"),
    ):
        refused(client.post(path, files={"file": ("a.png", content)}), status, code)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("/", "picture without a name"),
        ("", "picture without a name"),
        ("<script>alert(1)<b>", "<script>alert(1)<b>"),
        ("a\x1b[2J\u202eb.png", "a[2Jb.png"),
        ("a\0b.png", "ab.png"),
        ("a\nb.png", "a b.png"),
        ("x" * 4000, "x" * 299 + "…"),
    ],
)
def test_a_file_name_is_a_name_and_no_path(client, grey, sent, shown):
    [row] = post(client, form((head(sent), grey(9)))).json()
    assert row["path"] == shown


def test_forms_with_tricks_are_refused_early_or_taken_for_what_they_are(client, grey):
    field = b'Content-Disposition: form-data; name="%b"'
    many = form(*[(field % b"a", b"1")] * 5000)
    assert "the field 'a' is no file" in refused(post(client, many), 422, "no-file")
    refused(post(client, form(*[(head(), b"")] * 5000)), 413, "too-many-files")
    refused(post(client, form((field % (b"n" * 10_000), b"1"))), 422, "broken-form")
    long = refused(post(client, form((field % (b"n" * 4000), b"1"))), 422, "no-file")
    assert len(long) < 300
    nested = form((head("inner.png"), grey(9)))
    multipart = head("outer") + b"\r\nContent-Type: multipart/mixed; boundary=b2"
    [row] = post(client, form((multipart, nested.replace(b"--b", b"--b2")))).json()
    assert row["error"].startswith("outer is not a picture")
    extended = b"Content-Disposition: form-data; name=f; filename*=UTF-8''a.png"  # not allowed in forms
    refused(post(client, form((extended, grey(9)))), 422, "no-file")


def test_what_a_part_says_of_its_kind_counts_for_nothing(client, grey):
    parts = [("f", ("a.html", grey(9), "text/html")), ("f", ("b.png", b"<script>", "image/png"))]
    picture, words = client.post("/v1/detect", files=parts).json()
    assert (picture["format"], picture["error"]) == ("PNG", None)
    assert words["error"].startswith("b.png is not a picture")


@given(st.text(min_size=1, max_size=400))
@QUICK
def test_any_file_name_is_taken(client, grey, name):
    [row] = client.post("/v1/detect", files={"file": (name, grey(9))}).json()
    assert row["path"].isprintable()
    assert 1 <= len(row["path"]) <= 300
    assert "/" not in row["path"]


@given(st.binary(max_size=400), st.sampled_from(POSTS))
@QUICK
def test_any_body_is_answered(client, body, path):
    answer = post(client, b"--b\r\n" + head() + b"\r\n" + body, path)
    assert answer.status_code in (200, 413, 415, 422), answer.text


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"]), st.data(), st.sampled_from(POSTS))
@QUICK
def test_damaged_pictures_are_answered(client, photographs, kind, data, path):
    file = io.BytesIO()
    Image.fromarray(photographs["chelsea"][:150, :140]).save(file, kind)
    raw = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    answer = client.post(
        path, files={"file": (f"a.{kind}", bytes(raw[: data.draw(st.integers(0, len(raw)))]))}
    )
    assert answer.status_code in (200, 413, 415, 422), answer.text
    if answer.status_code != 200:
        assert answer.json()["detail"].isprintable()


_written: list[str] = []
_watched = threading.Event()


def _watch(event: str, arguments: tuple) -> None:
    if _watched.is_set() and event in ("open", "os.mkdir", "os.rename", "tempfile.mkstemp"):
        flags = arguments[2] if event == "open" else 1
        if isinstance(flags, int) and flags & 3:  # to write
            _written.append(f"{event} {arguments[0]}")


def test_nothing_is_written_to_disk(client, photographs):
    sys.addaudithook(_watch)  # it cannot be taken away, and does nothing unless asked to
    noise = io.BytesIO()
    Image.fromarray(photographs["astronaut"]).save(noise, "BMP")
    content = noise.getvalue()
    assert len(content) > 700_000
    several = [("files", (f"{number}.bmp", content)) for number in range(4)]
    _watched.set()
    try:
        for path in POSTS:
            answer = client.post(path, files=several if path in ("/v1/detect", "/v1/report") else several[:1])
            assert answer.status_code == 200
        client.post("/v1/detect", files={"file": ("large", bytes(3 * 2**20))})
        client.get("/")
        client.get("/metrics")
    finally:
        _watched.clear()
    assert _written == []
