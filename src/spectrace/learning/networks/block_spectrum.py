"""A perceptron on the tile's averaged block spectra.

One 128-pixel transform gives every frequency once, so each coefficient is a single noisy draw. Averaging the
log-spectra of many small blocks trades frequency resolution for a steady estimate, as Bartlett (1948) did to
measure power spectra.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectrace.errors import RecipeError
from spectrace.learning.networks.registry import Network, register_network, whole_tile
from spectrace.learning.representations import dct_matrix

BLOCK = 32
HIDDEN = 64
_LUMA = (0.299, 0.587, 0.114)
_FEATURES = 6 * BLOCK * BLOCK


class BlockSpectrum(Network):
    """Mean and spread of the log-DCT over the tile's 32-pixel blocks, standardised, then one hidden layer.

    Channels are luma (ITU-R BT.601) and the differences B - G and R - G, in which the content largely
    cancels. Blocks do not overlap; JPEG's 8 x 8 grid has the same phase in each. The log is
    ``ln(|coefficient| + 1)`` on 0..255: amplitudes below 1 are rounding noise.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels, a multiple of 32 from 64 up; the whole of it is one patch.

    Raises:
        RecipeError: a tile that the blocks do not fill, or a single block.

    Example:
        >>> network = BlockSpectrum(1, 128).eval()
        >>> network(torch.zeros(2, 3, 128, 128)).shape
        torch.Size([2, 1, 1, 1])
        >>> network.spectra(torch.zeros(2, 3, 128, 128)).shape
        torch.Size([2, 6144])
    """

    matrix: Tensor
    mix: Tensor

    def __init__(self, outputs: int, tile: int) -> None:
        super().__init__()
        if tile < 2 * BLOCK or tile % BLOCK:
            raise RecipeError(
                f"tile is {tile}, block-spectrum needs a multiple of {BLOCK} from {2 * BLOCK} up: take 128"
            )
        self.patches = whole_tile(tile)
        self.register_buffer("matrix", torch.from_numpy(dct_matrix(BLOCK)).float())
        self.register_buffer("mix", torch.tensor([_LUMA, (0.0, -1.0, 1.0), (1.0, -1.0, 0.0)]))
        self.normalise = nn.BatchNorm1d(_FEATURES, affine=False)
        self.hidden = nn.Sequential(nn.Dropout(0.2), nn.Linear(_FEATURES, HIDDEN), nn.ReLU(), nn.Dropout(0.5))
        self.dense = nn.Linear(HIDDEN, outputs)

    def spectra(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` in -1..1 to mean and standard deviation over blocks, ``[N, 6144]``."""
        count, channels, side, _ = inputs.shape
        flat = (inputs * 127.5 + 127.5).reshape(count, channels, side * side)
        pixels = torch.matmul(self.mix, flat).reshape(count, channels, side, side)
        blocks = pixels.reshape(count, channels, side // BLOCK, BLOCK, side // BLOCK, BLOCK)
        blocks = blocks.transpose(3, 4).reshape(count, channels, -1, BLOCK, BLOCK)
        coefficients = torch.matmul(torch.matmul(self.matrix, blocks), self.matrix.T)
        logs = torch.log(coefficients.abs() + 1.0)
        mean = logs.mean(2)
        spread = ((logs - mean[:, :, None]).square().mean(2) + 1e-6).sqrt()
        return torch.cat([mean, spread], 1).flatten(1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` in -1..1 (the representation ``pixels``) to ``[N, outputs, 1, 1]``."""
        logits: Tensor = self.dense(self.hidden(self.normalise(self.spectra(inputs))))
        return logits[:, :, None, None]


register_network("block-spectrum", "a perceptron on the averaged spectra of 32-pixel blocks")(BlockSpectrum)
