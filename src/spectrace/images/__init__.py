"""Pictures in: decoding with limits, facts of the file, tiles and perturbations."""
