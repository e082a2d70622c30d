"""Batch norm over the whole batch when several processes hold a part of it each.

`torch.nn.SyncBatchNorm` does this on GPUs only. On CPUs the layers here take its place: means
and variances of all parts are gathered and put together, and so are their derivatives.
"""

import torch
from torch import distributed, nn
from torch.autograd import Function
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise(network: nn.Module, device: torch.device) -> nn.Module:
    """`network` with every batch norm taken over all processes; weights, names and buffers stay."""
    if device.type != "cpu":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.__class__ = SynchronisedBatchNorm  # the same layer with another forward
    return network


class SynchronisedBatchNorm(_BatchNorm):
    """Batch norm (Ioffe and Szegedy 2015) of [n, c, ...] whose n images lie on several processes.

    The parts, which may differ in size, are put together as by Chan, Golub and LeVeque 1983: variance
    = the mean of the parts' variances and of the squares of how far their means lie from the whole mean.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return F.batch_norm(images, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        mean, variance, count = _statistics(images)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        shape = [1, -1] + [1] * (images.dim() - 2)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (images - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)


def _statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean [c], variance [c] and number [] of the values of each channel over all processes."""
    others = [axis for axis in range(images.dim()) if axis != 1]
    variance, mean = torch.var_mean(images, others, correction=0)
    count = images.new_tensor([images.numel() // images.shape[1]])
    parts = _Gather.apply(torch.cat([mean, variance, count]))
    means, variances, counts = parts.split([len(mean), len(mean), 1], dim=1)
    shares = counts / counts.sum()
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean).square())).sum(0), counts.sum()


class _Gather(Function):
    """Values [k] of each process to those of all, [processes, k]; the derivative is the sum of theirs."""

    @staticmethod
    def forward(_, values: torch.Tensor) -> torch.Tensor:
        every = values.new_empty(distributed.get_world_size(), len(values))
        distributed.all_gather(list(every), values)
        return every

    @staticmethod
    def backward(_, derivative: torch.Tensor) -> torch.Tensor:
        derivative = derivative.contiguous().clone()
        distributed.all_reduce(derivative)
        return derivative[distributed.get_rank()]
