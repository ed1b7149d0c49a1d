"""``spectrace detect``: verdicts on pictures, and on videos by their frames."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from spectrace.cli.numbers import POSITIVE
from spectrace.cli.progress import progress
from spectrace.cli.rows import RowWriter, format_of, open_writer, printable
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.detectors.detection import Detection
    from spectrace.detectors.detector import Detector, Visit
    from spectrace.explain.report import ReportEntry
    from spectrace.images.decode import Picture

_STDIN = "-"
_INTERRUPTED = 130


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--model", metavar="NAME|FILE", help="An installed model or an .onnx file [the shipped one].")
@click.option("--json", "kind", flag_value="json", default=None, help="One JSON array.")
@click.option("--jsonl", "kind", flag_value="jsonl", help="One JSON object a line, as pictures are done.")
@click.option("--csv", "kind", flag_value="csv", help="CSV with a header.")
@click.option("--parquet", "kind", flag_value="parquet", help="Parquet (needs --output).")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write rows to FILE.")
@click.option(
    "--heatmaps", type=click.Path(path_type=Path, file_okay=False), help="Write a heatmap PNG each into DIR."
)
@click.option(
    "--opacity",
    type=click.FloatRange(0, 1),
    default=0.55,
    show_default=True,
    help="Of the heatmaps' colours.",
)
@click.option(
    "--colours",
    type=click.Choice(["blue-orange", "purple-green"]),
    default="blue-orange",
    show_default=True,
    help="Of the heatmaps.",
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write one self-contained HTML page."
)
@click.option(
    "--without", multiple=True, metavar="NAME", help="Switch a fusion's branch off; may be repeated."
)
@click.option("--tiles", type=click.IntRange(min=1), help="Score at most this many tiles a picture.")
@click.option("--dense", is_flag=True, help="Score every tile of every picture.")
@click.option("--workers", type=click.IntRange(min=1), help="Pictures at a time [one a processor].")
@click.option("--max-megapixels", type=POSITIVE, help="Refuse larger pictures [120].")
@click.option("--frames", type=click.IntRange(min=1), help="Frames of a video to look at [16].")
@click.option("--every", type=POSITIVE, help="One frame every so many seconds.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever was found.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    sources: tuple[str, ...],
    model: str | None,
    kind: str | None,
    output: Path | None,
    heatmaps: Path | None,
    opacity: float,
    colours: str,
    report: Path | None,
    without: tuple[str, ...],
    tiles: int | None,
    dense: bool,
    workers: int | None,
    max_megapixels: float | None,
    frames: int | None,
    every: float | None,
    exit_zero: bool,
    quiet: bool,
) -> int:
    """Say of pictures and videos whether a camera or a generator made them.

    SOURCE is a file, a folder, a quoted glob, @list.txt (a path a line; @- for stdin) or - for one picture
    on stdin. The score is a natural-log likelihood ratio: above 0 speaks for generated. A video gives a
    row for each frame of a sample, then one for the clip.

    Exit codes: 0 nothing generated found, 1 something found, 2 wrong usage, 3 some inputs missing or
    unreadable, 130 interrupted (finished rows are kept).
    """
    from spectrace.detectors.detector import Detector  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.images.decode import Limits  # noqa: PLC0415

    kind = format_of(kind, output)
    if frames is not None and every is not None:
        raise UsageError("--frames and --every were given together: give one or the other")
    limits = Limits() if max_megapixels is None else Limits(pixels=int(max_megapixels * 1e6))
    detector = Detector.load(model, tiles=tiles, dense=dense, limits=limits, without=without)
    run = _Run(
        detector,
        quiet=quiet,
        heatmaps=heatmaps,
        opacity=opacity,
        colours=colours,
        report=report,
        frames=frames,
        every=every,
    )
    with ExitStack() as stack:
        stream = _open_output(output, kind, stack)
        writer = open_writer(kind, stream, output)
        stack.callback(writer.close)
        run.go(sources, writer, workers=workers, rows_on_terminal=output is None and sys.stdout.isatty())
    run.write_report()
    if run.interrupted:
        return _INTERRUPTED
    return 0 if exit_zero else run.exit_code


class _Run:
    """One run of the command: what it writes beside the rows, and what it found."""

    def __init__(
        self,
        detector: Detector,
        *,
        quiet: bool,
        heatmaps: Path | None,
        opacity: float,
        colours: str,
        report: Path | None,
        frames: int | None,
        every: float | None,
    ) -> None:
        self._detector = detector
        self._quiet = quiet
        self._heatmaps = heatmaps
        self._opacity = opacity
        self._colours = colours
        self._report = report
        self._frames = frames
        self._every = every
        # Workers fill the first as they finish; the second keeps the order of the rows.
        self._drawn: dict[str | None, ReportEntry] = {}
        self._entries: list[ReportEntry] = []
        self._frame_entries = 0
        self._videos_left_out = 0
        self._problems = 0
        self._found = False
        self.interrupted = False
        for folder in (heatmaps, report.parent if report else None):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)

    @property
    def exit_code(self) -> int:
        if self._problems:
            return 3
        return 1 if self._found else 0

    def go(
        self, sources: Iterable[str], writer: RowWriter, *, workers: int | None, rows_on_terminal: bool
    ) -> None:
        from spectrace.images.sources import expand  # noqa: PLC0415

        names = list(dict.fromkeys(sources))
        named = (name for name in names if name != _STDIN)
        paths = list(expand(named, self._problem, take_video=self._takes_video))
        self._warn_of_videos()
        if _STDIN in names:
            self._take(self._from_stdin(), writer)
        # Rows that scroll by on the terminal are progress enough.
        quiet = self._quiet or rows_on_terminal
        rows = self._rows(paths, workers)
        with closing(rows), progress("detect", len(paths), quiet=quiet) as step:
            try:
                for detection, whole in rows:
                    self._take(detection, writer, whole=whole)
                    if whole:
                        step()
            except KeyboardInterrupt:
                self.interrupted = True
                click.echo("interrupted: the rows so far are kept", err=True)

    def write_report(self) -> None:
        if self._report is None:
            return
        from spectrace.explain.report import report  # noqa: PLC0415

        page = report(self._entries, self._detector.card)
        self._report.write_text(page, encoding="utf-8")

    def _rows(self, paths: Sequence[Path], workers: int | None) -> Generator[tuple[Detection, bool]]:
        """Rows in the order of the paths, and whether each is of a whole file or of a video's frame."""
        from spectrace.images.video_formats import is_video  # noqa: PLC0415

        visit = self._visitor()
        for video, group in groupby(paths, is_video):
            if not video:
                with closing(self._detector.detect_many(group, workers=workers, visit=visit)) as rows:
                    yield from ((row, True) for row in rows)
                continue
            from spectrace.detectors.clips import detect_clip  # noqa: PLC0415
            from spectrace.images.video import FRAMES  # noqa: PLC0415

            count = self._frames or FRAMES
            for path in group:
                clip = detect_clip(
                    self._detector, path, count=count, every=self._every, workers=workers, visit=visit
                )
                with closing(clip) as rows:
                    yield from ((row, row.path == os.fspath(path)) for row in rows)

    def _take(self, detection: Detection, writer: RowWriter, *, whole: bool = True) -> None:
        writer.write(detection)
        # A clip is judged as a whole: of many frames, one or the other would pass a threshold by chance.
        self._found = self._found or (whole and detection.verdict == "generated")
        if detection.error is not None:
            self._problems += 1
        if self._report is not None:
            # A clip's row comes after its frames', its entry before theirs.
            place = len(self._entries) - self._frame_entries * whole
            self._entries.insert(place, self._entry(detection, self._entries[place:]))
            self._frame_entries = 0 if whole else self._frame_entries + 1

    def _entry(self, detection: Detection, frames: Sequence[ReportEntry]) -> ReportEntry:
        from spectrace.explain.clips import clip_entry  # noqa: PLC0415
        from spectrace.explain.report import error_entry  # noqa: PLC0415

        if detection.error is not None:
            return error_entry(detection)
        drawn = self._drawn.pop(detection.path, None)
        return clip_entry(detection, frames) if drawn is None else drawn

    def _from_stdin(self) -> Detection:
        import io  # noqa: PLC0415

        source = io.BytesIO(sys.stdin.buffer.read(self._detector.limits.file_bytes + 1))
        return next(self._detector.detect_many([source], workers=1, visit=self._visitor()))

    def _visitor(self) -> Visit | None:
        return self._visit if self._heatmaps or self._report else None

    def _visit(self, picture: Picture, detection: Detection) -> None:
        if self._report is not None:
            from spectrace.explain.report import entry  # noqa: PLC0415

            self._drawn[detection.path] = entry(picture, detection)
        if self._heatmaps is not None and detection.evidence is not None:
            from spectrace.explain.heatmap import heatmap, save_png  # noqa: PLC0415

            # Pictures in several folders may share a name; their bytes differ.
            target = self._heatmaps / f"{_stem(detection.path)}-{(detection.sha256 or '')[:8]}.png"
            try:
                drawn = heatmap(
                    picture.pixels, detection.evidence, opacity=self._opacity, colour_map=self._colours
                )
                save_png(drawn, target)
            except OSError as error:
                self._problem(f"{target} could not be written: {error.strerror or error}")

    def _takes_video(self, path: Path) -> bool:
        from spectrace.images.video import obstacle  # noqa: PLC0415

        able = obstacle() is None
        self._videos_left_out += not able
        return able

    def _warn_of_videos(self) -> None:
        from spectrace.images.video import obstacle  # noqa: PLC0415

        count = self._videos_left_out
        if count:
            self._warn(f"{count} video{'' if count == 1 else 's'} in folders left out: {obstacle()}")

    def _problem(self, line: str) -> None:
        self._problems += 1
        self._warn(line)

    def _warn(self, line: str) -> None:
        if not self._quiet:
            click.echo(f"spectrace: {printable(line)}", err=True)


def _stem(path: str | None) -> str:
    """Begins the name of a picture's heatmap."""
    from spectrace.images.video_formats import split_frame_path  # noqa: PLC0415

    frame = split_frame_path(path or "")
    return Path(path or "stdin").stem if frame is None else f"{Path(frame[0]).stem}-t{frame[1]}"


def _open_output(output: Path | None, kind: str, stack: ExitStack) -> TextIO | None:
    if output is None:
        return sys.stdout
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if kind == "parquet":
            output.touch()
            return None
        return stack.enter_context(output.open("w", encoding="utf-8", newline=""))
    except OSError as error:
        raise UsageError(f"--output {output} cannot be written: {error.strerror}") from error
