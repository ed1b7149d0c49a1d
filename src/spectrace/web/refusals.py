"""Requests that are not carried out, and the bodies that say why (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import JSONResponse

from spectrace.errors import ImageError, ImageProblem, SpectraceError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1

_STATUSES = {
    ImageProblem.TOO_MANY_PIXELS: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ImageProblem.TOO_MANY_BYTES: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ImageProblem.TOO_MANY_FRAMES: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ImageProblem.NOT_AN_IMAGE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ImageProblem.UNSUPPORTED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


class RefusedError(SpectraceError):
    """A request is not carried out.

    Args:
        status: of HTTP.
        code: the reason, for programs.
        detail: the reason, one line for people.
        headers: of the response.

    Example:
        >>> refusal = RefusedError(413, "too-many-files", "17 files: the limit is 16")
        >>> refusal.body()["title"], str(refusal)
        ('Request Entity Too Large', '17 files: the limit is 16')
    """

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = headers

    def body(self) -> dict[str, object]:
        """Members of a problem document, with ``code`` as one of our own."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": str(self),
        }

    def response(self) -> JSONResponse:
        """The problem document as a response."""
        return JSONResponse(self.body(), self.status, self.headers, MEDIA_TYPE)


def busy(detail: str) -> RefusedError:
    """The server has as much to do as it takes on."""
    return RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "busy", detail, {"Retry-After": str(RETRY_SECONDS)})


def unreadable(error: ImageError) -> RefusedError:
    """A request about one picture, and it cannot be read.

    Example:
        >>> unreadable(ImageError(ImageProblem.NOT_AN_IMAGE, "a.txt is not a picture")).status
        <HTTPStatus.UNSUPPORTED_MEDIA_TYPE: 415>
    """
    return RefusedError(
        _STATUSES.get(error.problem, HTTPStatus.UNPROCESSABLE_ENTITY), error.problem.value, str(error)
    )
