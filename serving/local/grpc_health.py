"""gRPC's standard health service, for `--enable_grpc_healthcheck_service` (cases 743 to 746).

The ready-made package for it answers an unknown service with another text than the original.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from serving.local.errors import not_found
from serving.wire.operations_pb2 import HealthCheckRequest, HealthCheckResponse

SERVICES = ("", "PredictionService", "ModelService")
_GLANCE_SECONDS = 1.0


class Health:
    """Healthy until the server leaves; it opens its ports only once its models serve."""

    def __init__(self) -> None:
        self._leaving = threading.Event()

    def leave(self) -> None:
        """From now on nothing more should be sent here."""
        self._leaving.set()

    def check(self, request: HealthCheckRequest) -> HealthCheckResponse:
        """The state of a service now.

        Raises:
            StatusError: there is no such service.
        """
        if request.service not in SERVICES:
            raise not_found("service name unknown")
        return HealthCheckResponse(status=self._status(request.service))

    def watch(
        self, request: HealthCheckRequest, active: Callable[[], bool]
    ) -> Iterator[HealthCheckResponse]:
        """The state of a service, now and whenever it changes, while the caller listens."""
        yield HealthCheckResponse(status=self._status(request.service))
        while active():
            if self._leaving.wait(_GLANCE_SECONDS):
                yield HealthCheckResponse(status=self._status(request.service))
                return

    def _status(self, service: str) -> HealthCheckResponse.ServingStatus:
        if service not in SERVICES:
            return HealthCheckResponse.SERVICE_UNKNOWN
        if self._leaving.is_set():
            return HealthCheckResponse.NOT_SERVING
        return HealthCheckResponse.SERVING
