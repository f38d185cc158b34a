"""What a list is like, besides right: how novel, how varied, how well it mirrors the user's own mix, how honest about itself.

Arrays say with NaN where there is nothing to tell. All take lists (n, k) of columns of the items, padded with NO_ITEM.
"""

import numpy as np

from pipelines.evaluation.metrics import NO_ITEM, Flags, Floats, Ints
from pipelines.features.profile import Words

SMOOTHING = 0.01  # of the list's mix: Steck's α, so that a category that is not in the list costs much, not everything
N_BINS = 10


def self_information(n_events: Ints, n_of_all: int, n_items: int) -> Floats:
    """(I,) bits that each item's name holds: −log₂ of its share of the `n_of_all` events, with one more for each of `n_items`.

    Source: Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010.
    """
    bits: Floats = np.log2(np.float64(n_of_all + max(n_items, 1))) - np.log2(n_events + 1.0)
    return bits


def novelty(lists: Ints, information: Floats) -> Floats:
    """(n,) mean self-information of the items in each list, in bits."""
    return _row_means(information[np.maximum(lists, 0)], lists != NO_ITEM) if len(information) else _nothing(lists)


def diversity(lists: Ints, label: Words) -> Floats:
    """(n,) share of the pairs in each list whose labels (I,) differ; label 0 is none, and its pairs do not count.

    Intra-list diversity: Smyth, McClave, "Similarity vs. Diversity", ICCBR 2001; Ziegler et al., WWW 2005.
    """
    if not len(label) or lists.shape[1] < 2:
        return _nothing(lists)
    told = np.where(lists == NO_ITEM, np.uint64(0), label[np.maximum(lists, 0)])
    first, second = np.triu_indices(lists.shape[1], k=1)
    both = (told[:, first] != 0) & (told[:, second] != 0)
    return _row_means((told[:, first] != told[:, second]).astype(np.float64), both)


def miscalibration(lists: Ints, label: Words, row: Ints, liked: Words, weight: Floats) -> Floats:
    """(n,) how far each list's mix of labels is from that of the user's history: KL(p ‖ q̃) in nats, 0 where it is the same.

    label: (I,); history, flat: entry e is of list `row[e]`, has the label `liked[e]` and counts `weight[e]`; label 0 and weights
    up to 0 do not count. p(g) is the history's share of g, q(g) the list's, q̃ = (1 − α) q + α p.
    Source: Steck, "Calibrated Recommendations", RecSys 2018, equations 2 to 4.
    """
    out = _nothing(lists)
    counts = (liked != 0) & (weight > 0)
    if not counts.any() or not len(label):
        return out
    names, code = np.unique(liked[counts], return_inverse=True)
    pair, place = np.unique(row[counts] * len(names) + code, return_inverse=True)
    of_row, of_label = np.divmod(pair, len(names))
    total = np.bincount(place, weight[counts])
    p = total / np.bincount(of_row, total, len(lists))[of_row]
    told = np.where(lists == NO_ITEM, np.uint64(0), label[np.maximum(lists, 0)])
    n_told = (told != 0).sum(axis=1)
    in_list = (told[of_row] == names[of_label][:, None]).sum(axis=1)
    q = np.divide(in_list, n_told[of_row], out=np.zeros(len(pair)), where=n_told[of_row] > 0)
    divergence = np.bincount(of_row, p * np.log(p / ((1.0 - SMOOTHING) * q + SMOOTHING * p)), len(lists))
    judged = np.unique(of_row)
    out[judged] = np.maximum(divergence[judged], 0.0)  # rounding
    return out


def calibration_error(probability: Floats, happened: Floats, n_bins: int = N_BINS) -> float:
    """Mean distance between what was foretold and what happened, over bins of equally many predictions; NaN of none.

    Both (N,): probabilities, and 1 where it happened, else 0.

    Expected calibration error: Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
    AAAI 2015; bins of equal number as in Nguyen, O'Connor, EMNLP 2015.
    """
    if not len(probability):
        return float("nan")
    bins = np.array_split(np.argsort(probability, kind="stable"), n_bins)
    apart = [len(rows) * abs(probability[rows].mean() - happened[rows].mean()) for rows in bins if len(rows)]
    return float(sum(apart) / len(probability))


def _row_means(values: Floats, counts: Flags) -> Floats:
    n = counts.sum(axis=1)
    means: Floats = np.divide((values * counts).sum(axis=1), n, out=np.full(len(values), np.nan), where=n > 0)
    return means


def _nothing(lists: Ints) -> Floats:
    return np.full(len(lists), np.nan)
