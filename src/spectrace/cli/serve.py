"""``spectrace serve``: the page and the API on this machine."""

from __future__ import annotations

import click

from spectrace.cli.numbers import POSITIVE
from spectrace.errors import MissingDependencyError

_MEBIBYTE = 2**20
_PACKAGES = {
    "fastapi": "fastapi",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "starlette": "fastapi",
    "uvicorn": "uvicorn",
}


@click.command(context_settings={"auto_envvar_prefix": "SPECTRACE_SERVE", "show_default": True})
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 takes a free one.")
@click.option(
    "--allow-host",
    metavar="NAME",
    multiple=True,
    help="A name with dots that it is asked by, as behind a proxy; may be repeated. A token allows any.",
)
@click.option("--model", metavar="NAME|FILE", help="An installed model or an .onnx file [the shipped one].")
@click.option(
    "--token", help="Ask for it as bearer token. The variable keeps it out of the list of processes."
)
@click.option("--max-mebibytes", type=click.IntRange(min=1), default=32, help="Of a picture file.")
@click.option("--max-request-mebibytes", type=click.IntRange(min=1), default=64, help="Of a request.")
@click.option("--max-held-mebibytes", type=click.IntRange(min=1), default=512, help="Of requests in memory.")
@click.option("--max-megapixels", type=POSITIVE, default=50.0, help="Of a picture.")
@click.option("--max-files", type=click.IntRange(min=1), default=16, help="Pictures in a request.")
@click.option("--max-requests", type=click.IntRange(min=1), default=256, help="Open at a time.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Requests looked at, at a time [one a processor]."
)
@click.option("--max-waiting", type=click.IntRange(min=0), default=64, help="Requests that may wait.")
@click.option(
    "--receive-seconds",
    type=POSITIVE,
    default=30.0,
    help="For a request to arrive, and for its answer to be taken.",
)
@click.option(
    "--wait-seconds",
    type=POSITIVE,
    default=60.0,
    help="For a request's turn to come.",
)
@click.option(
    "--work-seconds",
    type=POSITIVE,
    default=60.0,
    help="For the work on it from then on.",
)
@click.option("-q", "--quiet", is_flag=True, help="No warnings and no address.")
def command(
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    model: str | None,
    token: str | None,
    max_mebibytes: int,
    max_request_mebibytes: int,
    max_held_mebibytes: int,
    max_megapixels: float,
    max_files: int,
    max_requests: int,
    workers: int | None,
    max_waiting: int,
    receive_seconds: float,
    wait_seconds: float,
    work_seconds: float,
    quiet: bool,
) -> int:
    """Serve a page and a REST API about pictures on this machine.

    Pictures are looked at in memory: none is written to disk, and no address is fetched. Every option can be
    given as a variable too: SPECTRACE_SERVE_PORT, SPECTRACE_SERVE_TOKEN, and so on.

    Ends on Ctrl-C or SIGTERM, when the requests at hand are answered. Exit codes: 0, 2 wrong usage.
    """
    try:
        from spectrace.web.app import create_app  # noqa: PLC0415  (heavy, and optional)
        from spectrace.web.server import listen, serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        package = _PACKAGES.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        raise MissingDependencyError("Page and API", package, "serve") from error
    from spectrace.threads import available_processors  # noqa: PLC0415
    from spectrace.web.settings import Settings  # noqa: PLC0415

    settings = Settings(
        file_bytes=max_mebibytes * _MEBIBYTE,
        request_bytes=max_request_mebibytes * _MEBIBYTE,
        held_bytes=max_held_mebibytes * _MEBIBYTE,
        pixels=max(1, int(max_megapixels * 1e6)),
        files=max_files,
        requests=max_requests,
        workers=workers or available_processors(),
        waiting=max_waiting,
        receive_seconds=receive_seconds,
        wait_seconds=wait_seconds,
        work_seconds=work_seconds,
        names=(host, *allow_host),
        token=token,
    )
    app = create_app(model, settings)
    with listen(host, port) as door:
        if not quiet:
            click.echo(f"spectrace: serving on {door.address} (Ctrl-C ends)", err=True)
            if not door.loopback:
                who = "anybody who reaches it" if token is None else "anybody who has the token"
                click.echo(
                    f"spectrace: {host} is not only this machine: {who} can use this server, and what they "
                    "send passes unencrypted; put a proxy with TLS before it",
                    err=True,
                )
        serve(app, door.socket, settings)
    return 0
