"""The versions of the model, as a frame."""

import warnings

import pandas as pd

from pipelines.sections import TrackingConfig


def versions(config: TrackingConfig) -> pd.DataFrame:
    """What MLflow knows, the newest first: aliases, kind, parent, when registered (UTC), by version number.

    Makes nothing: where there is no MLflow yet, there are no rows. Raises ServerError when it does not answer.
    """
    with warnings.catch_warnings():  # importing MLflow in a notebook: tqdm misses a widget that nobody needs
        warnings.filterwarnings("ignore", message="IProgress not found")
        from pipelines.tracking.connection import look
        from pipelines.tracking.registry import Registry

    tracking = look(config)
    rows = [
        (
            each.number,
            ", ".join(each.aliases),
            each.tags.get("kind"),
            each.parent,
            pd.Timestamp(each.created_ms, unit="ms"),
        )
        for each in (Registry(tracking).versions() if tracking else [])
    ]
    columns = ["version", "called", "kind", "goes on from", "registered"]
    return pd.DataFrame(rows, columns=columns).set_index("version")
