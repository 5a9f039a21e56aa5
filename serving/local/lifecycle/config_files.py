"""What the files say that flags name: models, batching, monitoring.

Free of TensorFlow, so that a mistake in them is told before the seconds that its import takes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from serving.local.errors import invalid_argument
from serving.local.lifecycle.model_config import ConfigReader, ModelConfigs, read_text_proto
from serving.local.runtime.batches import BatchingOptions
from serving.local.settings import Settings
from serving.local.threads import usable_cores
from serving.wire import operations_pb2 as operations

if TYPE_CHECKING:
    from serving.signing.versions import Verifier

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"


def check(settings: Settings) -> None:
    """Reads everything once; raises `StatusError` where a file cannot be used."""
    read_models(settings)
    batching(settings)
    metrics_path(settings)
    verifier(settings)


def config_reader(settings: Settings) -> ConfigReader:
    """Reads configurations as the settings say."""
    root = Path(settings.models_root).absolute() if settings.models_root else None
    return ConfigReader(root)


def read_models(settings: Settings) -> ModelConfigs:
    """The models that the settings ask for; raises `StatusError` where they cannot be used."""
    reader = config_reader(settings)
    if settings.model_config_file:
        return reader.read(Path(settings.model_config_file))
    return reader.single(settings.model_name, settings.model_base_path)


def metrics_path(settings: Settings) -> str:
    """Where the metrics are, empty for nowhere; `StatusError` for a file that cannot be used."""
    if not settings.monitoring_config_file:
        return ""
    file = Path(settings.monitoring_config_file)
    config = read_text_proto(file, operations.MonitoringConfig()).prometheus_config
    return (config.path or DEFAULT_METRICS_PATH) if config.enable else ""


def verifier(settings: Settings) -> Verifier | None:
    """Holds versions against the site's key; None where there is no key.

    Raises `StatusError` where it cannot be used.
    """
    if not settings.verify_key:
        return None
    # Only now: most servers have no key.
    from serving.signing.versions import Verifier

    try:
        return Verifier(Path(settings.verify_key))
    except (OSError, ValueError) as error:
        raise invalid_argument(f"--verify_key={settings.verify_key}: {error}") from error


def batching(settings: Settings) -> BatchingOptions | None:
    """How to batch, None for not at all; raises `StatusError` where that cannot be done."""
    if not settings.enable_batching:
        if settings.batching_parameters_file:
            raise invalid_argument("--batching_parameters_file needs --enable_batching.")
        return None
    message = operations.BatchingParameters()
    if settings.batching_parameters_file:
        message = read_text_proto(Path(settings.batching_parameters_file), message)
    return BatchingOptions.of(message, usable_cores())
