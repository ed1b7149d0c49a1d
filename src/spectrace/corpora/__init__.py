"""Labelled pictures: manifests, splits by hash, and checks of both."""
