"""All members over all folds: `out_of_fold.csv`, `report.json` with its tables, and the front.

Every sample has, for each member and rung, one score by a model that has not seen it. A member is a way to judge
(the general teacher, the specialist of the sample's kind, ...), a rung one of the models that can take its part
at a price of its own. The specialist of a sample is chosen by the gate's own out-of-fold answer, and the fused
score is the mean of the chances that teacher and specialist give, as in the daemon.
"""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from . import export, figures, plots, run, split, tables
from .data import ELPV_KINDS, Sample
from .experiment import Experiment, ExperimentError, Model
from .passport import FILE
from .places import Places
from .run import Run

TEACHER_WEIGHT = 0.5
SIMULATED = "simulated-sensor"  # the member of those that read simulated sensor text


class Table(NamedTuple):
    """All samples, with the fold that held each out, in the order of the folds."""

    samples: list[Sample]
    folds: np.ndarray  # of str [n]
    truth: np.ndarray  # [n], 1 is defective

    def column(self, name: str, scores: dict[str, float]) -> np.ndarray:
        """The logit differences of the member `name` in the order of the samples."""
        if missing := [sample.stem for sample in self.samples if sample.stem not in scores]:
            raise ExperimentError(f"{name} has no score for {missing[0]} and {len(missing) - 1} more: train it again")
        return np.array([scores[sample.stem] for sample in self.samples])


def write(experiment: Experiment, places: Places, samples: list[Sample], further: dict[str, dict[str, float]]) -> None:
    """Write scores, report and front. `further` members bring their out-of-fold logit differences by stem."""
    if experiment.distil.teacher.endswith(".onnx"):
        raise ExperimentError(
            f"distil.teacher is the file {experiment.distil.teacher}, which has no out-of-fold scores: a report wants a "
            "model of the experiment"
        )
    table = _table(experiment, places, samples)
    members = _members(experiment, places, table)
    members |= {(SIMULATED, name): table.column(name, scores) for name, scores in further.items()}
    _write_scores(places.lists / "out_of_fold.csv", table, members)
    report = {
        "experiment": experiment.file,
        "folds": [{"fold": fold, "n": int((table.folds == fold).sum())} for fold in split.folds(experiment)],
        "cross_validation": _cross_validation(experiment, table, members),
        "split": _split(table, members),
        "teaching": _teaching(experiment, places, table),
        "schedules": _schedules(experiment, places, table),
        "students": _students(experiment, places, table),
        "front": _front(experiment, places, table),
    }
    few_shot = places.lists / "few_shot.json"
    report["few_shot"] = json.loads(few_shot.read_text())["rows"] if few_shot.is_file() else []
    places.models.mkdir(parents=True, exist_ok=True)
    export.write_json(places.models / "report.json", report)
    plots.of_report(report, places.models / "front.svg")
    text = tables.of_report(report)
    (places.models / "REPORT.md").write_text(text)
    print(text)


def _table(experiment: Experiment, places: Places, samples: list[Sample]) -> Table:
    held_out = {fold: split.parts(experiment, places, samples, fold).held_out for fold in split.folds(experiment)}
    rows = [(sample, fold) for fold, chosen in held_out.items() for sample in chosen]
    truth = np.array([int(sample.defective) for sample, _ in rows])
    return Table([sample for sample, _ in rows], np.array([fold for _, fold in rows]), truth)


def _members(experiment: Experiment, places: Places, table: Table) -> dict[tuple[str, str], np.ndarray]:
    """Logit differences [n] by member and rung."""
    found = {}
    specialists = {}
    for model in experiment.exported:
        scores = table.column(model.name, run.pooled(experiment, places, model.name))
        if model.tier == "specialist":
            specialists[model.kind] = scores
        elif model.tier == "gate":
            found["gate", model.name] = scores
        else:
            found["general", model.name] = scores
    for integer in experiment.integers:
        found["general", integer.name] = table.column(integer.name, run.pooled(experiment, places, integer.name))
    if specialists:
        gate = next(scores for (member, _), scores in found.items() if member == "gate")
        first, second = (specialists[kind] for kind in ELPV_KINDS)
        found["specialist", "specialist"] = np.where(gate > 0, second, first)
        teacher = figures.chance(found["general", experiment.distil.teacher])
        mean = _mean(teacher, figures.chance(found["specialist", "specialist"]))
        found["fused", "fused"] = np.log(mean / (1 - mean))
    return found


def _mean(teacher: np.ndarray, specialist: np.ndarray) -> np.ndarray:
    return TEACHER_WEIGHT * teacher + (1 - TEACHER_WEIGHT) * specialist


def _write_scores(path: Path, table: Table, members: dict[tuple[str, str], np.ndarray]) -> None:
    """A row for each sample, member and rung."""
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["part", "fold", "member", "rung", "logit"])
        for (member, rung), scores in members.items():
            for sample, fold, score in zip(table.samples, table.folds, scores):
                out.writerow([sample.stem, fold, member, rung, f"{score:.5f}"])


def _cross_validation(experiment: Experiment, table: Table, members) -> dict:
    """Mean and deviation over the folds, and figures of all samples at once, by member."""
    found = {}
    for (member, rung), logits in members.items():
        if member != "gate":
            found[rung] = {"simulated": member == SIMULATED, **over_folds(experiment, table, figures.chance(logits))}
    return found


def over_folds(experiment: Experiment, table: Table, chance: np.ndarray) -> dict:
    """Mean and deviation over the folds of accuracy and AUC, and figures of all samples at once."""
    each = [
        figures.measure(chance[table.folds == fold], table.truth[table.folds == fold])
        for fold in split.folds(experiment)
    ]
    return {
        **{
            key: figures.mean_sd([row[key] for row in each])
            for key in ("accuracy", "balanced_accuracy", "auc", "escapes")
        },
        "pooled": figures.judged(chance, table.truth),
    }


def _split(table: Table, members) -> dict:
    """Figures on the fixed test list, by member."""
    test = table.folds == split.TEST
    found = {}
    for (member, rung), logits in members.items():
        if member != "gate":
            judged = figures.judged(figures.chance(logits[test]), table.truth[test])
            found[rung] = {"simulated": member == SIMULATED, **judged}
    return found


def _teaching(experiment: Experiment, places: Places, table: Table) -> list[dict]:
    """Each way of teaching a student, against the same student taught by labels alone: paired on all samples."""
    rows = []
    compared = [m for m in experiment.models if m.tier in ("student", "trial") and m.folds == "all"]
    for plain in (m for m in compared if m.tier == "trial" and m.method == "labels"):
        control = _pooled(experiment, places, table, plain.name)
        shape = (plain.size, plain.blocks, plain.hidden_share)
        for model in compared:
            if (model.size, model.blocks, model.hidden_share) == shape:
                own = _pooled(experiment, places, table, model.name)
                row = {"student": plain.name.removesuffix("-labels"), "method": model.method}
                row |= {"auc": _over_runs(experiment, places, table, model), "pooled": _pooled_figures(table, own)}
                if model is not plain:
                    row["against_labels"] = figures.delong(own, control, table.truth)
                rows.append(row)
    return rows


def _schedules(experiment: Experiment, places: Places, table: Table) -> list[dict]:
    """The same network under each schedule of the learning rate, judged on the validation list."""
    return [
        {"schedule": model.schedule, "network": model.network, "auc": _over_runs(experiment, places, table, model)}
        for model in experiment.models
        if model.folds == split.VALIDATION
    ]


def _students(experiment: Experiment, places: Places, table: Table) -> list[dict]:
    """Each student against the teacher it stands in for, and integers against their parent as well."""
    teacher = experiment.distil.teacher
    theirs = _pooled(experiment, places, table, teacher)
    rows = []
    for name, trained, parent in _rungs(experiment):
        if name == teacher:
            continue
        own = _pooled(experiment, places, table, name)
        row = {
            "name": name,
            "macs": _cost(experiment, places, name)["multiply_adds"],
            "teacher": teacher,
            "teacher_macs": _cost(experiment, places, teacher)["multiply_adds"],
            "bytes": _cost(experiment, places, name)["bytes"],
            "auc": _over_runs(experiment, places, table, experiment.model(trained), name),
            "teacher_auc": _over_runs(experiment, places, table, experiment.model(teacher))["mean"],
            "pooled": _pooled_figures(table, own),
            "against_teacher": figures.delong(own, theirs, table.truth),
        }
        if parent:
            row["parent"] = parent
            row["against_parent"] = figures.delong(own, _pooled(experiment, places, table, parent), table.truth)
        rows.append(row)
    return rows


def _front(experiment: Experiment, places: Places, table: Table) -> list[dict]:
    """Cost and worth of every rung of the general member."""
    return [
        {
            "name": name,
            **_cost(experiment, places, name),
            "pooled": _pooled_figures(table, _pooled(experiment, places, table, name)),
        }
        for name, _, _ in _rungs(experiment)
    ]


def _rungs(experiment: Experiment) -> Iterable[tuple[str, str, str | None]]:
    """Name, trained model and parent of teacher, students and integers."""
    for model in experiment.models:
        if model.tier in ("teacher", "student"):
            yield model.name, model.name, None
    for integer in experiment.integers:
        yield integer.name, integer.parent, integer.parent


def _pooled(experiment: Experiment, places: Places, table: Table, name: str) -> np.ndarray:
    return table.column(name, run.pooled(experiment, places, name))


def _pooled_figures(table: Table, logits: np.ndarray) -> dict:
    judged = figures.judged(figures.chance(logits), table.truth)
    return {key: judged[key] for key in ("auc", "auc_interval")}


def _over_runs(experiment: Experiment, places: Places, table: Table, model: Model, name: str | None = None) -> dict:
    """Mean and deviation of the AUC over all runs of a model, each judged on what it held out."""
    truth = {sample.stem: int(sample.defective) for sample in table.samples}
    found = []
    for one in run.all_of(experiment, model):
        scores = run.read_scores(Run(name or one.model, one.fold, one.seed).folder(places))
        found.append(roc_auc_score([truth[stem] for stem in scores], list(scores.values())))
    return {"runs": len(found), **figures.mean_sd(found)}


def _cost(experiment: Experiment, places: Places, name: str) -> dict:
    cost = export.cost(Run(name, split.TEST, experiment.seed).folder(places) / FILE)
    return {key: cost[key] for key in ("multiply_adds", "bytes")}
