"""The page and the API of ``spectrace serve``."""
