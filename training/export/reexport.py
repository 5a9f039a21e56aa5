"""Exports a version again: the same weights with the signatures of the current code."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from serving.wire.messages_pb2 import PredictionLog
from serving.wire.tensors import from_proto
from training.evaluation import model_card
from training.export.calibration import Calibration
from training.export.signatures import Answer, Network, write_answers
from training.export.version import WARM_UP, draft_beside, publish, warm_up_of, write_warm_up
from training.rehearsal import rehearsal

# `signatures` freezes the network into a separate function of the exported graph.
_FROZEN = "__inference_pruned_"


def reexport(
    version: Path, models: Path, command: str, names: dict[str, Any] | None = None
) -> Path:
    """Makes the next version in `models`, with the weights, calibration and card of another.

    A rehearsal set is copied too, since it depends on the weights alone.

    Args:
        version: The folder of a version that `version.export` made, e.g. `models/us_bills/1`.
        models: The folder in which the new version is made.
        command: The command line, for the card.
        names: The values and words of classes, for the card.

    Returns:
        The folder of the new version.

    Raises:
        FileNotFoundError: `version` has no model card or no graph.
        ValueError: It is a version of the counter, its graph has another structure, or `names` has
            an unknown class.
    """
    card = model_card.with_names(model_card.read_classifier(version), names or {})
    graph = _graph(version)
    calibration = Calibration.of(card)
    answer = Answer(_network(graph), _class_weights(graph), card["classes"], calibration)
    with draft_beside(models) as draft:
        write_answers(draft, answer)
        write_warm_up(draft, version.parent.name, warm_up_of(_warm_up_picture(version)))
        if rehearsal.file(version).is_file():
            shutil.copy(rehearsal.file(version), rehearsal.file(draft))
        model_card.write_reexported(draft, card, command)
        return publish(draft, models)


def _graph(version: Path) -> Any:
    file = version / "saved_model.pb"
    if not file.is_file():
        raise FileNotFoundError(f"{version} holds no SavedModel (saved_model.pb).")
    return SavedModel.FromString(file.read_bytes()).meta_graphs[0].graph_def


def _network(graph: Any) -> Network:
    """Returns the frozen network, from uint8 [N,224,224,3] to feature map and logits."""
    frozen = [f for f in graph.library.function if f.signature.name.startswith(_FROZEN)]
    if len(frozen) != 1:
        raise ValueError(f"Expected one function {_FROZEN}* in the graph. Found {len(frozen)}.")
    nodes, names = function_def_to_graph_def(frozen[0])
    outputs = [names[frozen[0].ret[output.name]] for output in frozen[0].signature.output_arg]
    imported = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(nodes, name=""), []
    )
    (image,) = (f"{argument.name}:0" for argument in frozen[0].signature.input_arg)
    network: Network = imported.prune(image, outputs)
    return network


def _class_weights(graph: Any) -> NDArray[np.float32]:
    """Returns the weights of the heat map: the one float constant outside the functions."""
    constants = [node.attr["value"].tensor for node in graph.node if node.op == "Const"]
    found = [tf.make_ndarray(value) for value in constants if value.dtype == tf.float32]
    if len(found) != 1:
        raise ValueError(f"Expected one float constant beside the functions. Found {len(found)}.")
    return np.asarray(found[0])


def _warm_up_picture(version: Path) -> NDArray[np.uint8]:
    file = version / "assets.extra" / WARM_UP
    record = next(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
    return np.asarray(
        from_proto(PredictionLog.FromString(record).predict_log.request.inputs["image"])[0]
    )
