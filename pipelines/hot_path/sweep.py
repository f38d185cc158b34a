"""Makes the lists that no interaction makes: of users who did something and then nothing, and those to be renewed at leisure.

A user is claimed by one task at a time (stores/due.py). A list is published only while the profile is the one that it was made
from; else somebody folded more, and the user is due again. Safe to replay: a claim that a crash left open runs out, and the
list is made by the next sweep.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Ints, Profiles
from pipelines.features.profile_bytes import decode
from pipelines.features.shown import decode_shown
from pipelines.hot_path.ranked import event_ids, ranked_lists
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.lists.document import PublishedList
from pipelines.stores.due import Kind
from pipelines.stores.users import UserState

BLOCK_USERS = 500  # claimed, read and published together


@dataclass(frozen=True)
class SweepReport:
    """What became of a shard's users."""

    n_claimed: int = 0
    n_lists: int = 0
    n_refused: int = 0  # somebody wrote their profile meanwhile, or there is no model yet: they are due again

    def __add__(self, other: "SweepReport") -> "SweepReport":
        return SweepReport(
            self.n_claimed + other.n_claimed, self.n_lists + other.n_lists, self.n_refused + other.n_refused
        )


def sweep_shard(settings: StageSettings, worker: Worker, kind: Kind, shard: int, now_ms: int, n: int) -> SweepReport:
    """Make the lists of at most `n` users of the shard that are due at `now_ms`, epoch ms; of `renewal`, of any."""
    report, upto = SweepReport(), float(now_ms) if kind == "due" else float("inf")
    while report.n_claimed < n:
        users = worker.due.claim(kind, shard, upto, now_ms, min(n - report.n_claimed, BLOCK_USERS))
        if not users:
            break
        refused, n_lists = _make_lists(settings, worker, kind, users, now_ms)
        worker.due.done(kind, shard, users)
        worker.due.ask(refused, now_ms + round(settings.lists.sweep_seconds * 1000))
        report += SweepReport(len(users), n_lists, len(refused))
    return report


def _make_lists(
    settings: StageSettings, worker: Worker, kind: Kind, users: list[str], now_ms: int
) -> tuple[list[str], int]:
    """The users who have no new list for now, and how many lists were published."""
    model, old = worker.current_model(), worker.users.read_lists(users)
    stored, shown_values = worker.users.read_with_shown(users, users)
    profiles = decode(stored)
    due = profiles.is_known
    context = np.zeros((len(users), len(settings.model.context_fields)), np.uint64)
    ids = _list_ids(settings, profiles, kind, now_ms)
    shown = decode_shown(shown_values)
    lists = dict(ranked_lists(settings, worker.model_version, model, profiles, due, context, ids, worker.shop, shown))
    states = [
        UserState(users[i], stored[i] or b"", document, _cause(worker, kind, old[i])) for i, document in lists.items()
    ]
    refused = worker.users.publish(states)
    listless = [users[i] for i in np.flatnonzero(due) if i not in lists]  # there is no model yet
    return refused + listless, len(states) - len(refused)


def _list_ids(settings: StageSettings, profiles: Profiles, kind: Kind, now_ms: int) -> list[str]:
    """Named after the newest event, as ever, and after the sweep: the event has given a list its name already."""
    everyone: Ints = np.arange(len(profiles.length))
    return [f"{name}-{kind}-{now_ms // 1000}" for name in event_ids(settings, profiles, everyone)]


def _cause(worker: Worker, kind: Kind, document: bytes | None) -> str:
    """Why the list is made: as the table `lists` has it."""
    if document is None:
        return "time"
    published = PublishedList.from_json(document)
    if worker.is_any_gone(published.items):
        return "unavailable"
    is_other = registered_version(published.model) != registered_version(worker.model_version)
    return "champion" if kind == "renewal" and is_other else "time"


def registered_version(model: str) -> str:
    """Of the version that a list names; `new`: of none."""
    return model.split("-", maxsplit=1)[0]
