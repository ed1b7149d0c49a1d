"""Who may ask."""

from __future__ import annotations

import logging
import math

import pytest

from spectrace.errors import UsageError
from spectrace.web.settings import Settings

GUARDED = [("POST", f"/v1/{name}") for name in ("detect", "evidence", "heatmap", "spectrum", "report")] + [
    ("GET", path) for path in ("/v1/models", "/v1/limits", "/metrics")
]


def test_without_the_token_nothing_is_told_but_health_and_the_page(serve):
    client = serve(token="open sesame")
    for method, path in GUARDED:
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic b3Blbg=="}):
            answer = client.request(method, path, headers=given)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["code"] == "unauthorised"
    for path in ("/", "/page.js", "/page.css", "/healthz"):
        assert client.get(path).status_code == 200


def test_with_the_token_all_is_told(serve, grey):
    client = serve(token="öffne-dich")
    client.headers = [(b"Authorization", "Bearer öffne-dich".encode())]
    [row] = client.post("/v1/detect", files={"file": ("a.png", grey(200))}).json()
    assert row["score"] == 72.0
    assert client.get("/metrics").status_code == 200
    assert "öffne-dich" not in client.get("/v1/limits").text
    assert "öffne-dich" not in repr(Settings(token="öffne-dich"))


def test_the_token_is_in_no_log(serve, grey, caplog):
    client = serve(token="open-sesame")
    caplog.set_level(logging.DEBUG)
    for given in ("open-sesame", "sesame-open"):
        client.post(
            "/v1/detect", files={"file": ("a.png", b"x")}, headers={"Authorization": f"Bearer {given}"}
        )
    client.get("/v1/models", params={"token": "open-sesame"})
    told = [record for record in caplog.records if record.name.partition(".")[0] not in ("httpx", "httpcore")]
    assert not any("sesame" in record.getMessage() for record in told)


@pytest.mark.parametrize(
    "wrong",
    [
        {"files": 0},
        {"waiting": -1},
        {"work_seconds": 0},
        {"wait_seconds": math.inf},
        {"receive_seconds": math.nan},
        {"pixels": 0},
        {"held_bytes": 100, "request_bytes": 101},
        {"token": " "},
        {"token": " sesame"},
        {"token": "open\nsesame"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        Settings(**wrong)
