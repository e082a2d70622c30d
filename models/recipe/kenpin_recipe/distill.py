"""Soft labels: a student learns the teacher's answers beside the annotators' (Hinton et al. 2015)."""

import torch
from tqdm import tqdm

from . import networks
from .answers import load_checkpoint, logits
from .augment import views
from .data import Cell, load_images
from .experiment import Experiment


def soft_labels(experiment: Experiment, cells: list[Cell]) -> torch.Tensor:
    """Chance of a defect as the experiment's teacher sees it, mean over four views, float [n]."""
    teacher = next(model for model in experiment.models if model.tier == "teacher")
    network = networks.build(teacher)
    network.load_state_dict(load_checkpoint(teacher.name)["weights"])
    images = torch.from_numpy(load_images(cells, teacher.size)).unsqueeze(1)
    answers = [
        logits(experiment.pixels, network, view).softmax(1)[:, 1]
        for view in tqdm(views(images), desc="soft labels", unit="view")
    ]
    return torch.stack(answers).mean(0)
