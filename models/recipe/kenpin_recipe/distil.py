"""Distillation: a student learns from teachers that are given as ONNX files.

labels    no teacher: the annotators' probabilities alone (of any network, on the same pictures)
soft      the general teacher's answers, softened by a temperature, beside the labels (Hinton et al. 2015)
several   the same with the mean of the general teacher and the specialist of the sample's kind, weighted
features  as `soft`, and the student's features, led through one linear layer, should equal the teacher's
          (Romero et al. 2015)

Teachers answer several changed copies of each sample, so that the student sees what they make of pictures that
have no label of their own (Beyer et al. 2022). A student without a teacher is trained on the same copies.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from .experiment import Distil, Pixels


class WithFeatures(nn.Module):
    """A student whose answers carry its features as well, led through a linear layer: [n, 2 + teacher's]."""

    def __init__(self, student: nn.Module, teacher_features: int):
        super().__init__()
        self.student = student
        self.project = nn.Linear(student.classify.in_features, teacher_features)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.student.features(images)
        return torch.cat([self.student.decide(features), self.project(features)], 1)


def soft_loss(how: Distil):
    """Loss of logits [n, 2] (and features behind them) against targets [n, 2 + features].

    Targets are the label's probability, the teacher's logit of a defect less that of good, and its features,
    scaled to mean 0 and deviation 1. The soft part is the cross-entropy at the temperature, times its square
    (Hinton et al. 2015, section 2).
    """

    def loss(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        difference = answer[:, 1] - answer[:, 0]
        hard = F.binary_cross_entropy_with_logits(difference, target[:, 0])
        chance = torch.sigmoid(target[:, 1] / how.temperature)
        soft = F.binary_cross_entropy_with_logits(difference / how.temperature, chance) * how.temperature**2
        total = torch.lerp(hard, soft, how.soft_share)
        if target.shape[1] > 2:
            total = total + how.features_weight * F.mse_loss(answer[:, 2:], target[:, 2:])
        return total

    return loss


def answers(file: Path, images: torch.Tensor, pixels: Pixels, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """What an ONNX file makes of uint8 images [views, n, c, h, w]: logit differences [views, n], features.

    The features, float16 [views, n, f], are what the last matrix product takes in. Kept in `cache` for the next
    asker with the same file and the same images.
    """
    digest = hashlib.sha256(file.read_bytes() + images.numpy().tobytes()).hexdigest()
    if cache.is_file():
        kept = np.load(cache)
        if str(kept["digest"]) == digest:
            return kept["logits"], kept["features"]
    session = _with_features(file)
    views, count = images.shape[:2]
    logits, features = np.empty((views, count), np.float32), None
    for i in tqdm(range(views * count), desc=f"{file.parent.parent.name} answers", unit="picture", leave=False):
        view, sample = divmod(i, count)
        fed = (images[view, sample].numpy().astype(np.float32) / 255 - pixels.mean) / pixels.standard_deviation
        answer, taken = session.run(None, {session.get_inputs()[0].name: fed[None].astype(np.float32)})
        if features is None:
            features = np.empty((views, count, taken.shape[1]), np.float16)
        logits[view, sample] = answer[0, 1] - answer[0, 0]
        features[view, sample] = taken[0]
    cache.parent.mkdir(parents=True, exist_ok=True)
    unfinished = cache.with_suffix(f".{os.getpid()}.npz")  # several may be at it
    np.savez(unfinished, digest=digest, logits=logits, features=features)
    unfinished.replace(cache)
    return logits, features


def standardised(features: np.ndarray) -> np.ndarray:
    """Features [views, n, f] at mean 0 and deviation 1 each, float32; one that never changes becomes 0."""
    features = features.astype(np.float32)
    deviation = features.std((0, 1))
    return (features - features.mean((0, 1))) / np.where(deviation > 1e-6, deviation, np.inf)


def _with_features(file: Path) -> onnxruntime.InferenceSession:
    """The ONNX file with the input of its last matrix product as a further output."""
    model = onnx.load(file)
    last = [node for node in model.graph.node if node.op_type in ("Gemm", "MatMul")][-1]
    model.graph.output.append(onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
