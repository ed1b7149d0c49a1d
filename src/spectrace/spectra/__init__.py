"""Spectra of pictures and of sets of pictures: transforms, statistics, fingerprints and lattice peaks."""
