"""Which hyperparameters `train_model` looks for, and how: Optuna's TPE, seeded, the configuration as it is first.

Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011.
"""

from collections.abc import Callable
from dataclasses import dataclass

import optuna

from pipelines.errors import InputError
from pipelines.model_sections import ModelConfig

DAY = 24.0


@dataclass(frozen=True)
class Range:
    """Numbers between two; in search of a rate, a half-life or a size on a logarithmic scale."""

    low: float
    high: float
    is_logarithmic: bool = True

    def suggested(self, trial: optuna.Trial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, log=self.is_logarithmic)

    def has(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few sizes."""

    of: tuple[int, ...]

    def suggested(self, trial: optuna.Trial, name: str) -> int:
        return int(trial.suggest_categorical(name, self.of))

    def has(self, value: float) -> bool:
        return value in self.of


# kind → the section of the configuration whose keys are searched, and within which bounds
SPACES: dict[str, tuple[str, dict[str, Range | Choice]]] = {
    "factorization": (
        "factorization",
        {
            "learning_rate": Range(0.01, 1.0),
            "bias_learning_rate": Range(0.01, 1.0),
            "term_learning_rate": Range(0.01, 1.0),
            "dimensions": Choice((8, 16, 32, 48, 64)),
            "history_half_life_hours": Range(12.0, 180 * DAY),
            "history_dropout": Range(0.0, 0.6, is_logarithmic=False),
            "l2": Range(1e-7, 1e-3),
            "negatives": Choice((64, 128, 256, 512)),
        },
    ),
    "mixture": (
        "mixture",
        {
            "own_history_share": Range(0.05, 0.6, is_logarithmic=False),
            "co_occurrence_share": Range(0.05, 0.4, is_logarithmic=False),
            "history_half_life_hours": Range(1.0, 90 * DAY),
            "co_occurrence_half_life_hours": Range(DAY, 180 * DAY),
            "pair_half_life_hours": Range(0.1, 7 * DAY),
        },
    ),
    "co_occurrence": (
        "mixture",
        {"co_occurrence_half_life_hours": Range(DAY, 180 * DAY), "pair_half_life_hours": Range(0.1, 7 * DAY)},
    ),
    "own_history": ("mixture", {"history_half_life_hours": Range(1.0, 180 * DAY)}),
}


def searched(
    config: ModelConfig, n_trials: int, seed: int, value_of: Callable[[int, ModelConfig], float]
) -> tuple[int, ModelConfig]:
    """Number and configuration of the best of `n_trials`; `value_of` trains a trial and says how good it is, more is better.

    Raises InputError for a kind that has nothing to look for.
    """
    if config.kind not in SPACES:
        raise InputError(
            f"--trials: a model of kind {config.kind} has nothing to search; leave it out, or set model.kind"
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(_as_it_is(config))
    configs = []
    for number in range(n_trials):
        trial = study.ask()
        configs.append(_suggested(trial, config))
        study.tell(trial, value_of(number, configs[-1]))
    return study.best_trial.number, configs[study.best_trial.number]


def _suggested(trial: optuna.Trial, config: ModelConfig) -> ModelConfig:
    name, space = SPACES[config.kind]
    values = {key: bounds.suggested(trial, key) for key, bounds in space.items()}
    return config.model_copy(update={name: getattr(config, name).model_copy(update=values)})


def _as_it_is(config: ModelConfig) -> dict[str, float]:
    """What the configuration says, where it is within the bounds."""
    name, space = SPACES[config.kind]
    values = {key: getattr(getattr(config, name), key) for key in space}
    return {key: value for key, value in values.items() if space[key].has(value)}
