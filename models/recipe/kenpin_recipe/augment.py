"""Random changes that leave a solar cell what it is: mirrored, moved, lit and exposed otherwise."""

import torch
from torch.nn import functional as F

from .experiment import Augment


def augment(images: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Change each image of a batch on its own. Float [n, 1, h, w] in grey levels 0..255."""
    images = torch.stack([_move(_turn(image, how, generator), how, generator) for image in images])
    return _expose(images, how, generator).clamp_(0, 255)


def views(images: torch.Tensor) -> list[torch.Tensor]:
    """The four mirrored views of a batch [n, 1, h, w]."""
    return [images, images.flip(2), images.flip(3), images.flip(2, 3)]


def _turn(image: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Mirror an image [1, h, w] along either axis, and swap the axes where allowed."""
    coins = torch.randint(2, (3,), generator=generator).tolist()
    image = image.flip([axis for axis in (1, 2) if coins[axis - 1]])
    return image.transpose(1, 2) if how.quarter_turns and coins[2] else image


def _move(image: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Shift an image [1, h, w] by some pixels; the border is repeated."""
    reach = how.shift_pixels
    if reach == 0:
        return image
    top, left = torch.randint(2 * reach + 1, (2,), generator=generator).tolist()
    height, width = image.shape[1:]
    padded = F.pad(image, (reach,) * 4, mode="replicate")
    return padded[:, top : top + height, left : left + width]


def _expose(images: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Change exposure, contrast about the mean, and noise, each drawn once an image."""
    shape = (len(images), 1, 1, 1)
    gain = 1 + how.gain * _signed(shape, generator)
    contrast = 1 + how.contrast * _signed(shape, generator)
    noise = how.noise * torch.rand(shape, generator=generator)
    mean = images.mean((2, 3), keepdim=True)
    images = ((images - mean) * contrast + mean) * gain
    return images + noise * torch.randn(images.shape, generator=generator)


def _signed(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Uniform in -1..1."""
    return 2 * torch.rand(shape, generator=generator) - 1
