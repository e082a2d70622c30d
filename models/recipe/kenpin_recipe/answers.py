"""Trained weights and what a network answers, used by training and by distillation."""

import torch
from torch import nn

from .experiment import ExperimentError, Pixels
from .places import checkpoint


def load_checkpoint(name: str) -> dict:
    """What `train` kept of a model, or an error that says to train it first."""
    path = checkpoint(name)
    if not path.is_file():
        raise ExperimentError(f"{name} is not trained yet: run `python -m kenpin_recipe train {name}`")
    return torch.load(path, weights_only=True)


def normalise(pixels: Pixels, images: torch.Tensor) -> torch.Tensor:
    """Grey levels 0..255 to what a network takes in."""
    scaled = (images.float() / 255 - pixels.mean) / pixels.standard_deviation
    return scaled.contiguous(memory_format=torch.channels_last)


def logits(pixels: Pixels, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Answers of `network` to images [n, 1, h, w] without training it, float [n, 2]."""
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(normalise(pixels, part)) for part in images.split(32)])
