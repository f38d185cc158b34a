"""Finds the lists that are not what they would be now: made by another model than the champion, or with an item that is gone."""

import numpy as np

from pipelines.features.profile_bytes import decode
from pipelines.hot_path.sweep import registered_version
from pipelines.hot_path.worker import Worker
from pipelines.lists.document import PublishedList

READ_USERS = 1_000  # in one round trip


def seek_renewals(worker: Worker, since_s: int) -> dict[str, object]:
    """Queue every user with such a list who was active since `since_s` (epoch seconds), the most recent first.

    Returns RENEWALS_REPORT. Reads every list, on the caller. Safe to replay: a user is in the queue once.
    """
    worker.current_model()
    n_sought = 0
    for users in worker.users.scan_users(READ_USERS):
        lists = worker.users.read_lists(users)
        outdated = [
            user for user, document in zip(users, lists, strict=True) if document and _is_outdated(worker, document)
        ]
        active_s = decode(worker.users.read_profiles(outdated)).as_of_s
        recent = np.flatnonzero(active_s >= since_s).tolist()
        worker.due.renew([outdated[i] for i in recent], [-float(active_s[i]) for i in recent])
        n_sought += len(recent)
    return {"n_sought": n_sought, "model_version": registered_version(worker.model_version)}


def _is_outdated(worker: Worker, document: bytes) -> bool:
    published = PublishedList.from_json(document)
    is_other = registered_version(published.model) != registered_version(worker.model_version)
    return is_other or worker.is_any_gone(published.items)
