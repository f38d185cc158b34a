"""Visits: what people do one after the other. Everything is drawn for many sessions at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.local.shop.catalogue import Catalogue, Floats, Ints
from pipelines.local.shop.config import ShopConfig
from pipelines.local.shop.people import N_STAPLES, People
from pipelines.schemas import EVENT_TYPES

SESSIONS_AT_ONCE = 2_000
MEAN_STEPS = 5.0
SECONDS_BETWEEN_EVENTS = 10.0
SESSIONS_IN_A_RUN = 20  # a short run has short pauses, so that people get to the end of their session

TYPE_CODES = {name: code for code, name in enumerate(EVENT_TYPES)}
# A step of a visit and how often it is taken. "view" is product_view, and so on down the funnel.
STEPS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.10, ("page_view",)),
    (0.06, ("search", "click", "product_view")),
    (0.12, ("impression", "impression", "impression", "click", "product_view")),
    (0.52, ("product_view",)),
    (0.09, ("product_view", "add_to_cart")),
    (0.03, ("product_view", "add_to_cart", "remove_from_cart")),
    (0.05, ("product_view", "add_to_cart", "purchase")),
    (0.03, ("add_to_cart", "purchase")),  # a staple, bought again
)
STAPLE_STEP = len(STEPS) - 1
IDENTIFY_SHARE = 0.1  # of the sessions of known users begin with a login
_STEP_BOUNDS = np.cumsum([share for share, _ in STEPS])
_STEP_LENGTHS = np.array([len(types) for _, types in STEPS])
_STEP_TYPES = np.array([[TYPE_CODES[t] for t in types] + [-1] * (5 - len(types)) for _, types in STEPS])
MEAN_EVENTS = float(MEAN_STEPS * sum(share * len(types) for share, types in STEPS))


@dataclass(frozen=True)
class EventColumns:
    """Events of many sessions, one position an event; `at_seconds` counts from the start of the shop."""

    at_seconds: Floats
    session: Ints
    person: Ints
    event_type: Ints  # index in EVENT_TYPES
    item: Ints
    position: Ints  # of the event in its step: the rank in the list for impressions

    def take(self, which: Ints) -> "EventColumns":
        return EventColumns(self.at_seconds[which], *(column[which] for column in self._ints()))

    def joined(self, other: "EventColumns") -> "EventColumns":
        ints = (np.concatenate(pair) for pair in zip(self._ints(), other._ints(), strict=True))
        return EventColumns(np.concatenate([self.at_seconds, other.at_seconds]), *ints)

    def __len__(self) -> int:
        return len(self.at_seconds)

    def _ints(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        return self.session, self.person, self.event_type, self.item, self.position


def event_blocks(
    config: ShopConfig, catalogue: Catalogue, people: People, rng: np.random.Generator
) -> Iterator[EventColumns]:
    """Draw blocks of events in order of time, without end; kept in memory are the sessions that are still going on."""
    pause = min(SECONDS_BETWEEN_EVENTS, config.duration_seconds / (SESSIONS_IN_A_RUN * MEAN_EVENTS))
    between_sessions = MEAN_EVENTS / config.events_per_second
    n_sessions, begins = 0, 0.0
    open_events: EventColumns | None = None
    while True:
        starts = begins + np.cumsum(rng.exponential(between_sessions, SESSIONS_AT_ONCE))
        begins = float(starts[-1])
        sessions = n_sessions + np.arange(SESSIONS_AT_ONCE)
        n_sessions += SESSIONS_AT_ONCE
        events = _sessions(sessions, starts, pause, catalogue=catalogue, people=people, rng=rng)
        events = events if open_events is None else open_events.joined(events)
        order = np.argsort(events.at_seconds, kind="stable")
        n_done = int(np.searchsorted(events.at_seconds[order], begins))
        yield events.take(order[:n_done])
        open_events = events.take(order[n_done:])


def _sessions(
    sessions: Ints, starts: Floats, pause: float, *, catalogue: Catalogue, people: People, rng: np.random.Generator
) -> EventColumns:
    """All events of `sessions`, session by session."""
    visitors = people.draw(len(sessions), rng)
    n_steps = rng.geometric(1 / MEAN_STEPS, len(sessions))
    of_step = np.repeat(np.arange(len(sessions)), n_steps)  # the session of each step
    person = visitors[of_step]
    step = np.minimum(np.searchsorted(_STEP_BOUNDS, rng.random(len(person))), STAPLE_STEP)
    categories = people.draw_categories(person, catalogue.n_categories, rng)

    of_event = np.repeat(np.arange(len(step)), _STEP_LENGTHS[step])  # the step of each event
    position = _place_in_run(of_event)
    session = of_step[of_event]
    event_type = _STEP_TYPES[step[of_event], position]
    pauses = rng.exponential(pause, len(session))
    at_seconds = starts[session] + _running_sum_in_run(pauses, session)
    item = catalogue.draw(categories, starts[of_step], rng)[of_event]
    item = _with_other_impressions(item, event_type, categories[of_event], at_seconds, catalogue=catalogue, rng=rng)
    staples = people.staples[person, rng.integers(0, N_STAPLES, len(person))]
    item = np.where(step[of_event] == STAPLE_STEP, staples[of_event], item)
    event_type = _with_logins(event_type, session, visitors, people.n_known, rng)
    return EventColumns(at_seconds, sessions[session], visitors[session], event_type, item, position)


def _with_other_impressions(
    item: Ints,
    event_type: Ints,
    categories: Ints,
    at_seconds: Floats,
    *,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> Ints:
    """Show more than what is clicked: the first two of the three items of a list are others."""
    shown = np.flatnonzero(event_type == TYPE_CODES["impression"])
    others = shown[np.arange(len(shown)) % 3 != 2]
    item = item.copy()
    item[others] = catalogue.draw(categories[others], at_seconds[others], rng)
    return item


def _with_logins(event_type: Ints, session: Ints, visitors: Ints, n_known: int, rng: np.random.Generator) -> Ints:
    """Let some sessions of known users begin with `identify` where a page view was."""
    first = np.flatnonzero(np.diff(session, prepend=-1))
    is_page = np.isin(event_type[first], [TYPE_CODES["page_view"], TYPE_CODES["product_view"]])
    logs_in = first[(visitors < n_known) & is_page & (rng.random(len(first)) < IDENTIFY_SHARE)]
    event_type = event_type.copy()
    event_type[logs_in] = TYPE_CODES["identify"]
    return event_type


def _place_in_run(values: Ints) -> Ints:
    """0, 1, 2, … within each run of equal values."""
    begins = np.flatnonzero(np.diff(values, prepend=-1))
    lengths = np.diff(np.append(begins, len(values)))
    place: Ints = np.arange(len(values)) - np.repeat(begins, lengths)
    return place


def _running_sum_in_run(amounts: Floats, runs: Ints) -> Floats:
    """Sum of `amounts` up to and with each position, begun anew in each run of equal `runs`."""
    total = np.cumsum(amounts)
    begins = np.flatnonzero(np.diff(runs, prepend=-1))
    lengths = np.diff(np.append(begins, len(runs)))
    sums: Floats = total - np.repeat(total[begins] - amounts[begins], lengths)
    return sums
