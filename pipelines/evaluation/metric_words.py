"""What each metric and segment is called before people, and what it says, in one sentence."""

WORDS_OF_METRICS = {
    "ndcg": ("NDCG@{k}", "how high in the list of {k} stands what the user chose; 1: right at its head"),
    "recall": ("recall@{k}", "part of what the user chose that is in the list"),
    "precision": ("precision@{k}", "part of the {k} places that hold something chosen"),
    "hit_rate": ("hit rate@{k}", "lists that hold anything that was chosen"),
    "mrr": ("MRR@{k}", "1 / the place of the first item that was chosen"),
    "map": ("MAP@{k}", "precision at the place of each chosen item, on average"),
    "next_ndcg": ("next NDCG@{k}", "the same as NDCG, of the very next choice alone"),
    "next_hit_rate": ("next hit rate@{k}", "lists that hold the very next choice"),
    "log_loss": ("log-loss", "surprise at the next choice, in nats; less is better"),
    "calibration_error": ("calibration error", "how far probabilities are from what happened; less is better"),
    "coverage": ("coverage", "part of the catalogue that is in any list"),
    "novelty": ("novelty", "how rarely others touch the items shown, in bits"),
    "category_diversity": ("diversity of categories", "pairs in a list whose categories differ"),
    "brand_diversity": ("diversity of brands", "pairs in a list whose brands differ"),
    "miscalibration": (
        "miscalibration",
        "how far the list's mix of categories is from the user's own; 0: the same mix",
    ),
}
_SEGMENTS = {
    "all": ("everybody", "all choices"),
    "new_users": ("new users", "few interactions before the choice"),
    "casual_users": ("casual users", "some interactions before the choice"),
    "heavy_users": ("heavy users", "many interactions before the choice"),
    "new_items": ("new items", "the shop has had the chosen item for days only"),
    "not_met_before": ("discoveries", "the user had not met the chosen item before"),
}


def words_of_segment(name: str) -> tuple[str, str]:
    """Its title, and who is in it."""
    kind, _, value = name.partition(":")
    known = {
        "device": (f"on {value}", "the device of the choice"),
        "reason": (f"places by {value}", "why they are there"),
    }
    return _SEGMENTS.get(name) or known.get(kind) or (name, "")
