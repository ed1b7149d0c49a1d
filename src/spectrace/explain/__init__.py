"""Evidence people can look at: heatmaps, spectra with named peaks, and the HTML report."""
