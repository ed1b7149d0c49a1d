"""``python -m spectrace`` is the same as the ``spectrace`` command."""

from spectrace.cli import main

main()
