"""The application: what can be asked of ``spectrace serve``."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from spectrace import __version__
from spectrace.detectors.card import METADATA_KEY, Card
from spectrace.detectors.detection import Detection
from spectrace.detectors.detector import Detector
from spectrace.detectors.metadata import read_metadata
from spectrace.detectors.runtime import installed_models
from spectrace.errors import ImageError
from spectrace.explain.heatmap import OPACITY
from spectrace.explain.report import ReportEntry, error_entry, report
from spectrace.images.decode import Limits, Picture
from spectrace.web import answers, schemas
from spectrace.web.evidence import evidence
from spectrace.web.guard import Guard
from spectrace.web.metrics import CONTENT_TYPE, Metrics
from spectrace.web.refusals import RefusedError, unreadable
from spectrace.web.settings import Settings
from spectrace.web.slots import Slots, TooSlowError
from spectrace.web.uploads import Held, Upload, received

T = TypeVar("T")
_Colours = Literal["blue-orange", "purple-green"]
_BEARER = HTTPBearer(auto_error=False)
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def create_app(model: str | Path | None = None, settings: Settings | None = None) -> FastAPI:
    """Make the application.

    It holds everything in memory: nothing is written to disk, and no address is ever fetched.

    Args:
        model: an installed one by name, or a model file; None takes the shipped one.
        settings: limits and token; None takes the defaults.

    Raises:
        ModelError: there is no such model.

    Example:
        >>> list(create_app().openapi()["paths"])[:2]
        ['/healthz', '/v1/detect']
    """
    settings = settings or Settings()
    limits = Limits(pixels=settings.pixels, file_bytes=settings.file_bytes)
    service = _Service(Detector.load(model, limits=limits), settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.slots.close()

    # The usual pages of FastAPI's documentation load scripts from elsewhere.
    app = FastAPI(
        title="Spectrace",
        version=__version__,
        description="Tells camera pictures from generated ones by the traces generators leave.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=schemas.refusals(401) if settings.token else schemas.refusals(421),
    )
    app.add_middleware(Guard, settings=settings, held=service.held, counter=service.metrics)
    app.include_router(_open_routes())
    app.include_router(_routes(service), dependencies=_keeper(settings.token))
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(ImageError, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    return app


class _Service:
    """What all requests share."""

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self.detector = detector
        self.settings = settings
        self.held = Held(settings.held_bytes)
        self.slots = Slots(settings.workers, settings.waiting, settings.wait_seconds, settings.work_seconds)
        self.metrics = Metrics(detector.card.name, self.slots, self.held)

    async def many(
        self, request: Request, part: Callable[[Upload], T], late: Callable[[Upload, TooSlowError], T]
    ) -> list[T]:
        """The parts of an answer, one a file; those that were not made in time as ``late`` makes them."""
        parts: list[T] = []
        async with received(request, self.settings, self.held, most=self.settings.files) as uploads:

            def work(stop: threading.Event) -> None:
                for upload in uploads:
                    if stop.is_set():
                        return
                    parts.append(part(upload))

            try:
                await self._run(request, work)
            except TooSlowError as error:
                made = list(parts)
                return made + [late(upload, error) for upload in uploads[len(made) :]]
            return parts

    async def one(self, request: Request, answer: Callable[[Upload], T]) -> T:
        """The answer about the one file of a request."""
        async with received(request, self.settings, self.held, most=1) as [upload]:
            return await self._run(request, lambda _: answer(upload))

    def look(self, upload: Upload) -> tuple[Picture, Detection]:
        """Look at the one picture of a request, and count it.

        Raises:
            ImageError: it cannot be read.
        """
        try:
            picture, detection = answers.look(self.detector, upload)
        except ImageError:
            self.metrics.picture(None)
            raise
        self.metrics.picture(detection.verdict)
        return picture, detection

    async def _run(self, request: Request, job: Callable[[threading.Event], T]) -> T:
        """Have a job done; nobody waits or works for a client that leaves."""
        working = asyncio.ensure_future(self.slots.run(job))
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise RefusedError(400, "incomplete", "the client left before its answer was ready")
        finally:
            working.cancel()
            leaving.cancel()


async def _left(request: Request) -> None:
    """Ends when the client of a request that is received has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _routes(service: _Service) -> APIRouter:
    router = APIRouter()
    detector, metrics = service.detector, service.metrics
    cards = _cards(detector)

    @router.post(
        "/v1/detect",
        summary="Say of one or many pictures whether a camera or a generator made them",
        description="The rows of `spectrace detect --json`, in the order of the files. A picture that cannot "
        "be read is a row with `error`.",
        openapi_extra=schemas.body("files"),
        responses=schemas.answers("application/json", schemas.ROWS),
        response_class=JSONResponse,
    )
    async def detect(request: Request) -> JSONResponse:
        def part(upload: Upload) -> Detection:
            detection = answers.row(detector, upload)
            metrics.picture(detection.verdict)
            return detection

        def late(upload: Upload, error: TooSlowError) -> Detection:
            return answers.not_looked_at(detector, upload, error)

        rows = await service.many(request, part, late)
        return JSONResponse([row.to_dict() for row in rows])

    @router.post(
        "/v1/evidence",
        summary="All that the page shows of one picture",
        description="The row, its words, and the drawings as data URIs.",
        openapi_extra=schemas.body("file"),
        responses=schemas.answers("application/json", schemas.EVIDENCE),
        response_class=JSONResponse,
    )
    async def show(request: Request) -> JSONResponse:
        def answer(upload: Upload) -> dict[str, Any]:
            picture, detection = service.look(upload)
            return evidence(picture, detection, detector.card)

        return JSONResponse(await service.one(request, answer))

    @router.post(
        "/v1/heatmap",
        summary="Where the score of a picture comes from",
        description="The picture at its own size under the colours of its scores, with a legend.",
        openapi_extra=schemas.body("file"),
        responses=schemas.answers("image/png"),
        response_class=Response,
    )
    async def heatmap(
        request: Request,
        opacity: Annotated[float, Query(ge=0, le=1, description="Of the colours.")] = OPACITY,
        colours: Annotated[_Colours, Query(description="From camera to generated.")] = "blue-orange",
    ) -> Response:
        def answer(upload: Upload) -> bytes:
            picture, detection = service.look(upload)
            return answers.heatmap_png(picture, detection, opacity=opacity, colours=colours)

        return Response(await service.one(request, answer), media_type="image/png")

    @router.post(
        "/v1/spectrum",
        summary="The log spectrum of a picture",
        description="Zero frequency in the middle; rings mark periodic peaks, as upsampling leaves them.",
        openapi_extra=schemas.body("file"),
        responses=schemas.answers("image/png"),
        response_class=Response,
    )
    async def spectrum(request: Request) -> Response:
        png = await service.one(request, lambda upload: answers.spectrum_png(detector, upload))
        return Response(png, media_type="image/png")

    @router.post(
        "/v1/report",
        summary="One self-contained HTML page about one or many pictures",
        openapi_extra=schemas.body("files"),
        responses=schemas.answers("text/html"),
        response_class=Response,
    )
    async def report_page(request: Request) -> Response:
        def part(upload: Upload) -> ReportEntry:
            detection, entry = answers.report_part(detector, upload)
            metrics.picture(detection.verdict)
            return entry

        def late(upload: Upload, error: TooSlowError) -> ReportEntry:
            return error_entry(answers.not_looked_at(detector, upload, error))

        page = report(await service.many(request, part, late), detector.card)
        headers = {"Content-Disposition": 'attachment; filename="spectrace-report.html"'}
        return Response(page, headers=headers, media_type="text/html")

    @router.get(
        "/v1/models",
        summary="The model in use, and the cards of all that are installed",
        responses=schemas.answers("application/json", schemas.MODELS, refused=()),
        response_class=JSONResponse,
    )
    async def models() -> JSONResponse:
        return JSONResponse({"in_use": detector.card.name, "models": cards})

    @router.get(
        "/v1/limits",
        summary="What one request may ask for",
        responses=schemas.answers("application/json", schemas.LIMITS, refused=()),
        response_class=JSONResponse,
    )
    async def limits() -> JSONResponse:
        return JSONResponse(service.settings.limits())

    @router.get(
        "/metrics",
        summary="Figures for Prometheus",
        responses=schemas.answers("text/plain", refused=()),
        response_class=Response,
    )
    async def figures() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router


def _open_routes() -> APIRouter:
    """The page and the state of health: nobody needs a token for them."""
    router = APIRouter()

    @router.get(
        "/healthz",
        summary="Whether the server is up",
        responses=schemas.answers("application/json", schemas.HEALTH, refused=()),
        response_class=JSONResponse,
    )
    async def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    folder = files("spectrace.web") / "page"
    for path, (name, media_type) in _PAGE.items():
        content = (folder / name).read_bytes()
        router.add_api_route(path, _static(content, media_type), include_in_schema=False)
    return router


def _static(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def give() -> Response:
        return Response(content, media_type=media_type)

    return give


def _cards(detector: Detector) -> list[Any]:
    """Cards of the model in use and of the installed ones."""
    metadata = (read_metadata(path.read_bytes()) for path in installed_models().values())
    installed = (Card.from_json(entries[METADATA_KEY]) for entries in metadata)  # no session is opened
    known = {card.name: card for card in (detector.card, *installed)}
    return [msgspec.to_builtins(card) for card in known.values()]


def _keeper(token: str | None) -> list[Any]:
    """The dependency that asks for the token, where there is one."""
    if token is None:
        return []
    wanted = token.encode()

    async def keep(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        # Headers arrive as Latin-1, whatever their bytes meant.
        if given is None or not secrets.compare_digest(given.credentials.encode("latin-1"), wanted):
            detail = "no token was given" if given is None else "the token is wrong"
            raise RefusedError(
                401,
                "unauthorised",
                f"{detail}: wanted the header Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )

    return [Depends(keep)]


async def _refused(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RefusedError):
        return error.response()
    if isinstance(error, ImageError):
        return unreadable(error).response()
    if isinstance(error, HTTPException):
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return RefusedError(error.status_code, code, error.detail, dict(error.headers or {})).response()
    assert isinstance(error, RequestValidationError), "no other kind is handed here"
    problems = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
    return RefusedError(422, "wrong-parameter", problems).response()
