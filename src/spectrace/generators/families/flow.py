"""Invertible layers: what the flow of :mod:`.glow` is made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MOST_SCALE = 2.0
_SHRINKAGE = 0.05

Flow = tuple[Tensor, Tensor]
"""Maps ``[N, C, H, W]``, and the natural logarithm of the Jacobian's determinant, ``[N]``."""


class ActNorm(nn.Module):
    """Scale and shift of each channel; the first batch decides where they start."""

    initialised: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("initialised", torch.tensor(False))

    def forward(self, x: Tensor) -> Flow:
        """Towards noise."""
        if self.training and not self.initialised:
            with torch.no_grad():
                self.shift.copy_(-x.mean((0, 2, 3), keepdim=True))
                self.log_scale.copy_(-(x.std((0, 2, 3), keepdim=True) + 1e-3).log())
                self.initialised.fill_(True)
        change = self.log_scale.sum() * x.shape[2] * x.shape[3]
        return (x + self.shift) * self.log_scale.exp(), change.expand(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        """Towards pictures."""
        return y * (-self.log_scale).exp() - self.shift


class Mixing(nn.Module):
    """An invertible convolution by 1 pixel.

    The matrix is that of the way to pictures, so that a sampler has nothing to invert.

    Args:
        matrix: orthogonal ``[C, C]``, to start from.
    """

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())

    def forward(self, x: Tensor) -> Flow:
        """Towards noise."""
        change = -torch.linalg.slogdet(self.matrix)[1] * x.shape[2] * x.shape[3]
        inverse = torch.linalg.inv(self.matrix)
        return nn.functional.conv2d(x, inverse[:, :, None, None]), change.expand(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        """Towards pictures."""
        return nn.functional.conv2d(y, self.matrix[:, :, None, None])


class Coupling(nn.Module):
    """The first half of the channels scales and shifts the other one."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.net = quiet_net(channels // 2, width, channels)

    def forward(self, x: Tensor) -> Flow:
        """Towards noise."""
        kept, other = x.chunk(2, 1)
        log_scale, shift = self._numbers(kept)
        return torch.cat([kept, (other + shift) * log_scale.exp()], 1), log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        """Towards pictures."""
        kept, other = y.chunk(2, 1)
        log_scale, shift = self._numbers(kept)
        return torch.cat([kept, other * (-log_scale).exp() - shift], 1)

    def _numbers(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.net(kept).chunk(2, 1)
        return bounded(log_scale), shift


class Whitening(nn.Module):
    """A dense layer that takes the first batch's covariance away; fixed from then on.

    Args:
        numbers: of a sample.
    """

    initialised: Tensor
    mean: Tensor
    root: Tensor
    inverse_root: Tensor

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.register_buffer("initialised", torch.tensor(False))
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("root", torch.eye(numbers))
        self.register_buffer("inverse_root", torch.eye(numbers))

    def forward(self, x: Tensor) -> Flow:
        """Towards noise, ``[N, numbers]``."""
        if self.training and not self.initialised:
            with torch.no_grad():
                self.mean.copy_(x.mean(0))
                covariance = (x - self.mean).T @ (x - self.mean) / len(x)
                # Fewer photographs than numbers: some of the covariance is taken as independent.
                own = (covariance.diagonal() + 1e-3).diag()
                self.root.copy_(torch.linalg.cholesky((1.0 - _SHRINKAGE) * covariance + _SHRINKAGE * own))
                self.inverse_root.copy_(torch.linalg.inv(self.root))
                self.initialised.fill_(True)
        change = -self.root.diagonal().log().sum()
        return (x - self.mean) @ self.inverse_root.T, change.expand(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        """Towards pictures."""
        return y @ self.root.T + self.mean


def quiet_net(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Three convolutions that answer with nothing at first."""
    last = nn.Conv2d(width, outputs, 3, padding=1)
    for weights in last.parameters():
        nn.init.zeros_(weights)
    first = nn.Conv2d(inputs, width, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), last)


def bounded(log_scale: Tensor) -> Tensor:
    """Squeezed softly to -2..2, so that no scale runs away."""
    return _MOST_SCALE * torch.tanh(log_scale / _MOST_SCALE)
