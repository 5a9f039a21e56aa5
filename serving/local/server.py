"""Puts the parts together: versions, manager, data plane, and the two skins."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from serving.local.config import ConfigReader, ModelConfig
from serving.local.dataplane import DataPlane
from serving.local.grpc_server import GrpcServer
from serving.local.http_server import RestServer
from serving.local.manager import Manager, ManagerOptions
from serving.local.rest_api import RestApi
from serving.local.servable import start_runtime
from serving.local.settings import Settings
from serving.local.versions import Versions

__all__ = ["ModelServer", "start_runtime"]

log = logging.getLogger("serving")

GRACE_SECONDS = 5.0


class ModelServer:
    """A model server in this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._manager = Manager(Versions(), self._read_config, _options(settings))
        self._skins: list[GrpcServer | RestServer] = []

    def start(self) -> None:
        """Loads the models, then opens the ports.

        Raises:
            StatusError: the configuration cannot be used.
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
        plane = DataPlane(self._manager.versions)
        skins: list[GrpcServer | RestServer] = []
        if settings.port:
            skins.append(GrpcServer(settings.host, settings.port, plane))
        if settings.rest_api_port:
            api = RestApi(
                plane,
                timeout_ms=settings.rest_api_timeout_in_ms,
                cors=settings.rest_api_enable_cors_support,
            )
            skins.append(RestServer(settings.host, settings.rest_api_port, api))
        return skins

    def _addresses(self) -> str:
        settings = self._settings
        ports = {"gRPC": settings.port, "REST": settings.rest_api_port}
        return ", ".join(f"{name} {settings.host}:{port}" for name, port in ports.items() if port)

    def _read_config(self) -> Mapping[str, ModelConfig]:
        settings = self._settings
        root = Path(settings.models_root).absolute() if settings.models_root else None
        reader = ConfigReader(root)
        if settings.model_config_file:
            return reader.read(Path(settings.model_config_file))
        return reader.single(settings.model_name, settings.model_base_path)


def _options(settings: Settings) -> ManagerOptions:
    return ManagerOptions(
        poll_seconds=settings.file_system_poll_wait_seconds,
        config_poll_seconds=settings.model_config_file_poll_wait_seconds,
        max_load_retries=settings.max_num_load_retries,
        retry_seconds=settings.load_retry_interval_micros / 1e6,
        warmup=settings.enable_model_warmup,
        labels_for_unavailable=settings.allow_version_labels_for_unavailable_models,
    )
