"""Random changes that leave a part what it is: mirrored, turned, moved, lit and exposed otherwise."""

import torch
from torch.nn import functional as F

from .experiment import Augment


def augment(images: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Change each image of a batch on its own. Float [n, c, h, w] in grey levels 0..255."""
    images = torch.stack([_move(_turn(image, how, generator), how, generator) for image in images])
    return _expose(images, how, generator).clamp_(0, 255)


def copies(images: torch.Tensor, how: Augment, count: int, seed: int) -> torch.Tensor:
    """`count` copies of uint8 images [n, c, h, w]: as they are, then changed. uint8 [count, n, c, h, w]."""
    generator = torch.Generator().manual_seed(seed)
    changed = [
        torch.cat([augment(part.float(), how, generator).round().byte() for part in images.split(64)])
        for _ in range(count - 1)
    ]
    return torch.stack([images, *changed])


def shrink(images: torch.Tensor, size: int) -> torch.Tensor:
    """Antialiased bilinear from uint8 [n, c, h, w] to uint8 [n, c, size, size]."""
    if images.shape[-1] == size:
        return images
    small = F.interpolate(images.float(), (size, size), mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).byte()


def _turn(image: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Mirror an image [c, h, w] along either axis, and swap the axes, where allowed."""
    coins = torch.randint(2, (3,), generator=generator).tolist()
    if how.mirror:
        image = image.flip([axis for axis in (1, 2) if coins[axis - 1]])
    return image.transpose(1, 2) if how.quarter_turns and coins[2] else image


def _move(image: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """Shift an image [c, h, w] by some pixels; the border is repeated."""
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
    mean = images.mean((1, 2, 3), keepdim=True)
    images = ((images - mean) * contrast + mean) * gain
    return images + noise * torch.randn(images.shape, generator=generator)


def _signed(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Uniform in -1..1."""
    return 2 * torch.rand(shape, generator=generator) - 1
