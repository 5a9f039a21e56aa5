"""What the files say that flags name: models, batching, monitoring.

Free of TensorFlow, so that a mistake in them is told before the seconds that its import takes.
"""

from __future__ import annotations

from pathlib import Path

from serving.local.batching_options import BatchingOptions
from serving.local.config import (
    ConfigReader,
    ModelConfigs,
    read_text_proto,
    require_known_platforms,
)
from serving.local.cores import usable_cores
from serving.local.errors import invalid_argument
from serving.local.settings import Settings
from serving.wire import operations_pb2 as operations

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"


def check(settings: Settings) -> None:
    """Reads everything once.

    Raises:
        StatusError: a file cannot be used.
    """
    require_known_platforms(read_models(settings))
    batching(settings)
    _require_one_parallelism(settings)
    metrics_path(settings)


def _require_one_parallelism(settings: Settings) -> None:
    apart = settings.tensorflow_intra_op_parallelism, settings.tensorflow_inter_op_parallelism
    if settings.tensorflow_session_parallelism > 0 and all(number > 0 for number in apart):
        raise invalid_argument(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )


def config_reader(settings: Settings) -> ConfigReader:
    """Reads configurations as the settings say."""
    root = Path(settings.models_root).absolute() if settings.models_root else None
    return ConfigReader(root)


def read_models(settings: Settings) -> ModelConfigs:
    """The models that the settings ask for.

    Raises:
        StatusError: the configuration cannot be used.
    """
    reader = config_reader(settings)
    if settings.model_config_file:
        return reader.read(Path(settings.model_config_file))
    return reader.single(settings.model_name, settings.model_base_path)


def metrics_path(settings: Settings) -> str:
    """Where the metrics are, empty for nowhere.

    Raises:
        StatusError: the monitoring configuration cannot be used.
    """
    if not settings.monitoring_config_file:
        return ""
    file = Path(settings.monitoring_config_file)
    config = read_text_proto(file, operations.MonitoringConfig()).prometheus_config
    return (config.path or DEFAULT_METRICS_PATH) if config.enable else ""


def batching(settings: Settings) -> BatchingOptions | None:
    """How to batch, None for not at all.

    Raises:
        StatusError: the parameters cannot be used (recorded cases 781 to 785, 828).
    """
    if not settings.enable_batching:
        if settings.batching_parameters_file:
            raise invalid_argument(
                "server_options.batching_parameters_file is set without setting "
                "server_options.enable_batching to true."
            )
        return None
    message = operations.BatchingParameters()
    if settings.batching_parameters_file:
        message = read_text_proto(Path(settings.batching_parameters_file), message)
    return BatchingOptions.of(message, usable_cores())
