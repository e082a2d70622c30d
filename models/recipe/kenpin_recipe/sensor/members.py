"""The three members that read sensor text, from cells to answers. What they read is simulated (see `simulation.py`)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime

from ..data import ELPV_KINDS, Sample
from . import heads, simulation, text

SIMULATED = "simulated sensor text, seeded by cell and drawn from the annotators' labels"


@dataclass(frozen=True)
class Member:
    """One member: how it is trained, what it is fed, and how its passport tells of both."""

    name: str
    description: str
    method: str  # how it is trained, for the card
    fit: Callable[[list[Sample], int], onnx.ModelProto]  # cells and seed to a graph for one cell
    feed: Callable[[list[Sample]], np.ndarray]  # cells to what the graph is fed, a row for each
    input_table: str  # `[[inputs]]` of the passport, less the shape
    multiply_adds: int
    activation: str = "softmax"


def scores(cells_fit: list[Sample], cells_score: list[Sample], seed: int) -> dict[str, np.ndarray]:
    """Train every member on `cells_fit` and ask it about `cells_score`.

    Gives, by the member's name, the logit of a defect (that of `defective` less that of `good`) for each cell,
    float64 [n]. The text is the one simulated set whatever `seed` is; the seed is that of the training. The linear
    head's logits end at +-ln(999), where its probabilities are cut.
    """
    return {member.name: answers(member, member.fit(cells_fit, seed), cells_score) for member in MEMBERS}


def answers(member: Member, model: onnx.ModelProto, cells: list[Sample]) -> np.ndarray:
    """The logit of a defect for each cell, float64 [n]: ONNX Runtime on the graph, cell by cell as in the daemon."""
    raw = outputs(member, model, cells).astype(np.float64)
    if member.activation == "none":  # probabilities already
        raw = np.log(raw)
    return raw[:, 1] - raw[:, 0]


def outputs(member: Member, model: onnx.ModelProto, cells: list[Sample]) -> np.ndarray:
    """What the graph answers for each cell, float32 [n, 2]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: row[None]})[0] for row in member.feed(cells)])


def _reports(cells: list[Sample]) -> list[str]:
    return [simulation.report(simulation.measure(cell)) for cell in cells]


def _fit_text(cells: list[Sample], seed: int) -> onnx.ModelProto:
    target = np.array([cell.probability for cell in cells])
    return text.to_onnx(text.train(_reports(cells), target, seed))


def _head_table() -> str:
    """The input of a head: where each number comes from."""
    known = ", ".join(f'"{kind}"' for kind in ELPV_KINDS)
    values = [f'{{ key = "type", one_of = [{known}] }}', *(f'{{ key = "{key}" }}' for key in simulation.NUMBERS)]
    lines = "".join(f"    {value},\n" for value in values)
    return f'name = "{heads.INPUT}"\nkind = "readings"\nelement = "float32"\nvalues = [\n{lines}]'


_TEXT_TABLE = f"""\
name = "{text.INPUT}"
kind = "text"
element = "int64"
key = "report"
tokens = {{ bytes = {{ known = {text.KNOWN}, unknown = {text.UNKNOWN} }} }}
padding = {text.PADDING}"""

MEMBERS = (
    Member(
        "elpv-sensor-text",
        f"Tells good from defective solar cells by the lines of a flash tester: {SIMULATED}.",
        f"GRU of {text.HIDDEN} units over bytes, {text.EPOCHS} epochs, targets are the annotators' "
        f"probabilities, {text.HIDE:.0%} of the bytes hidden",
        _fit_text,
        lambda cells: text.tokens(_reports(cells)),
        _TEXT_TABLE,
        text.MULTIPLY_ADDS,
    ),
    Member(
        "elpv-sensor-linear",
        f"Tells good from defective solar cells by the numbers of a flash tester, linearly: {SIMULATED}.",
        "Ridge regression on the annotators' probabilities, standardisation folded in",
        lambda cells, _seed: heads.linear(cells),
        heads.numbers,
        _head_table(),
        2 * len(heads.KEYS),
        "none",
    ),
    Member(
        "elpv-sensor-logistic",
        f"Tells good from defective solar cells by the numbers of a flash tester, logistically: {SIMULATED}.",
        "Logistic regression on the labels good and defective, standardisation folded in",
        lambda cells, _seed: heads.logistic(cells),
        heads.numbers,
        _head_table(),
        2 * len(heads.KEYS),
    ),
)
