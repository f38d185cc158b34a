"""When a user's list is made again."""

from pipelines.features.profile import Flags, Ints


def is_due(n_before: Ints, n_after: Ints, every: int) -> Flags:
    """(U,) whether the count of interactions passed a multiple of `every`.

    Counting from the user's first interaction, not from the last list, makes it the same however the stream was cut into
    micro-batches, and nothing has to be remembered of it.
    """
    return n_after // every > n_before // every
