"""Lists, and the model that makes them."""

from dashboards.panel import Board, Panel
from dashboards.shared import LISTS_SERVED, NOT_PERSONAL, RELEVANCE, quantile, rate

BOARD = Board(
    "liveshelf-lists",
    "lists and relevance",
    {
        "Lists": [
            Panel(
                "Lists made",
                "by what asked for them",
                {"{{trigger}}": rate("liveshelf_lists_made_total", "trigger")},
                "ops",
            ),
            Panel(
                "Waiting to be made",
                "users whose list is due by time, or to be renewed at leisure",
                {"{{queue}}": "liveshelf_lists_waiting"},
            ),
            Panel(
                "Waiting for Delta", "published lists that are not filed yet", {"unfiled": "liveshelf_lists_unfiled"}
            ),
            LISTS_SERVED,
            NOT_PERSONAL,
            Panel(
                "How old served lists are",
                "share of the personal ones, up to each age in seconds",
                {
                    "{{le}}": f"{rate('liveshelf_serving_list_age_seconds_bucket', 'le')} / ignoring (le) group_left "
                    f"{rate('liveshelf_serving_list_age_seconds_count')}"
                },
                "percentunit",
            ),
            Panel(
                "Age of served lists",
                "half of the personal ones, and all but one in a hundred",
                {
                    "p50": quantile(0.5, "liveshelf_serving_list_age_seconds"),
                    "p99": quantile(0.99, "liveshelf_serving_list_age_seconds"),
                },
                "s",
            ),
            Panel(
                "Left out when read",
                "items of a list that may not be shown any more, by reason",
                {"{{why}}": rate("liveshelf_serving_filtered_items_total", "why")},
                "ops",
            ),
        ],
        "The model": [
            RELEVANCE,
            Panel(
                "Log-loss before learning",
                "nats, smoothed, beside popularity: the model lies below it",
                {"{{of}}": "liveshelf_progressive_loss"},
                "none",
            ),
            Panel(
                "Learning",
                "choices a second that it learns from, and that it is judged by",
                {
                    "learned": rate("liveshelf_learner_examples_total"),
                    "judged": rate("liveshelf_learner_evaluated_total"),
                },
                "ops",
            ),
            Panel(
                "Patches",
                "of the model that were published; `whole` is all of it anew",
                {"{{kind}}": rate("liveshelf_model_updates_total", "kind")},
                "ops",
            ),
            Panel("Items", "in the model", {"items": "liveshelf_model_items"}),
            Panel(
                "Version", "of the registry that it goes on from", {"{{version}}": "liveshelf_model_version"}, "none"
            ),
            Panel(
                "Registered",
                "versions made of what was learned, and those that could not be, in an hour",
                {
                    "made": "increase(liveshelf_model_versions_total[1h])",
                    "failed": "increase(liveshelf_model_version_failures_total[1h])",
                },
            ),
        ],
        "Judged by later choices": [
            Panel(
                "NDCG",
                "of champion and challenger, beside popularity, at the last evaluate_model; the limit is where it has fallen",
                {"{{of}}": "liveshelf_evaluation_ndcg", "{{of}}, limit": "liveshelf_evaluation_ndcg_limit"},
                "none",
            ),
            Panel(
                "Clicked",
                "share of the places seen, by source of the list",
                {
                    "{{of}}": "liveshelf_evaluation_click_through_ratio",
                    "{{of}}, limit": "liveshelf_evaluation_click_through_limit_ratio",
                },
                "percentunit",
            ),
            Panel(
                "Coverage",
                "share of the catalogue that is in somebody's list",
                {"{{of}}": "liveshelf_evaluation_coverage_ratio"},
                "percentunit",
            ),
            Panel("Trained", "NDCG at the last train_model", {"{{of}}": "liveshelf_training_ndcg"}, "none"),
        ],
    },
)
