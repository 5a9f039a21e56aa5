"""Puts the parts together: versions, manager, data plane, and the two skins."""

from __future__ import annotations

import logging
import threading

from serving.local import files, servable
from serving.local.config import ModelConfigs
from serving.local.cores import Parallelism
from serving.local.dataplane import DataPlane
from serving.local.grpc_answers import ModelService, PredictionService
from serving.local.grpc_health import Health
from serving.local.grpc_server import GrpcServer
from serving.local.http_server import RestServer
from serving.local.loader import SavedModelLoader
from serving.local.manager import Manager, ManagerOptions
from serving.local.metrics import Metrics
from serving.local.rest_api import RestApi
from serving.local.settings import Settings
from serving.local.versions import Versions

__all__ = ["ModelServer", "start_runtime"]

log = logging.getLogger("serving")

GRACE_SECONDS = 5.0


class ModelServer:
    """A model server in this process."""

    def __init__(self, settings: Settings) -> None:
        """Reads the files that flags name.

        Raises:
            StatusError: one of them cannot be used.
        """
        self._settings = settings
        self._metrics = Metrics()
        self._reader = files.config_reader(settings)
        self._metrics_path = files.metrics_path(settings)
        self._manager = Manager(
            Versions(),
            self._read_config,
            _loader(settings, self._metrics),
            _options(settings),
            self._metrics,
        )
        self._skins: list[GrpcServer | RestServer] = []

    def start(self) -> None:
        """Loads the models, then opens the ports.

        Raises:
            StatusError: the configuration cannot be used, or a model has no version that loads.
            OSError: the REST port was taken in the meantime.
            RuntimeError: the gRPC port was taken in the meantime.
        """
        self._manager.start()
        for skin in self._open_ports():
            self._skins.append(skin)
            skin.start()
        log.info("listening, %s", self._addresses())

    def stop(self) -> bool:
        """Refuses new requests, lets those under way finish, frees the models.

        Returns:
            Whether all finished within `GRACE_SECONDS`.
        """
        log.info("stopping")
        self._manager.stop()
        stops = [threading.Thread(target=s.stop, args=(GRACE_SECONDS,)) for s in self._skins]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()
        self._manager.close()
        return self._manager.versions.in_use() == 0

    def _open_ports(self) -> list[GrpcServer | RestServer]:
        settings = self._settings
        plane = DataPlane(self._manager.versions, self._metrics)
        skins: list[GrpcServer | RestServer] = []
        if settings.port:
            skins.append(self._grpc(plane))
        if settings.serves_rest:
            api = RestApi(
                plane,
                self._metrics,
                timeout_ms=settings.rest_api_timeout_in_ms,
                cors=settings.rest_api_enable_cors_support,
                metrics_path=self._metrics_path,
            )
            skins.append(RestServer(settings.host, settings.rest_api_port, api))
        return skins

    def _grpc(self, plane: DataPlane) -> GrpcServer:
        settings = self._settings
        prediction = PredictionService(plane, self._metrics)
        model = ModelService(plane, self._manager, self._reader, self._metrics)
        return GrpcServer(
            settings.host,
            settings.port,
            prediction.answers() | model.answers(),
            threads=settings.grpc_max_threads,
            health=Health() if settings.enable_grpc_healthcheck_service else None,
        )

    def _addresses(self) -> str:
        settings = self._settings
        ports = {"gRPC": settings.port, "REST": settings.serves_rest and settings.rest_api_port}
        return ", ".join(f"{name} {settings.host}:{port}" for name, port in ports.items() if port)

    def _read_config(self) -> ModelConfigs:
        return files.read_models(self._settings)


def start_runtime(settings: Settings) -> None:
    """Starts TensorFlow with the threads that flags ask for."""
    servable.start_runtime(_parallelism(settings))


def _loader(settings: Settings, metrics: Metrics) -> SavedModelLoader:
    return SavedModelLoader(
        settings.enable_model_warmup, files.batching(settings), _parallelism(settings), metrics
    )


def _parallelism(settings: Settings) -> Parallelism:
    return Parallelism(
        settings.tensorflow_intra_op_parallelism or settings.tensorflow_session_parallelism,
        settings.tensorflow_inter_op_parallelism or settings.tensorflow_session_parallelism,
    )


def _options(settings: Settings) -> ManagerOptions:
    return ManagerOptions(
        poll_seconds=settings.file_system_poll_wait_seconds,
        config_poll_seconds=settings.model_config_file_poll_wait_seconds,
        max_load_retries=settings.max_num_load_retries,
        retry_seconds=settings.load_retry_interval_micros / 1e6,
        labels_for_unavailable=settings.allow_version_labels_for_unavailable_models,
    )
