"""The networks: EfficientNet-lite0 as it is, and its first blocks cut into a frozen and a trained part.

Batch normalisation keeps its ImageNet statistics throughout: an answer never depends on what else is in a batch,
which a support of two cells would spoil.
"""

import torch
from torch import nn
from tqdm import tqdm

from ..networks import ALL_BLOCKS, Lite0
from .settings import Network, Pixels

PART = 32  # images at a time


class Early(nn.Module):
    """Stem and frozen blocks: images [n, 1, size, size], normalised, to feature maps [n, c, h, w]."""

    def __init__(self, source: Lite0, how: Network):
        super().__init__()
        self.stem, self.blocks = source.stem, source.blocks[: how.frozen_blocks]
        self.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.stem(images)
        for block in self.blocks:
            maps = block(maps)
        return maps


class Late(nn.Module):
    """Trained blocks, the widening of the block after them, mean pooling, one linear layer `last`.

    Feature maps of `Early` to [n, outputs]: an embedding or logits.
    """

    def __init__(self, source: Lite0, how: Network, outputs: int):
        super().__init__()
        self.blocks = source.blocks[how.frozen_blocks : how.blocks]
        after = source.blocks[how.blocks]
        self.widen = nn.Sequential(after._expand_conv, after._bn0, nn.ReLU6())
        self.last = nn.Linear(after._expand_conv.out_channels, outputs)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.last(self.pooled(maps))

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """Features before the last layer, [n, d]."""
        for block in self.blocks:
            maps = block(maps)
        return nn.functional.adaptive_avg_pool2d(self.widen(maps), 1).flatten(1)


def early(how: Network) -> Early:
    """The frozen part with its ImageNet weights."""
    return Early(Lite0(how.size, 1, ALL_BLOCKS), how).eval().to(memory_format=torch.channels_last)


def classifier(how: Network) -> Late:
    """The trained part with two logits, good and defective, that start at 0."""
    network = Late(Lite0(how.size, 1, ALL_BLOCKS), how, 2)
    nn.init.zeros_(network.last.weight)
    nn.init.zeros_(network.last.bias)
    return network.eval().to(memory_format=torch.channels_last)


def embedder(how: Network) -> Late:
    """The trained part with an embedding that starts as an orthogonal projection."""
    network = Late(Lite0(how.size, 1, ALL_BLOCKS), how, how.embedding)
    nn.init.orthogonal_(network.last.weight, how.embedding_gain)
    nn.init.zeros_(network.last.bias)
    return network.eval().to(memory_format=torch.channels_last)


def imagenet_features(how: Network, pixels: Pixels, images: torch.Tensor) -> torch.Tensor:
    """The 1,280 pooled features of the whole EfficientNet-lite0 for grey levels [n, 1, h, w], no weight trained."""
    network = Lite0(how.size, 1, ALL_BLOCKS)
    network.classify, network.dropout = nn.Identity(), nn.Identity()
    return answers(network.eval().to(memory_format=torch.channels_last), normalise(pixels, images), "frozen features")


def normalise(pixels: Pixels, images: torch.Tensor) -> torch.Tensor:
    """Grey levels 0..255 to what a network takes in."""
    scaled = (images.float() / 255 - pixels.mean) / pixels.standard_deviation
    return scaled.contiguous(memory_format=torch.channels_last)


def answers(network: nn.Module, inputs: torch.Tensor, title: str = "") -> torch.Tensor:
    """What `network` says to inputs [n, ...], a part at a time, without training it."""
    parts = inputs.split(PART)
    with torch.no_grad():
        return torch.cat([network(part) for part in tqdm(parts, desc=title, leave=False, disable=not title)])
