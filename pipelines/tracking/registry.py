"""The versions of the model: each with its bytes, what it was made of, and names like `champion`."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from mlflow.entities import RunStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pipelines.errors import InputError, ModelVersionError
from pipelines.model_sections import ModelConfig
from pipelines.sections import TrackingConfig
from pipelines.tracking.connection import Tracking, answered, connect
from pipelines.tracking.pyfunc import CONFIG, DATA, save
from pipelines.tracking.run_values import log_metrics, log_parameters
from pipelines.tracking.versions import CHAMPION, Origin, Version

RANKER = "ranker"  # the folder of the model among the artifacts of its run
EXAMPLE_ITEMS = ("item-00001", "item-00002", "item-00003")


class Registry:
    """Reads and writes the versions of one registered model. Every method raises ServerError when MLflow does not answer."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self._client, self._name = tracking.client, tracking.model_name

    @classmethod
    def open(cls, config: TrackingConfig) -> "Registry":
        """Connect."""
        return cls(connect(config))

    def add(
        self,
        config: ModelConfig,
        data: bytes,
        origin: Origin,
        metrics: Mapping[str, float] | None = None,
        example_items: Sequence[str] = EXAMPLE_ITEMS,
    ) -> Version:
        """Make a version in a run of its own, which has the configuration as parameters, and these metrics."""
        with answered(self.tracking.uri):
            run = self._client.create_run(
                self.tracking.experiment_id, run_name=f"{origin.kind}, batch {origin.batch_id}"
            )
            try:
                log_parameters(self._client, run.info.run_id, config.model_dump())
                log_metrics(self._client, run.info.run_id, metrics or {})
                version = self.add_to_run(run.info.run_id, config, data, origin, example_items)
            except BaseException:
                self._client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FAILED))
                raise
            self._client.set_terminated(run.info.run_id)
            return version

    def add_to_run(
        self,
        run_id: str,
        config: ModelConfig,
        data: bytes,
        origin: Origin,
        example_items: Sequence[str] = EXAMPLE_ITEMS,
    ) -> Version:
        """Make a version of these bytes; they, and the pyfunc around them, become artifacts of the run."""
        tags = origin.tags(data)
        with answered(self.tracking.uri), TemporaryDirectory() as folder:
            save(Path(folder, RANKER), config, data, example_items)
            self._client.log_artifacts(run_id, folder)
            self._make_model()
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{RANKER}"
            made = self._client.create_model_version(self._name, source, run_id, tags=tags)
            return _version(made, {})

    def versions(self) -> list[Version]:
        """All there are, the newest first."""
        with answered(self.tracking.uri):
            aliases = self._aliases()
            found, token = [], None
            while True:
                page = self._client.search_model_versions(f"name='{self._name}'", max_results=1000, page_token=token)
                found += [_version(each, aliases) for each in page]
                token = page.token
                if not token:
                    return sorted(found, key=lambda version: -version.number)

    def version(self, named: str | int) -> Version:
        """The version of this number or alias. Raises InputError, with those that there are, where there is none."""
        name = str(named)
        with answered(self.tracking.uri):
            aliases = self._aliases()
            number = aliases.get(name) or (int(name) if name.isdecimal() else None)
            found = number and self._found(number)
        if not found:
            known = ", ".join([str(version.number) for version in self.versions()] + list(aliases))
            raise InputError(f"no version '{name}' of {self._name}; there are: {known or 'none'}")
        return _version(found, aliases)

    def champion(self) -> int | None:
        """Number of the champion, None while there is none. One question: may be asked every second."""
        with answered(self.tracking.uri):
            try:
                return int(self._client.get_model_version_by_alias(self._name, CHAMPION).version)
            except MlflowException as error:
                if _says_there_is_none(error):
                    return None
                raise

    def model_bytes(self, version: Version) -> bytes:
        """The model, without what is around it. Raises ModelVersionError when it is not what was registered."""
        data = self._artifact(version, DATA)
        digest, registered = hashlib.sha256(data).hexdigest(), version.tags.get("data_sha256")
        if digest != registered:
            raise ModelVersionError(
                f"version {version.number} of {self._name}: expected bytes with the sha256 {registered}, got {len(data)} bytes "
                f"with {digest}; its artifacts were changed, promote another version"
            )
        return data

    def model_config(self, version: Version) -> ModelConfig:
        """The configuration it was made with."""
        return ModelConfig.model_validate_json(self._artifact(version, CONFIG))

    def metrics(self, version: Version) -> dict[str, float]:
        """The last value of each metric of its run."""
        with answered(self.tracking.uri):
            return dict(self._client.get_run(version.run_id).data.metrics)

    def parameters(self, version: Version) -> dict[str, str]:
        """What its run was made with, and from which data."""
        with answered(self.tracking.uri):
            return dict(self._client.get_run(version.run_id).data.params)

    def measured_later(self, version: Version, metrics: Mapping[str, float], as_of_s: int) -> None:
        """Add metrics to its run, as of a second (UTC), which is their step. The same again changes nothing."""
        with answered(self.tracking.uri):
            log_metrics(self._client, version.run_id, metrics, as_of_s, as_of_s * 1000)

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Say more of it; of the same names the last holds."""
        with answered(self.tracking.uri):
            for name, value in tags.items():
                self._client.set_model_version_tag(self._name, str(version.number), name, value)

    def name(self, version: Version, alias: str) -> None:
        """Let `alias` mean this version from now on."""
        with answered(self.tracking.uri):
            self._client.set_registered_model_alias(self._name, alias, str(version.number))

    def unname(self, alias: str) -> None:
        """Let `alias` mean nothing."""
        with answered(self.tracking.uri):
            self._client.delete_registered_model_alias(self._name, alias)

    def delete(self, version: Version) -> None:
        """Delete the version and its artifacts, and mark its run as deleted."""
        with answered(self.tracking.uri):
            artifacts = str(self._client.get_run(version.run_id).info.artifact_uri)
            self._client.delete_model_version(self._name, str(version.number))
            get_artifact_repository(artifacts, tracking_uri=self.tracking.uri).delete_artifacts()  # type: ignore[no-untyped-call]
            self._client.delete_run(version.run_id)

    def _artifact(self, version: Version, name: str) -> bytes:
        with answered(self.tracking.uri), TemporaryDirectory() as folder:
            path = self._client.download_artifacts(version.run_id, f"{RANKER}/artifacts/{name}", folder)
            return Path(path).read_bytes()

    def _aliases(self) -> dict[str, int]:
        try:
            aliases = self._client.get_registered_model(self._name).aliases
        except MlflowException as error:
            if _says_there_is_none(error):
                return {}
            raise
        return {alias: int(number) for alias, number in aliases.items()}

    def _found(self, number: int) -> ModelVersion | None:
        try:
            return self._client.get_model_version(self._name, str(number))
        except MlflowException as error:
            if _says_there_is_none(error):
                return None
            raise

    def _make_model(self) -> None:
        try:
            self._client.create_registered_model(self._name)
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise


def _version(made: ModelVersion, aliases: Mapping[str, int]) -> Version:
    number = int(made.version)
    names = tuple(sorted(alias for alias, named in aliases.items() if named == number))
    tags = cast(Mapping[str, str], made.tags)
    return Version(number, str(made.run_id), int(made.creation_timestamp), tags, names)


def _says_there_is_none(error: MlflowException) -> bool:
    if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
        return True
    return "alias" in str(error) and "not found" in str(error)  # of a missing alias the code is INVALID_PARAMETER_VALUE
