"""Other ways of taking the picture of a cell. They leave its defects what they are and make a pseudo-task of each."""

import math

import torch
from torch.nn import functional as F

from .settings import Imaging


def change(images: torch.Tensor, how: Imaging) -> torch.Tensor:
    """Take images [n, 1, h, w] in another way. Float grey levels 0..255, before and after."""
    images = _scale(images, how.scale)
    images = _blur(images, how.blur)
    mean = images.mean((2, 3), keepdim=True)
    images = ((images - mean) * how.contrast + mean) * how.gain
    return (255 - images if how.inverted else images).clamp(0, 255)


def turn(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror and turn each image [n, 1, h, h] at random: one of the eight symmetries of a square."""
    coins = torch.randint(2, (len(images), 3), generator=generator, dtype=torch.bool)
    for which in range(3):
        images = torch.where(coins[:, which].view(-1, 1, 1, 1), _symmetry(images, which), images)
    return images


def _symmetry(images: torch.Tensor, which: int) -> torch.Tensor:
    """Upside down (0), left for right (1), rows for columns (2)."""
    return images.transpose(2, 3) if which == 2 else images.flip(2 + which)


def _scale(images: torch.Tensor, factor: float) -> torch.Tensor:
    """Enlarge about the centre; below 1 the border is repeated outwards."""
    if factor == 1:
        return images
    theta = torch.tensor([[1 / factor, 0, 0], [0, 1 / factor, 0]]).expand(len(images), 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _blur(images: torch.Tensor, deviation: float) -> torch.Tensor:
    """Gaussian blur, the border repeated."""
    if deviation == 0:
        return images
    reach = math.ceil(3 * deviation)
    line = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * deviation**2))
    line = line / line.sum()
    images = F.conv2d(F.pad(images, (reach, reach, 0, 0), mode="replicate"), line.view(1, 1, 1, -1))
    return F.conv2d(F.pad(images, (0, 0, reach, reach), mode="replicate"), line.view(1, 1, -1, 1))
