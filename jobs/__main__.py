"""The `liveshelf` command: every job and tool under one name. A job's module is imported only when it is asked for."""

import importlib

import click

from pipelines import __version__

# name → (module of the job, what it does). A test holds the second equal to the first line of the module's docstring.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("jobs.demo", "Show the whole suite at work on this machine: clicks in, personal lists out."),
    "up": ("jobs.up", "Start the embedded Kafka and Valkey, and keep them until Ctrl-C."),
    "simulate": ("jobs.simulate", "Send the events of a simulated shop to Kafka, or write them to a file."),
    "replay": ("jobs.replay", "Send a real log to Kafka, keyed by user, at any speed."),
    "send": ("jobs.send", "Send one event, to see that it arrives: through the collector, or straight to Kafka."),
    "collect_events": (
        "jobs.collect_events",
        "Take events by HTTP to Kafka: from browsers, apps and webhooks, answered when Kafka has them.",
    ),
    "bridge_rabbitmq": (
        "jobs.bridge_rabbitmq",
        "Take events from a RabbitMQ queue to Kafka, each acknowledged when Kafka has it.",
    ),
    "validate_events": (
        "jobs.validate_events",
        "File the clickstream in Delta: valid events, and the broken ones with the rules they break.",
    ),
    "build_features": (
        "jobs.build_features",
        "Make the features from the events: tables of current values in Delta, ranks and fallback lists in Redis.",
    ),
    "load_catalogue": (
        "jobs.load_catalogue",
        "Load the shop's items, from a file or a Kafka topic, into Delta and Redis: hidden and sold-out ones leave every list.",
    ),
    "personalize": ("jobs.personalize", "Keep every active user's profile and list fresh: the hot path."),
    "train_model": (
        "jobs.train_model",
        "Train the ranker from what is filed in Delta, judge it by later events, and register it in MLflow.",
    ),
    "evaluate_model": (
        "jobs.evaluate_model",
        "Judge the champion and its challenger by later choices, and what was served by what came of it; promote by a gate.",
    ),
    "rebuild_profiles": (
        "jobs.rebuild_profiles",
        "Make every profile in Redis anew from what is filed in Delta, while all goes on.",
    ),
    "reconcile_events": (
        "jobs.reconcile_events",
        "Prove that every record of the topic is valid, quarantined or a duplicate: nothing lost.",
    ),
    "audit_events": (
        "jobs.audit_events",
        "Judge the tables again by Great Expectations itself: verdicts, volume, shares, freshness.",
    ),
    "detect_drift": (
        "jobs.detect_drift",
        "Compare the newest events, lists and features with those before, and tell what changed more than it usually does.",
    ),
    "check_consistency": (
        "jobs.check_consistency",
        "Compare profiles in Redis with what is filed in Delta, user by user, as of each profile's own mark.",
    ),
    "check_freshness": (
        "jobs.check_freshness",
        "Look how old everything is: alert when it is too old, and take personal lists away until data flows again.",
    ),
    "maintain_tables": (
        "jobs.maintain_tables",
        "Look after the tables in Delta while streams write them: delete old days, compact, remove files nobody needs.",
    ),
    "serve_lists": (
        "jobs.serve_lists",
        "Answer with lists by HTTP: personal ones with their age, and what stands in where there is none.",
    ),
    "export_metrics": (
        "jobs.export_metrics",
        "Give Prometheus the figures of all streams, as they tell them in Redis.",
    ),
    "status": (
        "jobs.status",
        "Show how everything is, at one look: streams, lists, records, the model, and what is wrong.",
    ),
    "monitor": (
        "jobs.monitor",
        "Watch the suite on this machine: Prometheus with the alert rules, Alertmanager and Grafana, until Ctrl-C.",
    ),
    "serving": ("jobs.serving", "Whether personal lists are served at all: look, and switch for everybody, at once."),
    "show": ("jobs.show", "Show what is stored of a list, a profile, an item or an event, and how old it is."),
    "catalogue": (
        "jobs.catalogue",
        "Hide an item by hand, from every list and at once, whatever the shop's records say; and take that back.",
    ),
    "explain": (
        "jobs.explain",
        "Explain a user's list: from what was done to features, scores, filters and the list, item by item.",
    ),
    "quarantine": (
        "jobs.quarantine",
        "Work through the quarantine: look at broken records, and send again what a corrected rule or a fix accepts.",
    ),
    "features": (
        "jobs.features",
        "The features of users, items, categories and segments: list them, explain one with its formula.",
    ),
    "models": (
        "jobs.models",
        "The versions of the model: list them, look at one, make one champion, go back, compare two.",
    ),
    "rules": ("jobs.rules", "The rules that judge every event: list them, explain one, try them on a log."),
    "config": ("jobs.config", "Explain every key of the configuration, with its default and its value here."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  the signature is click's
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        cmd_name = cmd_name.replace("-", "_")
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).main
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="liveshelf")
def main() -> None:
    """Real-time personalization for online shops: clicks in, fresh lists out.

    Try it all with `make demo`. `liveshelf COMMAND --help` explains one command.
    """


if __name__ == "__main__":
    main()
