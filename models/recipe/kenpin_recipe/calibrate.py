"""Calibration: make 0.5 the right threshold (Platt 1999).

A slope and an offset of the logit difference are fitted on the validation cells by log-loss. They
are kept only where they raise the validation accuracy at 0.5, and are then folded into the last
layer, so that the exported model needs no knowledge of them.
"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

NONE = {"slope": 1.0, "offset": 0.0}


def calibrate(answer: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    """Slope and offset of the logit difference; logits [n, 2], truth 0 or 1 [n]."""
    difference, right = (answer[:, 1] - answer[:, 0]).double().numpy(), truth.numpy()
    fit = LogisticRegression(C=100.0).fit(difference.reshape(-1, 1), right)
    fitted = {"slope": float(fit.coef_[0, 0]), "offset": float(fit.intercept_[0])}
    return max((NONE, fitted), key=lambda line: _accuracy(difference, right, line))


def fold(layer: nn.Linear, calibration: dict[str, float]) -> None:
    """Change the last layer so that its logit difference d becomes slope * d + offset."""
    with torch.no_grad():
        layer.weight *= calibration["slope"]
        layer.bias *= calibration["slope"]
        layer.bias += calibration["offset"] * torch.tensor([-0.5, 0.5])


def _accuracy(difference: np.ndarray, truth: np.ndarray, line: dict[str, float]) -> float:
    """Share of right answers once `line` is applied; differences and truth [n]."""
    return float(((line["slope"] * difference + line["offset"] > 0) == truth).mean())
