"""Labelled collections of pictures: manifests, splits and digests."""
