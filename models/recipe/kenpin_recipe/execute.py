"""A run from its samples to its scores: train, write as ONNX, score what was held out."""

import json

import torch
from torch import nn

from . import lesson, networks, onnx_file, score, split
from .data import DataError, Sample
from .experiment import Experiment, ExperimentError, Model
from .parallel import OneProcess
from .places import Places
from .run import Run, write_scores
from .train import Training


def execute(experiment: Experiment, places: Places, samples: list[Sample], run: Run, processes: OneProcess) -> None:
    """Train, write and score one run; every process of `processes` must call it. Rank 0 alone exports."""
    model, folder = experiment.model(run.model), run.folder(places)
    folder.mkdir(parents=True, exist_ok=True)
    fit, held_out = split.parts(experiment, places, samples, run.fold)
    fit = _of_kind(fit, model)  # what is held out is scored whole: a gate may send a part to the wrong specialist
    network = networks.build(model, experiment.pixels)
    if not (folder / "weights.pt").is_file():
        _start(experiment, places, model, run, network)
        learned, trained = lesson.make(experiment, places, model, run, fit, network)
        seconds = Training(experiment, model, learned, processes, folder).run(trained, run.seed)
        if processes.rank > 0:
            return
        told = {"fit": len(fit), "held_out": len(held_out), "cpu_seconds": seconds}
        (folder / "run.json").write_text(json.dumps(told) + "\n")
        torch.save(network.state_dict(), folder / "weights.new")
        (folder / "weights.new").replace(folder / "weights.pt")
        (folder / "checkpoint.pt").unlink()
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    shown = networks.Mirrored(network, model.size) if model.views > 1 else network
    onnx_file.write(shown, model.size, experiment.pixels.channels, folder / "model.onnx")
    write_scores(folder, held_out, score.differences(folder / "model.onnx", held_out, experiment.pixels))


def _of_kind(samples: list[Sample], model: Model) -> list[Sample]:
    chosen = [sample for sample in samples if model.kind in ("all", sample.kind)]
    if not chosen:
        raise DataError(f"{model.name} is for the kind '{model.kind}', and no sample is of it")
    return chosen


def _start(experiment: Experiment, places: Places, model: Model, run: Run, network: nn.Module) -> None:
    """Give `network` the weights of the model it starts from, trained for the same fold."""
    if model.start in ("random", "imagenet"):
        return
    folder = Run(model.start, run.fold, experiment.seed).folder(places)
    if not (folder / "weights.pt").is_file():
        raise ExperimentError(f"{model.name} starts from {model.start}, fold {run.fold}, which is not trained yet")
    networks.take_over(network, torch.load(folder / "weights.pt", weights_only=True))
