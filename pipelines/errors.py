"""What can go wrong, by name. Every message says where, what was expected, what came and how to mend it."""


class LiveshelfError(Exception):
    """Anything Liveshelf refuses; the command line prints its text without a traceback."""

    exit_code = 1  # what kind of ending it is

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.ends_with = self.exit_code  # the code that the process ends with


class ConfigError(LiveshelfError):
    """The configuration cannot be used as written."""


class RuleError(LiveshelfError):
    """A rule of the expectation suite cannot be used as written."""


class SchemaError(LiveshelfError):
    """A schema of the registry does not fit: its kind, or what it describes."""


class ServerError(LiveshelfError):
    """A server that a job needs (Kafka, Redis) is missing, or did not become ready."""


class InputError(LiveshelfError):
    """A file or argument given by the user cannot be used."""


class ProfileFormatError(LiveshelfError):
    """Bytes under a profile key were not written by a format this version reads."""


class FeaturesVersionError(LiveshelfError):
    """Profiles hold sums of another version of the features than is asked for."""


class ConflictError(LiveshelfError):
    """What was to be written was changed by another writer, again and again."""


class StateError(LiveshelfError):
    """A checkpoint, the tables it fills and the definitions do not belong together."""


class DataLossError(LiveshelfError):
    """A record that was produced is in no table: the promise is broken."""


class ConsistencyError(LiveshelfError):
    """Profiles in Redis do not say what is filed in Delta."""


class AuditError(LiveshelfError):
    """An audit found what must not be: two counts of one rule that differ, a rule it could not run, or an alert."""


class ModelVersionError(LiveshelfError):
    """A version of the model is not what was registered, or not what should be champion."""


class AlertError(LiveshelfError):
    """A job that watches has done its work, and found what somebody should look at."""

    exit_code = 3  # told apart from a job that could not look

    def __init__(self, text: str, *, is_exit_zero: bool = False) -> None:
        super().__init__(text)
        if is_exit_zero:
            self.ends_with = 0
