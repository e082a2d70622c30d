"""A run from its samples to its scores: train, write as ONNX, score what was held out."""

import json
from dataclasses import replace

import torch
from torch import nn

from . import lesson, networks, onnx_file, score, split
from .data import DataError, Sample
from .distil import WithFeatures
from .experiment import Experiment, ExperimentError, Model
from .parallel import OneProcess
from .places import Places
from .run import Run, write_scores
from .train import Training

SEEDS_APART = 100  # each fold draws numbers of its own


def execute(experiment: Experiment, places: Places, samples: list[Sample], run: Run, processes: OneProcess) -> None:
    """Train, write and score one run; every process of `processes` must call it. Rank 0 alone exports."""
    model, folder = experiment.model(run.model), run.folder(places)
    folder.mkdir(parents=True, exist_ok=True)
    fit, held_out = split.parts(experiment, places, samples, run.fold)
    fit = _of_kind(fit, model)  # what is held out is scored whole: a gate may send a part to the wrong specialist
    if not processes.share((folder / "weights.pt").is_file()):
        _train(experiment, places, run, fit, processes)
    if processes.rank > 0:
        return
    network = networks.build(model, experiment.pixels)
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True, map_location="cpu"))
    onnx_file.write(network, model.size, experiment.pixels.channels, folder / "model.onnx")
    write_scores(folder, held_out, score.differences(folder / "model.onnx", held_out, experiment.pixels))


def _train(experiment: Experiment, places: Places, run: Run, fit: list[Sample], processes: OneProcess) -> None:
    """Train on `fit`; rank 0 keeps the weights."""
    model, folder = experiment.model(run.model), run.folder(places)
    folds = split.folds(experiment)
    seed = run.seed + (SEEDS_APART * folds.index(run.fold) if run.fold in folds else 0)
    torch.manual_seed(seed)
    network = _begin(experiment, places, model, run)
    learned, trained = lesson.make(experiment, places, model, run, fit, network)
    trained, seconds = Training(experiment, model, learned, processes, folder).run(trained, seed)
    if processes.rank > 0:
        return
    network = trained.student if isinstance(trained, WithFeatures) else trained
    (folder / "run.json").write_text(json.dumps({"fit": len(fit), "seed": seed, "cpu_seconds": seconds}) + "\n")
    torch.save(network.state_dict(), folder / "weights.new")
    (folder / "weights.new").replace(folder / "weights.pt")
    (folder / "checkpoint.pt").unlink()


def _of_kind(samples: list[Sample], model: Model) -> list[Sample]:
    chosen = [sample for sample in samples if model.kind in ("all", sample.kind)]
    if not chosen:
        raise DataError(f"{model.name} is for the kind '{model.kind}', and no sample is of it")
    return chosen


def _begin(experiment: Experiment, places: Places, model: Model, run: Run) -> nn.Module:
    """The network of `model`, with the weights of the model it starts from where it names one, trained for the same fold.

    What is slimmer than that model is slimmed last, so that the channels it made strong are those that stay.
    """
    if model.start in ("random", "imagenet"):
        return networks.build(model, experiment.pixels)
    folder = Run(model.start, run.fold, experiment.seed).folder(places)
    if not (folder / "weights.pt").is_file():
        raise ExperimentError(f"{model.name} starts from {model.start}, fold {run.fold}, which is not trained yet")
    weights = torch.load(folder / "weights.pt", weights_only=True, map_location="cpu")
    shared = experiment.model(model.start).hidden_share
    network = networks.build(replace(model, hidden_share=max(shared, model.hidden_share)), experiment.pixels)
    if not networks.take_over(network, weights):
        raise ExperimentError(
            f"{model.name} cannot start from {model.start}: no weight of it has the same name and shape"
        )
    if model.hidden_share < shared:
        if shared < 1:
            raise ExperimentError(
                f"{model.name} cannot start from {model.start}, which is slimmed itself: want its share"
            )
        network.slim(model.hidden_share)
    return network
