"""Which pictures the commits of a Git repository added or changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from spectrace.errors import UsageError
from spectrace.images.sources import ends_like_a_picture

_REGULAR = ("100644", "100755")  # links and submodules have other modes


def added_since(revision: str, paths: Sequence[str] = (), folder: str | os.PathLike[str] = ".") -> list[Path]:
    """Pictures that the commits between a revision and HEAD added or changed.

    What counts is the difference between HEAD and the last commit that it shares with the revision. Pictures
    are told by their endings. Links and what was only moved are left out.

    Args:
        revision: of the state before; zeros alone, as GitHub gives them for a new branch, stand for an empty
            repository.
        paths: pathspecs of Git that narrow the choice, such as ``images`` or ``:(exclude)art``, relative to
            the folder.
        folder: within the repository.

    Returns:
        Paths relative to the current folder, in Git's order.

    Raises:
        UsageError: there is no Git, no repository, no such revision, or no commit shared with it.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> Path(folder, "new.png").touch()
        >>> author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        >>> for command in (["init"], ["add", "."], [*author, "commit", "--message", "first"]):
        ...     _ = subprocess.run(["git", "-C", folder, *command], capture_output=True, check=True)
        >>> [path.name for path in added_since("0" * 40, folder=folder)]
        ['new.png']
    """
    top = os.fsdecode(_git(folder, "rev-parse", "--show-toplevel").removesuffix(b"\n"))
    listing = _git(
        folder, "diff-tree", "-r", "-z", "--raw", "--find-renames=100%", "--diff-filter=AMRT",
        _before(revision, folder), "HEAD", "--", *paths,
    )  # fmt: skip
    return [Path(os.path.relpath(Path(top, name))) for name in _pictures(listing)]


def _before(revision: str, folder: str | os.PathLike[str]) -> str:
    if not revision.strip():
        raise UsageError("an empty revision: name the one before the commits in question")
    if not revision.strip("0"):
        return _git(folder, "hash-object", "-t", "tree", "--stdin").decode().strip()
    try:
        commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except UsageError as error:
        raise UsageError(
            f"revision {revision!r} is not in this clone: check its name, or fetch the whole history "
            "(fetch-depth: 0 of actions/checkout)"
        ) from error
    try:
        return _git(folder, "merge-base", commit.decode().strip(), "HEAD").decode().strip()
    except UsageError as error:
        raise UsageError(
            f"revision {revision!r} and HEAD share no commit in this clone: fetch the whole history "
            "(fetch-depth: 0 of actions/checkout)"
        ) from error


def _pictures(listing: bytes) -> Iterator[str]:
    """Names in what ``git diff-tree -z --raw`` says: modes, digests and status, then a name, or two."""
    fields = iter(os.fsdecode(listing).split("\0")[:-1])
    for facts in fields:
        _, mode, _, _, status = facts.split(" ")
        name = next(fields)
        if status.startswith("R"):
            moved, name = name, next(fields)
            if ends_like_a_picture(Path(moved)):
                continue
        if mode in _REGULAR and ends_like_a_picture(Path(name)):
            yield name


def _git(folder: str | os.PathLike[str], *arguments: str) -> bytes:
    try:
        run = subprocess.run(["git", "-C", folder, *arguments], input=b"", capture_output=True, check=False)
    except FileNotFoundError as error:
        raise UsageError("git is not installed: it is needed to tell which pictures are new") from error
    if run.returncode:
        line = run.stderr.decode(errors="replace").partition("\n")[0] or f"exit code {run.returncode}"
        raise UsageError(f"git {arguments[0]}: {line}")
    return run.stdout
