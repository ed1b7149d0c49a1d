"""Pages of other sites get nothing of this server, whatever they make a visitor's browser send."""

from __future__ import annotations

import pytest

from spectrace.web.callers import refusal_of

PATHS = ("/", "/page.js", "/openapi.json", "/healthz", "/v1/limits", "/v1/models", "/metrics")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "192.168.1.20",
        "[::1]:8000",
        "[fe80::1]",
        "localhost:8000",
        "LOCALHOST.",
        "pictures.localhost:80",
        "spectrace:8000",  # of a container's network
        "",
    ],
)
def test_addresses_and_near_names_are_ours(host):
    assert refusal_of("GET", {"host": host}, ()) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[evil.example]",
        "1.2.3",
    ],
)
def test_names_that_anybody_can_point_here_are_not(host):
    assert refusal_of("GET", {"host": host}, ()).status == 421
    assert refusal_of("GET", {"host": host}, ("other.example",)).status == 421
    assert refusal_of("GET", {"host": host}, None) is None


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://behind.a.proxy"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": "http://localhost:8000"}, True),
        ({"origin": "http://localhost:9000"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_forms_of_other_sites_are_told_by_their_headers(headers, ours):
    refusal = refusal_of("POST", {"host": "localhost:8000", **headers}, ())
    assert (refusal is None) is ours
    assert ours or refusal.status == 403
    assert refusal_of("GET", {"host": "localhost:8000", **headers}, ()) is None


def test_a_server_asked_by_a_foreign_name_tells_nothing(serve):
    client = serve()
    for path in PATHS:
        answer = client.get(path, headers={"Host": "evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (421, "unknown-host")
        assert client.get(path).status_code == 200


def test_a_name_is_known_when_it_was_given_and_any_with_a_token(serve):
    named = {"Host": "Spectrace.Example:443"}
    assert serve(names=("spectrace.Example",)).get("/", headers=named).status_code == 200
    client = serve(token="sesame")
    assert client.get("/", headers=named).status_code == 200
    assert client.get("/v1/limits", headers=named).status_code == 401


def test_no_header_lets_another_site_read(serve):
    client = serve()
    answers = [
        client.options("/v1/detect", headers={"Origin": "http://evil.example"}),
        client.get("/v1/limits", headers={"Origin": "http://evil.example"}),
    ]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_form_of_another_site_is_not_looked_at(serve, grey):
    client = serve()
    answer = client.post(
        "/v1/detect", files={"file": ("a.png", grey(9))}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "another-site")
    assert "spectrace_pictures_total{" not in client.get("/metrics").text
