"""Training on one process or, started by `torchrun`, on several; the training loop is the same for all.

none      one process
data      each process trains on its part of every batch; gradients are averaged
          (`DistributedDataParallel`, Li et al. 2020)
model     as data, but each process also keeps only its share of weights, gradients and optimiser state
          (FSDP2, `fully_shard`; Rajbhandari et al. 2020, "ZeRO", stage 3)
pipeline  each process holds consecutive pieces of the network; a batch runs through them as micro-batches
          (`torch.distributed.pipelining`, one forward, one backward; Narayanan et al. 2019, "PipeDream")

    with parallel.start(experiment.parallel) as processes:
        processes.prepare(network, loss)  # on the CPU, before the optimiser is made
        optimiser = torch.optim.AdamW(..., lr=..., weight_decay=...)  # of processes.part
        chosen = schedule.make(model.schedule, optimiser, steps, processes.total)
        average = Average(processes.part, decay)  # of average.py
        for every epoch:
            for images, target in batches:  # the whole batch, the same on every process
                optimiser.zero_grad()
                error = processes.step(images, target)
                optimiser.step()
                chosen.step()
                average.update()
            chosen.epoch(mean of the errors)
            with average.applied():
                weights = processes.weights()
            if processes.rank == 0:
                load `weights` into a network of its own, validate, write the checkpoint
            state = processes.state(optimiser, average)  # rank 0 keeps it, with chosen.state_dict()

To resume, under the same kind or another: make all as above, then `processes.load(optimiser, average, state)`
and `chosen.load_state_dict(...)`; `load` takes the state of rank 0, the schedule's is the same for all.

Every process draws the same batches and random changes, from a `torch.Generator` with the experiment's
seed: after `prepare` the global random numbers differ between processes, as each drops out for itself.
Progress bars, logs and files are for rank 0 alone. What rank 0 alone knows and all need goes through
`share`.

Batch norm is taken over the whole batch with `data` and `model`, so they train as one process does. With
`pipeline` it is taken over each micro-batch, as by one process that adds up the gradients of
`micro_batches` equal parts of the batch; running statistics move once for each of them.
"""

import atexit
import os
from collections.abc import Callable

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.pipelining import PipelineStage, Schedule1F1B
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from . import batch_norm
from .average import Average
from .experiment import ExperimentError
from .stages import stage

MICRO_BATCHES = 4

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # answers and targets of n images to their mean loss


class OneProcess:
    """`none`, and what all kinds share. A context, one after the other for each model that is trained."""

    rank = 0  # number of this process, 0..world - 1
    world = 1  # processes
    micro_batches = 1  # equal parts that every batch must fall into
    device: torch.device  # where this process computes
    part: nn.Module  # what this process holds of the network, after `prepare`

    def __init__(self):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def __enter__(self):
        return self

    def __exit__(self, error: type | None, *_) -> None:
        """Wait until all processes have come so far, unless this one failed."""

    def prepare(self, network: nn.Module, loss: Loss) -> None:
        """Take over `network`, which stands on the CPU, for training by `loss`, a mean over images."""
        self.part = network.to(self.device).train()
        self._loss = loss

    def step(self, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Add the gradients of the loss over the whole batch; that loss, float [].

        Images [n, 1, h, w] and target [n, ...] are the whole batch, the same on every process.
        """
        error = self._loss(self.part(images.to(self.device)), target.to(self.device))
        error.backward()
        return error.detach()

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the network of `values` on the CPU, computed from this process's own parameters."""
        return values

    def share(self, value: object) -> object:
        """The `value` of rank 0, on every process."""
        return value

    def weights(self) -> dict[str, torch.Tensor]:
        """Weights and buffers of the whole network on the CPU, for rank 0; empty for the others.

        All processes must call it.
        """
        return self._gather({name: _whole(value) for name, value in self.part.state_dict().items()})

    def state(self, optimiser: Optimizer, average: Average) -> dict:
        """All that `load` needs, on the CPU, for rank 0: of no use to the others. All processes must call it."""
        with average.applied():
            mean = self.weights()
        moments = {
            name: {key: _whole(value) for key, value in optimiser.state[weights].items()}
            for name, weights in self.part.named_parameters()
            if weights in optimiser.state
        }
        rates = [group["lr"] for group in optimiser.param_groups]
        return {"weights": self.weights(), "average": mean, "moments": self._gather(moments), "rates": rates}

    def load(self, optimiser: Optimizer, average: Average, state: dict) -> None:
        """Go on from the `state` that rank 0 gives, whatever kind made it. All processes must call it."""
        state = self.share(state)
        self._put(state["average"])
        average.restart()
        self._put(state["weights"])
        for name, weights in self.part.named_parameters():
            if name in state["moments"]:
                moments = state["moments"][name]
                optimiser.state[weights] = {key: _as(value, weights) for key, value in moments.items()}
        for group, rate in zip(optimiser.param_groups, state["rates"], strict=True):
            group["lr"] = rate

    def _gather(self, named: dict) -> dict:
        """What the processes hold by name, together, for rank 0; empty for the others."""
        return named

    @torch.no_grad()
    def _put(self, whole: dict[str, torch.Tensor]) -> None:
        """Give `part` its share of the weights and buffers of the whole network."""
        for name, value in self.part.state_dict().items():
            value.copy_(_as(whole[name], value))


class SeveralProcesses(OneProcess):
    """What all kinds but `none` share: the process group that `torchrun` asks for."""

    def __init__(self, kind: str):
        if "RANK" not in os.environ:
            raise ExperimentError(f'parallel = "{kind}" must be started by torchrun: RANK is not set')
        super().__init__()
        if self.device.type == "cuda":
            self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(self.device)
        if not distributed.is_initialized():  # once: a second group would meet the addresses of the first
            distributed.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            atexit.register(distributed.destroy_process_group)
        self.rank, self.world = distributed.get_rank(), distributed.get_world_size()

    def prepare(self, network: nn.Module, loss: Loss) -> None:
        super().prepare(network, loss)
        for value in network.state_dict().values():
            distributed.broadcast(value, 0)
        torch.manual_seed(torch.initial_seed() + self.rank)

    def share(self, value: object) -> object:
        values = [value]
        distributed.broadcast_object_list(values, 0, device=self.device)
        return values[0]

    def __exit__(self, error: type | None, *_) -> None:
        if error is None:  # else torchrun ends the others
            distributed.barrier()

    def _sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum of `values` over the processes, where `values` are."""
        summed = values.to(self.device, copy=True)
        distributed.all_reduce(summed)
        return summed.to(values.device)


class Data(SeveralProcesses):
    """`data`: the batch is parted, the network is whole on each process."""

    def prepare(self, network: nn.Module, loss: Loss) -> None:
        super().prepare(network, loss)
        self.part = batch_norm.synchronise(self.part, self.device)
        self._wrapped = self._wrap()

    def step(self, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if len(images) < self.world:
            raise ExperimentError(f"a batch of {len(images)} images cannot be parted over {self.world} processes")
        images_here, target_here = (whole.tensor_split(self.world)[self.rank] for whole in (images, target))
        answer = self._wrapped(images_here.to(self.device))
        # gradients are averaged over processes, images are not: parts may differ by one image
        error = self._loss(answer, target_here.to(self.device)) * (len(images_here) / len(images))
        (error * self.world).backward()
        return self._sum(error.detach())

    def _gather(self, named: dict) -> dict:
        return named if self.rank == 0 else {}

    def _wrap(self) -> nn.Module:
        """The network that averages its gradients over the processes."""
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(self.part, device_ids=devices, forward_sync_buffers=False)


class Model(Data):
    """`model`: as `Data`, with the parameters of every block shared out over the processes."""

    def total(self, values: torch.Tensor) -> torch.Tensor:
        return self._sum(values)

    def _wrap(self) -> nn.Module:
        self.part.to(memory_format=torch.contiguous_format)  # all that fully_shard takes
        mesh = init_device_mesh(self.device.type, (self.world,))
        for blocks in self.part.children():
            if isinstance(blocks, nn.ModuleList):  # whole one at a time; what is left goes with the network
                for block in blocks:
                    fully_shard(block, mesh=mesh)
        return fully_shard(self.part, mesh=mesh)


class Pipeline(SeveralProcesses):
    """`pipeline`: process number i holds stage number i of the network."""

    def __init__(self, kind: str, micro_batches: int):
        super().__init__(kind)
        if micro_batches < self.world:
            raise ExperimentError(f"micro_batches must be at least the {self.world} processes, not {micro_batches}")
        self.micro_batches = micro_batches

    def prepare(self, network: nn.Module, loss: Loss) -> None:
        super().prepare(network, loss)
        network.to(memory_format=torch.contiguous_format)  # all that gloo sends
        self.part = stage(network, self.rank, self.world).train()
        self._schedules = {}  # by shape of the batch, as buffers are of fixed shape

    def step(self, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if len(images) % self.micro_batches:
            raise ExperimentError(
                f"a batch of {len(images)} images cannot be parted into {self.micro_batches} equal micro-batches"
            )
        first, last = self.rank == 0, self.rank == self.world - 1
        errors = []
        self._schedule(images.shape).step(
            *([images.to(self.device).contiguous()] if first else []),
            target=target.to(self.device) if last else None,
            losses=errors if last else None,
            return_outputs=False,
        )
        return self._sum(torch.stack(errors).mean().detach() if last else images.new_zeros((), device=self.device))

    def total(self, values: torch.Tensor) -> torch.Tensor:
        return self._sum(values)

    def _gather(self, named: dict) -> dict:
        parts = [None] * self.world if self.rank == 0 else None
        distributed.gather_object(named, parts)
        return {name: value for part in parts or [] for name, value in part.items()}

    def _schedule(self, shape: torch.Size) -> Schedule1F1B:
        """The schedule for batches of this shape."""
        if shape not in self._schedules:
            held = PipelineStage(self.part, self.rank, self.world, self.device)
            self._schedules[shape] = Schedule1F1B(held, self.micro_batches, loss_fn=self._loss)
        return self._schedules[shape]


def start(kind: str, micro_batches: int = MICRO_BATCHES) -> OneProcess:
    """Join the other processes that `torchrun` started, if `kind` is not `none`.

    `micro_batches` is for `pipeline`: equal parts of a batch, at least as many as processes.
    """
    if kind == "none":
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            raise ExperimentError('parallel = "none" trains on one process: do not start it by torchrun')
        return OneProcess()
    if kind == "data":
        return Data(kind)
    if kind == "model":
        return Model(kind)
    if kind == "pipeline":
        return Pipeline(kind, micro_batches)
    raise ExperimentError(f"parallel must be one of none, data, model, pipeline, not '{kind}'")


def _whole(value: torch.Tensor) -> torch.Tensor:
    """A tensor that may be sharded, whole on the CPU and apart from the original."""
    whole = value.full_tensor() if isinstance(value, DTensor) else value
    return whole.detach().cpu().clone()


def _as(whole: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """A copy of `whole` where `wanted` is, sharded if that is; a lone number, as AdamW's count, stays as it is."""
    if whole.shape != wanted.shape:
        return whole.clone()
    if isinstance(wanted, DTensor):
        return distribute_tensor(whole.to(wanted.device), wanted.device_mesh, wanted.placements)
    return whole.to(wanted.device, copy=True)
