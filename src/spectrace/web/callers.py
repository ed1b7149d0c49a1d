"""Whose requests a server takes: a page of another site may use a visitor's browser, and gets nothing.

A browser lets any site send forms to any address, and a site may give its own name to a loopback address
("DNS rebinding") to read what that answers. Both show in headers that no page can change.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from spectrace.provenance.record import clean
from spectrace.web.refusals import RefusedError

_OWN = ("same-origin", "none")  # none: typed into the address bar
_READING = ("GET", "HEAD", "OPTIONS")


def refusal_of(method: str, headers: Mapping[str, str], names: Collection[str] | None) -> RefusedError | None:
    """Why a request is not taken, if it is not.

    Programs that are no browsers send none of the headers that tell sites apart, and are taken.

    Args:
        method: of the request.
        headers: of the request, in lower case.
        names: that the server goes by beside addresses and names of this machine or network; None for any.

    Example:
        >>> refusal_of("GET", {"host": "127.0.0.1:8000"}, ()) is None
        True
        >>> str(refusal_of("GET", {"host": "evil.example"}, ()))[:51]
        "this server does not go by the name 'evil.example':"
        >>> refusal_of("POST", {"host": "localhost", "sec-fetch-site": "cross-site"}, ()).status
        <HTTPStatus.FORBIDDEN: 403>
    """
    host = headers.get("host", "")
    if names is not None and not _is_ours(host, names):
        return RefusedError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "unknown-host",
            f"this server does not go by the name {clean(host, 100)!r}: start it with --allow-host and that "
            "name, or with a token",
        )
    if method not in _READING and not _is_own_page(headers, host):
        return RefusedError(
            HTTPStatus.FORBIDDEN,
            "another-site",
            "a page of another site sent this: use this server's own page",
        )
    return None


def _is_ours(host: str, names: Collection[str]) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    name = name.rstrip(".").lower()
    # Nobody can point an address, or a name without a dot, somewhere else from afar.
    return "." not in name or name.endswith(".localhost") or name in names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_own_page(headers: Mapping[str, str], host: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN
    # Browsers leave it away where a connection is neither encrypted nor local.
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == host
