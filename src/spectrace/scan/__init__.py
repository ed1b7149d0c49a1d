"""Scans of collections of any size: listing, scoring, results and state on disk."""
