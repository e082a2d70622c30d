"""The text member: a recurrent network over the bytes of a sensor report. Trained on simulated reports only.

Bytes -> embedding -> GRU (Cho et al. 2014, in the form of cuDNN that ONNX calls `linear_before_reset`) -> mean over the
bytes -> two logits. A byte is its own token, one of 128 and above is token 1, and 0 fills the end.
"""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

from ..onnx_file import IR_VERSION, OPSET

LENGTH = 128  # bytes
KNOWN, UNKNOWN, PADDING = 128, 1, 0  # known values of a byte, token of the others, token behind the end
INPUT, OUTPUT = "report", "logits"
EMBEDDING, HIDDEN = 16, 48
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY, CLIP = 30, 32, 5e-3, 1e-2, 1.0
HIDE = 0.15  # share of the bytes that training hides behind the unknown token, against learning reports by heart
MULTIPLY_ADDS = LENGTH * (3 * HIDDEN * (EMBEDDING + HIDDEN) + HIDDEN) + 2 * HIDDEN  # for one report


class TextNetwork(nn.Module):
    """Tokens int64 [n, LENGTH] to logits float [n, 2]."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(KNOWN, EMBEDDING)
        self.recur = nn.GRU(EMBEDDING, HIDDEN, batch_first=True)
        self.classify = nn.Linear(HIDDEN, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.recur(self.embed(tokens))
        mask = (tokens != PADDING).float().unsqueeze(2)
        return self.classify((states * mask).sum(1) / mask.sum(1).clamp(min=1))


def tokens(reports: list[str]) -> np.ndarray:
    """Reports as tokens, int64 [n, LENGTH]: cut or padded as the daemon does it."""
    rows = np.full((len(reports), LENGTH), PADDING, np.int64)
    for row, text in zip(rows, reports):
        cut = [byte if byte < KNOWN else UNKNOWN for byte in text.encode()[:LENGTH]]
        row[: len(cut)] = cut
    return rows


def train(reports: list[str], target: np.ndarray, seed: int) -> TextNetwork:
    """Train on reports and the chance of a defect of each, float [n] in 0..1, for a fixed number of epochs.

    AdamW with the one-cycle schedule of Smith and Topin 2018. Leaves torch's global generator as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _train(TextNetwork(), reports, target)


def _train(network: TextNetwork, reports: list[str], target: np.ndarray) -> TextNetwork:
    """Train `network` from where it stands."""
    fed, wanted = torch.from_numpy(tokens(reports)), torch.from_numpy(target).float()
    wanted = torch.stack([1 - wanted, wanted], 1)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * -(-len(fed) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(fed)).split(BATCH):
            error = F.cross_entropy(network(_hide(fed[batch])), wanted[batch])
            optimiser.zero_grad()
            error.backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimiser.step()
            schedule.step()
    return network.eval()


def _hide(tokens: torch.Tensor) -> torch.Tensor:
    """Tokens [n, LENGTH] with a random share of the bytes unknown."""
    hidden = (torch.rand(tokens.shape) < HIDE) & (tokens != PADDING)
    return tokens.masked_fill(hidden, UNKNOWN)


def to_onnx(network: TextNetwork) -> onnx.ModelProto:
    """`network` as an ONNX graph for one report, tokens int64 [1, LENGTH], of fixed shapes."""
    node = helper.make_node
    nodes = [
        node("Gather", ["embedding", INPUT], ["embedded"]),
        node("Transpose", ["embedded"], ["steps"], perm=[1, 0, 2]),
        node("GRU", ["steps", "w", "r", "b"], ["states", ""], hidden_size=HIDDEN, linear_before_reset=1),
        node("Squeeze", ["states", "middle"], ["rows"]),
        node("Cast", [INPUT], ["numbers"], to=TensorProto.FLOAT),
        node("Min", ["numbers", "one"], ["mask"]),
        node("MatMul", ["mask", "rows"], ["sum"]),
        node("ReduceSum", ["mask", "last"], ["count"]),
        node("Max", ["count", "one"], ["length"]),
        node("Div", ["sum", "length"], ["mean"]),
        node("Gemm", ["mean", "classify", "offset"], [OUTPUT], transB=1),
    ]
    axes = {"middle": np.array([1, 2]), "last": np.array([1]), "one": np.ones((1, 1), np.float32)}
    constants = {**_weights(network), **axes}
    graph = helper.make_graph(
        nodes,
        "sensor-text",
        [helper.make_tensor_value_info(INPUT, TensorProto.INT64, [1, LENGTH])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def _weights(network: TextNetwork) -> dict[str, np.ndarray]:
    """The weights by their ONNX names: torch orders the gates reset, update, new; ONNX update, reset, hidden."""

    def gates(weight: torch.Tensor) -> np.ndarray:
        reset, update, new = weight.detach().numpy().reshape(3, HIDDEN, *weight.shape[1:])
        return np.concatenate([update, reset, new])

    recur = network.recur
    return {
        "embedding": network.embed.weight.detach().numpy(),
        "w": gates(recur.weight_ih_l0)[None],
        "r": gates(recur.weight_hh_l0)[None],
        "b": np.concatenate([gates(recur.bias_ih_l0), gates(recur.bias_hh_l0)])[None],
        "classify": network.classify.weight.detach().numpy(),
        "offset": network.classify.bias.detach().numpy(),
    }
