"""Looks at the running suite from outside: heartbeats, checkpoints, the lists of one user."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from pipelines.config import Config
from pipelines.lists.document import PublishedList
from pipelines.local.demo.feed import Feed
from pipelines.sources.checkpoints import committed_offsets
from pipelines.sources.topics import describe_topic
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.keys import list_key, profile_key

JOBS = ("validate_events", "personalize")


@dataclass(frozen=True)
class Observation:
    """How things stand."""

    n_sent: int
    n_users: int
    heartbeats: dict[str, dict[str, Any]]  # by job; empty before its first
    n_committed: dict[str, int]  # records, by job
    featured_user: str
    featured_lists: list[PublishedList] = field(default_factory=list)  # every version seen, oldest first

    def figure(self, job: str, name: str, otherwise: Any = 0) -> Any:
        return self.heartbeats.get(job, {}).get(name, otherwise)


class Watcher:
    """Takes observations; keeps nothing but the versions of the featured user's list."""

    def __init__(self, config: Config, client: Redis, feed: Feed) -> None:
        self._config, self._client, self._feed = config, client, feed
        self._heartbeats = HeartbeatStore(client)
        self._lists: list[PublishedList] = []

    def has_started(self, job: str) -> bool:
        return self._heartbeats.read(job) is not None

    def look(self) -> Observation:
        """Observe now."""
        self._look_at_featured()
        return Observation(
            n_sent=self._feed.n_sent,
            n_users=sum(1 for _ in self._client.scan_iter(profile_key("*"), count=5_000)),
            heartbeats={job: self._heartbeats.read(job) or {} for job in JOBS},
            n_committed={job: sum(self._committed(job).values()) for job in JOBS},
            featured_user=self._feed.featured_user,
            featured_lists=list(self._lists),
        )

    def all_is_committed(self) -> bool:
        """Whether both streams have committed everything that is in the topic."""
        ends = describe_topic(self._config.kafka).end_offsets
        filled = {partition: end for partition, end in ends.items() if end}
        return all({p: o for p, o in self._committed(job).items() if o} == filled for job in JOBS)

    def _committed(self, job: str) -> dict[int, int]:
        return committed_offsets(Path(self._config.checkpoint(job, "v1")), self._config.kafka.topic)

    def _look_at_featured(self) -> None:
        document = self._client.get(list_key(self._feed.featured_user))
        if isinstance(document, bytes):
            published = PublishedList.from_json(document)
            if not self._lists or self._lists[-1].list_id != published.list_id:
                self._lists.append(published)
