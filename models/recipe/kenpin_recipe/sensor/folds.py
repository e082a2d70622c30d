"""Out-of-fold scores of the members that read simulated sensor text."""

from .. import run, split
from ..data import Sample
from ..experiment import Experiment
from ..places import Places
from ..run import Run
from .members import MEMBERS, scores


def out_of_fold(experiment: Experiment, places: Places, samples: list[Sample]) -> dict[str, dict[str, float]]:
    """By member, the logit difference of each sample by stem; folds that are done are not done again."""
    found: dict[str, dict[str, float]] = {member.name: {} for member in MEMBERS}
    for fold in split.folds(experiment):
        runs = [Run(name, fold, experiment.seed) for name in found]
        if not all(each.is_done(places) for each in runs):
            fit, held_out = split.parts(experiment, places, samples, fold)
            told = scores(fit, held_out, experiment.seed)
            for each in runs:
                each.folder(places).mkdir(parents=True, exist_ok=True)
                run.write_scores(each.folder(places), held_out, told[each.model])
        for each in runs:
            found[each.model] |= run.read_scores(each.folder(places))
    return found
