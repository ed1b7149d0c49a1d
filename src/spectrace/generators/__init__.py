"""Generators (need ``spectrace[train]``): makers of pictures whose traces are known."""
