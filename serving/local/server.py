"""Puts the parts together: versions, manager, data plane, and the two protocols."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from serving.local.errors import invalid_argument
from serving.local.grpc.answers import Services
from serving.local.grpc.server import GrpcServer
from serving.local.inference.dataplane import DataPlane
from serving.local.inference.loader import SavedModelLoader
from serving.local.inference.signature import TensorLimits
from serving.local.lifecycle.manager import Manager
from serving.local.lifecycle.versions import Versions
from serving.local.metrics import Metrics
from serving.local.rest.http_server import RestServer
from serving.local.rest.rest_api import RestApi
from serving.local.settings import Settings

if TYPE_CHECKING:
    from serving.spans import Spans

log = logging.getLogger("serving")

GRACE_SECONDS = 5.0


class ModelServer:
    """A model server in this process."""

    def __init__(self, settings: Settings) -> None:
        """Reads the files that flags name; raises `StatusError` if a file cannot be used."""
        self._settings = settings
        versions = Versions()
        self._metrics = Metrics(versions.is_known)
        load = SavedModelLoader(settings, self._metrics)
        self._manager = Manager(versions, load, settings, self._metrics)
        self._credentials = _credentials(settings.ssl_config_file)
        self._spans = _spans(settings.otlp)
        self._listeners: list[GrpcServer | RestServer] = []

    def start(self) -> None:
        """Loads the models, then opens the ports.

        Raises `StatusError` if the configuration cannot be used or no model has a version that
        loads; `OSError` or `RuntimeError` if the REST or gRPC port was taken in the meantime.
        """
        settings = self._settings
        self._manager.start()
        plane = DataPlane(self._manager.versions, self._metrics, TensorLimits.of(settings))
        addresses = []
        if settings.port:
            self._listeners.append(self._grpc(plane))
            kind = "gRPC with TLS" if self._credentials else "gRPC"
            addresses.append(f"{kind} {settings.host}:{settings.port}")
        if settings.serves_rest:
            api = RestApi(plane, self._metrics, settings)
            self._listeners.append(RestServer(settings, api))
            addresses.append(f"REST {settings.host}:{settings.rest_api_port}")
        for listener in self._listeners:
            listener.start()
        log.info("listening, %s", ", ".join(addresses))

    def stop(self) -> bool:
        """Refuses new requests, frees models; returns whether all ended in `GRACE_SECONDS`."""
        log.info("stopping")
        self._manager.stop()
        stops = [threading.Thread(target=s.stop, args=(GRACE_SECONDS,)) for s in self._listeners]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()
        self._manager.close()
        if self._spans is not None:
            self._spans.close()
        return self._manager.versions.in_use() == 0

    def _grpc(self, plane: DataPlane) -> GrpcServer:
        settings = self._settings
        answers = Services(plane, self._manager, settings, self._metrics).answers()
        serves = plane.versions.serves
        return GrpcServer(settings, answers, serves, self._credentials, self._spans)


def _credentials(ssl_config_file: str) -> grpc.ServerCredentials | None:
    if not ssl_config_file:
        return None
    # Imported only if needed: most servers do not use TLS.
    from serving.local.grpc.encryption import server_credentials

    return server_credentials(Path(ssl_config_file))


def _spans(collector: str) -> Spans | None:
    if not collector:
        return None
    # Imported only if needed: these packages are optional without a collector.
    try:
        from serving.spans import Spans
    except ImportError as error:
        text = f"--otlp needs the packages of requirements/serving-otlp.txt: {error}"
        raise invalid_argument(text) from error
    return Spans(collector, "us-bills-serving")
