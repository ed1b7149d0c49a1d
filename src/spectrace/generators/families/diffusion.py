"""Diffusion in pixels (Ho et al. 2020, arXiv 2006.11239), drawn in few steps by DDIM (Song et al. 2021)."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from spectrace.generators.families.parts import widths
from spectrace.generators.families.registry import Family, Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.upsamplers import build_upsampler

SAMPLING_STEPS = 20
_OFFSET = 0.008
_LAST = 0.98  # of the schedule: below it some of the picture is left in the noise
_MOST_WEIGHT = 5.0
_GROUPS = 4
_RATE = 1e-3
_EMBEDDING = 64
_DIRECTIONS = 96
_PHOTOGRAPHS = 768  # whose directions they are


def cosine_schedule(time: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of picture and noise at times 0..1 (Nichol and Dhariwal 2021); their squares sum to 1.

    Example:
        >>> signal, noise = cosine_schedule(torch.tensor([0.0, 1.0]))
        >>> bool(signal[0] > 0.99), bool(noise[1] > 0.99)
        (True, True)
    """
    angle = (time * _LAST + _OFFSET) / (1.0 + _OFFSET) * math.pi / 2.0
    return angle.cos(), angle.sin()


class _Embedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2.0 ** torch.linspace(0.0, 7.0, _EMBEDDING // 2))
        self.dense = nn.Sequential(nn.Linear(_EMBEDDING, _EMBEDDING), nn.SiLU())

    frequencies: Tensor

    def forward(self, time: Tensor) -> Tensor:
        angles = time[:, None] * self.frequencies * math.pi
        embedded: Tensor = self.dense(torch.cat([angles.sin(), angles.cos()], 1))
        return embedded


class _Block(nn.Module):
    """Two convolutions around the time's scale and shift, and what came in added."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = nn.Linear(_EMBEDDING, 2 * outputs)
        self.norms = nn.ModuleList([nn.GroupNorm(math.gcd(_GROUPS, outputs), outputs) for _ in range(2)])
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.time(time)[:, :, None, None].chunk(2, 1)
        inner = nn.functional.silu(self.norms[0](self.first(x)) * (1.0 + scale) + shift)
        result: Tensor = self.skip(x) + nn.functional.silu(self.norms[1](self.second(inner)))
        return result


class LinearDenoiser(nn.Module):
    """The best linear guess of the clean picture, from the mean and the main directions of photographs.

    Networks learn it first (Wang and Vastola 2024); a short training has no time for that.

    Args:
        numbers: of a picture.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("directions", torch.zeros(_DIRECTIONS, numbers))
        self.register_buffer("variances", torch.zeros(_DIRECTIONS))

    def forward(self, noisy: Tensor, signal: Tensor, noise: Tensor) -> Tensor:
        """Clean ``[N, C, H, W]`` from noisy, given the shares of picture and noise, ``[N, 1]``."""
        shares = (noisy.flatten(1) - signal * self.mean) @ self.directions.T
        kept = shares * signal * self.variances / (signal.square() * self.variances + noise.square())
        return (self.mean + kept @ self.directions).reshape(noisy.shape)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Mean and principal components of photographs ``[M, numbers]``."""
        self.mean.copy_(x.mean(0))
        rest = x - self.mean
        # By the photographs' inner products: these are far fewer than pixels.
        variances, turns = (part[..., -_DIRECTIONS:] for part in torch.linalg.eigh(rest @ rest.T / len(x)))
        self.variances[: len(variances)] = variances
        self.directions[: len(variances)] = nn.functional.normalize(turns.T @ rest, dim=1)


class Denoiser(nn.Module):
    """A U-Net from noisy pictures and times to clean pictures.

    Widths double as sides halve, down to ``SEED_SIDE`` pixels, where a convolution sees the whole: no
    attention is needed. Maps have learned ones added, which tell places apart. Each doubling on the way up is
    the upsampler's; after the last one the noisy picture joins and the colours are mixed. The linear guess
    enters beside the noisy picture.

    Args:
        size: of the pictures.
        width: channels at half size.
        upsampler: of the way up.
    """

    def __init__(self, size: int, width: int, upsampler: str) -> None:
        super().__init__()
        channels = widths(size, width)[:0:-1]
        steps = list(itertools.pairwise(channels))
        self.linear = LinearDenoiser(3 * size**2)
        self.embedding = _Embedding()
        self.enter = nn.Conv2d(6, width, 4, 2, 1)
        self.down = nn.ModuleList(nn.Conv2d(one, two, 4, 2, 1) for one, two in steps)
        self.places = nn.ParameterList(
            torch.zeros(two, size >> level, size >> level) for level, (_, two) in enumerate(steps, 2)
        )
        self.narrowing = nn.ModuleList(_Block(two, two) for _, two in steps)
        self.middle = nn.ModuleList(_Block(channels[-1], channels[-1]) for _ in range(2))
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(two, one, 1), build_upsampler(upsampler, one)) for one, two in steps
        )
        self.widening = nn.ModuleList(_Block(2 * one, one) for one, _ in steps)
        self.leave = build_upsampler(upsampler, width)
        self.colours = nn.Conv2d(width + 3, 3, 3, padding=1)

    def forward(self, noisy: Tensor, time: Tensor) -> Tensor:
        """``[N, 3, S, S]`` and ``[N]`` in 0..1 to ``[N, 3, S, S]``."""
        t = self.embedding(time)
        signal, noise = (share[:, None] for share in cosine_schedule(time))
        x = self.enter(torch.cat([noisy, self.linear(noisy, signal, noise)], 1))
        passed = []
        for down, place, block in zip(self.down, self.places, self.narrowing, strict=True):
            passed.append(x)
            x = block(down(x) + place, t)
        for block in self.middle:
            x = block(x, t)
        for up, block in zip(reversed(self.up), reversed(self.widening), strict=True):
            x = block(torch.cat([up(x), passed.pop()], 1), t)
        clean: Tensor = self.colours(torch.cat([self.leave(x), noisy], 1))
        return clean


class DDIM(nn.Module):
    """Pictures from noise in a fixed number of steps without chance.

    Args:
        denoiser: noisy pictures and times to clean pictures.
        size: of the pictures.
    """

    def __init__(self, denoiser: Denoiser, size: int) -> None:
        super().__init__()
        self.denoiser, self.size = denoiser, size

    def forward(self, z: Tensor) -> Tensor:
        """Samples ``[N, 3, S, S]`` from standard normal ``[N, 3 * S * S]``."""
        x = z.reshape(-1, 3, self.size, self.size)
        times = torch.linspace(1.0, 0.0, SAMPLING_STEPS + 1)
        for number in range(SAMPLING_STEPS):
            signal, noise = cosine_schedule(times[number])
            clean: Tensor = self.denoiser(x, times[number].expand(z.shape[0])).clamp(-1, 1)
            signal_next, noise_next = cosine_schedule(times[number + 1])
            x = signal_next * clean + noise_next * (x - signal * clean) / noise
        return clean


class Diffusion(Family):
    """The squared error of the clean picture goes down by Adam, with more weight where little is hidden."""

    sampler: DDIM

    def __init__(self, recipe: GeneratorRecipe) -> None:
        super().__init__()
        self.sampler = DDIM(Denoiser(recipe.size, recipe.width, recipe.upsampler), recipe.size)
        self.latent = 3 * recipe.size**2
        self.optimisers = {"denoiser": torch.optim.Adam(self.sampler.parameters(), _RATE)}

    def step(self, photographs: Photograph, number: int) -> dict[str, float]:
        """One step, at times drawn evenly."""
        x = photographs()
        if number == 0:
            more = [photographs() for _ in range(_PHOTOGRAPHS // len(x))]
            self.sampler.denoiser.linear.fit(torch.cat([x, *more]).flatten(1))
        time = torch.rand(len(x))
        signal, noise = (share[:, None, None, None] for share in cosine_schedule(time))
        error = (
            (self.sampler.denoiser(signal * x + noise * torch.randn_like(x), time) - x)
            .square()
            .mean((1, 2, 3))
        )
        weight = (1.0 / noise.flatten().square()).clamp_max(_MOST_WEIGHT)
        loss = (weight * error).mean()
        optimiser = self.optimisers["denoiser"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return {"weighted": float(loss.detach()), "error": float(error.detach().mean())}


@register_family(
    "diffusion", "denoising diffusion in pixels", upsampler="nearest", width=16, batch=16, steps=2500
)
def build(recipe: GeneratorRecipe) -> Diffusion:
    """Fresh networks."""
    return Diffusion(recipe)
