"""The service of a configuration, put together: what a worker runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI
from redis import Redis

from pipelines.http.keys import Keys
from pipelines.list_sections import CatalogueConfig, ListsConfig, ServingConfig
from pipelines.monitoring.services import Services
from pipelines.monitoring.state_page import StatePage
from pipelines.serving.app import ListService
from pipelines.serving.asking import Asking, Due
from pipelines.serving.background import repeating
from pipelines.serving.contact import AwayError, Contact
from pipelines.serving.fallbacks import ALL, TRENDING, Fallbacks
from pipelines.serving.following import Copy, Following
from pipelines.serving.gate import Gate
from pipelines.serving.impressions import Impressions, Producer
from pipelines.serving.lists import ListMaker, Parts
from pipelines.serving.metrics import Metrics
from pipelines.serving.reading import Reader
from pipelines.serving.similar import SimilarItems
from pipelines.serving.static_file import StaticFile
from pipelines.stores.keys import CATALOGUE_VERSION

_AGAIN_SECONDS = 0.1
_START_SECONDS = 60.0  # a large catalogue may take so long at the start
_LOOK_SECONDS = 1.0  # how often lists are asked for, and the catalogue is looked at while nobody reads
_MOST_SEGMENTS = 300  # in the file: it is written between requests


@dataclass(frozen=True)
class World:
    """What the service meets outside of itself."""

    contact: Callable[[Metrics], Contact]
    copy: Copy
    due: Due
    similar: SimilarItems | None = None
    producer: Producer | None = None  # None: impressions are not logged
    state: Redis | None = None  # what the page of the state is read from; None: there is none
    services: Services | None = None  # whom that page asks whether they answer
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


def make_app(
    serving: ServingConfig, lists: ListsConfig, catalogue: CatalogueConfig, keys: Keys, world: World
) -> FastAPI:
    """Return the ASGI application. It closes `world.producer` when it ends."""
    metrics = Metrics()
    contact = world.contact(metrics)
    following = Following(world.copy)
    parts = Parts(
        contact,
        following,
        Reader(contact, following, serving.remembered_lists, metrics),
        Fallbacks(contact, serving.fallback_seconds, metrics),
        StaticFile(serving.static_file),
        world.similar,
        Asking(world.due, metrics),
        metrics,
    )
    impressions = (
        Impressions(world.producer, serving.max_pending_impressions, metrics) if world.producer is not None else None
    )
    state_page = StatePage(world.state, world.services, metrics.lists_by_source) if world.state is not None else None
    maker = ListMaker(serving, lists, catalogue, parts, world.now_ms)
    running = partial(_running, serving, parts)
    return ListService(serving, Gate(serving, keys), maker, parts, impressions, state_page, running).app


@asynccontextmanager
async def _running(serving: ServingConfig, parts: Parts) -> AsyncIterator[None]:
    parts.static_file.read()
    await _reach_catalogue(parts)
    looking = (
        (_LOOK_SECONDS, parts.asking.hand_over),
        (_LOOK_SECONDS, parts.reader.refresh),
        (serving.static_seconds, partial(write_static_file, parts)),
    )
    async with repeating(*looking):
        yield
    await parts.asking.hand_over()
    await parts.contact.close()


async def _reach_catalogue(parts: Parts) -> None:
    """Know what may be shown before the first answer, unless Redis is away or takes very long."""
    deadline_s = time.monotonic() + _START_SECONDS
    while not parts.contact.is_away and (left_s := deadline_s - time.monotonic()) > 0:
        with suppress(AwayError):  # one read may fail, as of a connection that takes long to make
            (version,) = await parts.contact.read([CATALOGUE_VERSION])
            if await parts.following.reach(version, left_s):
                return
        await asyncio.sleep(_AGAIN_SECONDS)


async def write_static_file(parts: Parts) -> None:
    """Write what stands in for everybody now, but for items that may not be shown. Nothing while Redis is away."""
    fallbacks, static_file, catalogue = parts.fallbacks, parts.static_file, parts.following.copy
    needed = [segment for segment in fallbacks.segments if segment not in (ALL, TRENDING)]
    segments = [ALL, *needed[-_MOST_SEGMENTS:]]  # those that somebody needed last
    keys = fallbacks.keys(segments)
    if parts.contact.is_away:
        static_file.read()
        return
    fallbacks.learn(dict(zip(keys, await parts.contact.read(keys), strict=True)) if keys else {})
    await fallbacks.read_trending()
    found = {segment: fallback for segment in segments for fallback in fallbacks.of([segment])}
    if ALL not in found:
        found.update((ALL, fallback) for fallback in fallbacks.of([TRENDING]))
    lists = {
        segment: [item for item in fallback.items if not catalogue.is_unavailable(item)]
        for segment, fallback in found.items()
    }
    as_of_ms = max((fallback.as_of_ms or 0 for fallback in found.values()), default=0)
    static_file.write(lists, as_of_ms or None)
