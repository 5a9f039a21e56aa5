"""Reads the files that flags name: models, batching, monitoring, and the key of signatures.

This module does not import TensorFlow, so that errors are reported before that slow import.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from serving.local.errors import invalid_argument
from serving.local.lifecycle.model_config import ConfigReader, ModelConfigs, read_text_proto
from serving.local.runtime.batches import complete
from serving.local.settings import Settings
from serving.local.threads import usable_cores
from serving.wire import operations_pb2 as operations

if TYPE_CHECKING:
    from serving.signing.versions import Verifier

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"


def check(settings: Settings) -> None:
    """Reads every file once; raises `StatusError` if a file cannot be used."""
    read_models(settings)
    batching(settings)
    metrics_path(settings)
    verifier(settings)


def config_reader(settings: Settings) -> ConfigReader:
    """Returns a reader of model configurations, with the `--models_root` of the settings."""
    root = Path(settings.models_root).absolute() if settings.models_root else None
    return ConfigReader(root)


def read_models(settings: Settings) -> ModelConfigs:
    """Returns the configured models; raises `StatusError` if the configuration is invalid."""
    reader = config_reader(settings)
    if settings.model_config_file:
        return reader.read(Path(settings.model_config_file))
    return reader.single(settings.model_name, settings.model_base_path)


def metrics_path(settings: Settings) -> str:
    """Returns the path of the metrics, empty if disabled; `StatusError` for an invalid file."""
    if not settings.monitoring_config_file:
        return ""
    file = Path(settings.monitoring_config_file)
    config = read_text_proto(file, operations.MonitoringConfig()).prometheus_config
    return (config.path or DEFAULT_METRICS_PATH) if config.enable else ""


def verifier(settings: Settings) -> Verifier | None:
    """Returns the verifier of signed versions, None without a key; `StatusError` for a bad key."""
    if not settings.verify_key:
        return None
    # Imported only if needed: most servers have no key.
    from serving.signing.versions import Verifier

    try:
        return Verifier(Path(settings.verify_key))
    except (OSError, ValueError) as error:
        raise invalid_argument(f"--verify_key={settings.verify_key}: {error}") from error


def batching(settings: Settings) -> operations.BatchingParameters | None:
    """Returns the batching options, None if disabled; raises `StatusError` for invalid ones."""
    if not settings.enable_batching:
        if settings.batching_parameters_file:
            raise invalid_argument("--batching_parameters_file needs --enable_batching.")
        return None
    options = operations.BatchingParameters()
    if settings.batching_parameters_file:
        read_text_proto(Path(settings.batching_parameters_file), options)
    complete(options, usable_cores())
    return options
