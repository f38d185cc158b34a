"""Small models and where they come from."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from socket import create_server

from pipelines.model_sections import ModelConfig
from pipelines.tracking.versions import Origin
from tests.models.builders import NOW_S, a_batch, a_config, learned

VIEWS = [
    (user, 600 - 60 * place, "product_view", item) for user in range(3) for place, item in enumerate((1, 2, 3 + user))
]


@dataclass(frozen=True)
class Facts:
    """A model that learned from `views`, and its origin."""

    kind: str = "online"
    parent: int | None = None
    batch_id: int | None = 7
    features_version: int = 3
    views: tuple = tuple(VIEWS)
    offsets: tuple = (("0", 120), ("1", 90))
    ranker: str = "factorization"

    @cached_property
    def config(self) -> ModelConfig:
        return a_config(self.ranker)

    @cached_property
    def model(self):
        return learned(*[a_batch(*self.views)] * 3, config=self.config)

    @property
    def data(self) -> bytes:
        return self.model.to_bytes()

    @property
    def origin(self) -> Origin:
        return Origin(
            self.kind, self.features_version, self.model.n_items, NOW_S, self.parent, self.batch_id, dict(self.offsets)
        )


@contextmanager
def deaf_server():
    """The address of a server that takes connections and never answers; `accepted` is set with the first."""
    accepted, is_over = threading.Event(), threading.Event()
    taken = []
    with create_server(("127.0.0.1", 0)) as server:

        def accept():
            while not is_over.is_set():
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return
                accepted.set()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", accepted
        is_over.set()
        server.close()
        for each in taken:
            each.close()
