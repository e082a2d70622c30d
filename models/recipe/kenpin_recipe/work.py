"""The runs of an experiment on several processes, each as soon as the runs that it needs are done."""

import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from tqdm import tqdm

from . import run
from .data import Sample
from .execute import execute
from .experiment import Experiment, ExperimentError, Model
from .parallel import start
from .places import Places
from .run import Run


def train(experiment: Experiment, places: Places, samples: list[Sample], models: Iterable[Model], workers: int) -> None:
    """Do every run of `models` that is not done, `workers` at a time, each on one thread.

    Where the experiment is to be trained in parallel, the processes share one run after the other instead.
    """
    if experiment.parallel != "none":
        return _together(experiment, places, samples, models)
    asked = _asked(experiment, places, models)
    waiting = [each for each in asked if not each.is_done(places)]
    tqdm.write(f"{len(asked) - len(waiting)} runs are done, {len(waiting)} to do")
    context = multiprocessing.get_context("spawn")
    running: dict[Future, Run] = {}
    with ProcessPoolExecutor(workers, context, _one_thread) as pool:
        while waiting or running:
            for each in [w for w in waiting if _is_ready(experiment, places, w)][: workers - len(running)]:
                waiting.remove(each)
                running[pool.submit(_alone, experiment, places, samples, each)] = each
            if not running:
                raise ExperimentError(_stuck(experiment, places, waiting[0]))
            for finished in wait(running, return_when=FIRST_COMPLETED).done:
                each = running.pop(finished)
                if error := finished.exception():
                    tqdm.write(f"failed: {each.model}, fold {each.fold}, seed {each.seed}: {error}")
                    raise error
                tqdm.write(f"done: {each.model}, fold {each.fold}, seed {each.seed}; {len(waiting)} waiting")


def _asked(experiment: Experiment, places: Places, models: Iterable[Model]) -> list[Run]:
    """The runs of `models`, each in a folder that holds this training or none."""
    asked = [each for model in models for each in run.all_of(experiment, model)]
    for each in asked:
        run.claim(experiment, places, each)
    return asked


def _together(experiment: Experiment, places: Places, samples: list[Sample], models: Iterable[Model]) -> None:
    """Do the runs one after the other, each on all the processes that `torchrun` started."""
    with start(experiment.parallel) as processes:
        asked = _asked(experiment, places, models) if processes.rank == 0 else []
        for each in processes.share([each for each in asked if not each.is_done(places)]):
            execute(experiment, places, samples, each, processes)
            processes.share(None)  # so that none goes on before rank 0 has written what the next run may need


def _alone(experiment: Experiment, places: Places, samples: list[Sample], each: Run) -> None:
    with start("none") as processes:
        execute(experiment, places, samples, each, processes)


def _is_ready(experiment: Experiment, places: Places, each: Run) -> bool:
    return all(need.is_done(places) for need in run.needs(experiment, each))


def _stuck(experiment: Experiment, places: Places, each: Run) -> str:
    need = next(need for need in run.needs(experiment, each) if not need.is_done(places))
    return f"{each.model}, fold {each.fold}, needs {need.model} of fold {need.fold}: train it as well"


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
