"""Figures that models are judged by: of one set of scores, and of two on the same parts.

Scores are chances of a defect, 0..1; a part is rejected from `THRESHOLD` on, as in the daemon.
"""

import numpy as np
from scipy.stats import norm, rankdata
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

THRESHOLD = 0.5
FALSE_REJECT_RATE = 0.05
BINS = 10
RESAMPLES = 2000


def chance(logits: np.ndarray) -> np.ndarray:
    """Probability of the second label for logit differences, any shape."""
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


def measure(scores: np.ndarray, truth: np.ndarray) -> dict[str, float | int]:
    """Accuracy and balanced accuracy at the threshold, AUC, and escapes at a fixed false-reject rate.

    `escapes` is the share of defective parts that pass at the least threshold that rejects at most
    `FALSE_REJECT_RATE` of the good ones. Scores [n]; truth [n], 1 is defective.
    """
    answer = scores >= THRESHOLD
    return {
        "n": len(truth),
        "defective": int(truth.sum()),
        "accuracy": round(float((answer == truth).mean()), 4),
        "balanced_accuracy": round(float(balanced_accuracy_score(truth, answer)), 4),
        "auc": round(float(roc_auc_score(truth, scores)), 4),
        "escapes": round(escapes(scores, truth), 4),
    }


def judged(scores: np.ndarray, truth: np.ndarray) -> dict:
    """All of `measure`, and the 95 % interval of the AUC."""
    return {**measure(scores, truth), "auc_interval": auc_interval(scores, truth)}


def escapes(scores: np.ndarray, truth: np.ndarray) -> float:
    """Share of defective parts at or below the threshold that rejects at most FALSE_REJECT_RATE of the good."""
    good = np.sort(scores[truth == 0])
    allowed = int(np.floor(FALSE_REJECT_RATE * len(good)))
    return float((scores[truth == 1] <= good[len(good) - 1 - allowed]).mean())


def auc_interval(scores: np.ndarray, truth: np.ndarray, seed: int = 1) -> list[float]:
    """95 % interval of the AUC by stratified bootstrap (Efron and Tibshirani 1993), percentile method."""
    generator = np.random.default_rng(seed)
    good, bad = np.flatnonzero(truth == 0), np.flatnonzero(truth == 1)
    found = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([generator.choice(good, len(good)), generator.choice(bad, len(bad))])
        found.append(_auc(scores[chosen], len(good)))
    return [round(float(value), 4) for value in np.percentile(found, (2.5, 97.5))]


def delong(one: np.ndarray, two: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Difference in AUC of two sets of scores of the same parts, with interval and p (DeLong et al. 1988).

    By mid-ranks (Sun and Xu 2014). `one` less `two`; scores [n], truth [n].
    """
    bad, good = truth == 1, truth == 0
    structure_bad, structure_good, areas = [], [], []
    for scores in (one, two):
        ranks = rankdata(scores)
        over_good = (ranks[bad] - rankdata(scores[bad])) / good.sum()
        under_bad = 1 - (ranks[good] - rankdata(scores[good])) / bad.sum()
        structure_bad.append(over_good)
        structure_good.append(under_bad)
        areas.append(over_good.mean())
    covariance = np.cov(structure_bad) / bad.sum() + np.cov(structure_good) / good.sum()
    difference = areas[0] - areas[1]
    error = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    p = float(2 * norm.sf(abs(difference) / error)) if error > 0 else float(difference == 0)
    reach = float(norm.ppf(0.975)) * error
    return {
        "difference": round(float(difference), 4),
        "low": round(float(difference - reach), 4),
        "high": round(float(difference + reach), 4),
        "p": float(f"{p:.2g}"),
    }


def mean_sd(values: list[float]) -> dict[str, float | None]:
    """Mean and standard deviation (of a sample) of one figure over folds or seeds; none of a single value."""
    spread = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
    return {"mean": round(float(np.mean(values)), 4), "sd": spread}


def curves(scores: np.ndarray, truth: np.ndarray) -> dict:
    """What the plots of a card draw: ROC, reliability in ten bins, confusion at the threshold."""
    false_rejects, rejects, _ = roc_curve(truth, scores)
    kept = np.unique(np.linspace(0, len(rejects) - 1, min(len(rejects), 100)).astype(int))
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    answer = scores >= THRESHOLD
    return {
        "roc": [[round(float(x), 4), round(float(y), 4)] for x, y in zip(false_rejects[kept], rejects[kept])],
        "reliability": [
            {
                "score": round(float(scores[bins == b].mean()), 4),
                "defective": round(float(truth[bins == b].mean()), 4),
                "n": int((bins == b).sum()),
            }
            for b in range(BINS)
            if (bins == b).any()
        ],
        "confusion": {
            "true_passes": int((~answer & (truth == 0)).sum()),
            "false_rejects": int((answer & (truth == 0)).sum()),
            "escapes": int((~answer & (truth == 1)).sum()),
            "true_rejects": int((answer & (truth == 1)).sum()),
        },
    }


def _auc(scores: np.ndarray, good: int) -> float:
    """AUC of scores of which the first `good` are of good parts (Mann and Whitney 1947)."""
    ranks = rankdata(scores)
    bad = len(scores) - good
    return (ranks[good:].sum() - bad * (bad + 1) / 2) / (good * bad)
