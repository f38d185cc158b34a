"""All of it at a look."""

from dashboards.panel import Board, Panel
from dashboards.shared import EVENT_TO_LIST, LAG, LISTS_SERVED, QUARANTINED, RELEVANCE, SILENCE, rate

BOARD = Board(
    "liveshelf-overview",
    "overview",
    {
        "Now": [
            Panel("Redis", "1: it answers", {"up": "liveshelf_redis_up"}, "none", is_now=True),
            Panel(
                "Personal lists off",
                "1: everybody gets what stands in",
                {"off": "liveshelf_serving_fallback"},
                "none",
                is_now=True,
            ),
            Panel(
                "Learning stopped",
                "1: it did worse than popularity, or a number was none",
                {"stopped": "liveshelf_learner_frozen"},
                "none",
                is_now=True,
            ),
            Panel(
                "Longest silence",
                "seconds since the last sign of life; a stream gives one every five",
                {"{{stream}}": SILENCE},
                "s",
                is_now=True,
            ),
        ],
        "What flows": [
            Panel(
                "Interactions",
                "of users, by what became of them; all but `folded` should be few",
                {"{{fate}}": rate("liveshelf_interactions_total", "fate")},
                "ops",
            ),
            LAG,
            EVENT_TO_LIST,
            LISTS_SERVED,
            RELEVANCE,
            Panel("Quarantined", "share of the records that broke a rule", {"quarantined": QUARANTINED}, "percentunit"),
        ],
    },
)
