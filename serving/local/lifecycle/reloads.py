"""What a client may ask of `HandleReloadConfigRequest`, which TensorFlow Serving leaves open."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from urllib.parse import unquote

from serving.local.errors import Code, StatusError
from serving.local.lifecycle.model_config import ConfigReader, ModelConfigs
from serving.wire import messages_pb2 as pb

_LOOPBACK = ("ipv4:127.", "ipv6:[::1]:", "ipv6:[::ffff:127.", "unix:")


@dataclasses.dataclass(frozen=True)
class ReloadRules:
    """Who may reload, and below which `roots` base paths must lie."""

    reader: ConfigReader
    roots: frozenset[Path]
    from_any_peer: bool = False

    def require_peer(self, peer: str) -> None:
        """Refuses a client on another machine with `PERMISSION_DENIED`."""
        if not self.from_any_peer and not unquote(peer).startswith(_LOOPBACK):
            text = (
                f"{peer} may not reload: only this machine, without --reload_config_from_any_peer"
            )
            raise StatusError(Code.PERMISSION_DENIED, text)

    def accept(self, message: pb.ModelConfigList) -> ModelConfigs:
        """Reads a configuration; `PERMISSION_DENIED` where a base path is not below the roots."""
        models = self.reader.accept(message)
        for model in models.values():
            path = _plain(model.base_path)
            if not any(path.is_relative_to(root) for root in self.roots):
                allowed = ", ".join(map(str, sorted(self.roots)))
                text = f"The base path {path} of model {model.name} is not below {allowed}."
                raise StatusError(Code.PERMISSION_DENIED, text)
        return models


def roots_of(models: ModelConfigs, models_root: Path | None) -> frozenset[Path]:
    """The folders that the first configuration's models lie in, and the models' root.

    The whole disk is none of them: a model right below `/` stands for itself.
    """
    paths = [_plain(model.base_path) for model in models.values()]
    roots = {path if path.parent == path.parent.parent else path.parent for path in paths}
    return frozenset(roots | ({_plain(models_root)} if models_root else set()))


def _plain(path: Path) -> Path:
    """Without `..`; links stay, which the operator has put there."""
    return Path(os.path.normpath(path))
