"""The graph of a version of the counter: find, cut out, read, and accept the list or not."""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from training.counting.detector.boxes import Boxes, boxes
from training.counting.graph.crops import cut_out
from training.counting.graph.trust import Reading, Trust, probability, signs
from training.data.dataset import OTHER
from training.export.batch_norm_folding import with_folded_batch_norm
from training.export.guards import guarded
from training.export.signatures import disk_errors
from webapp.imaging.preprocessing import COUNT_SIZE

LARGEST_BATCH = 16
IMAGE = tf.TensorSpec((None, COUNT_SIZE, COUNT_SIZE, 3), tf.uint8, name="image")

LOOKED_AT = 0.08
"""A place with more than this heat is cut out and read."""
MOST_READ = 64
"""The most places that are read per request, so that it takes no more memory than the classifier's
largest request. The hottest places are read; a list that lacks one is not accepted."""

Network = Callable[[tf.Tensor], tf.Tensor]


def write_saved_model(
    folder: Path, detector: keras.Model, reader: keras.Model, classes: list[str], trust: Trust
) -> None:
    """Writes the SavedModel of a counter, with the one signature `serving_default`."""
    counter = Counter(frozen(detector), frozen(reader), classes, trust)
    answer = tf.function(counter.serving_default, input_signature=[IMAGE])
    with disk_errors():
        tf.saved_model.save(tf.Module(), str(folder), {"serving_default": answer})


def halved(image: tf.Tensor) -> tf.Tensor:
    """Returns uint8 [N,448,448,3] as the detector's input, float32 [N,224,224,3]."""
    return tf.nn.avg_pool2d(tf.cast(image, tf.float32), 2, 2, "VALID")


def frozen(model: keras.Model) -> Network:
    """Returns a model with constant weights, which a server folds once, when it loads the graph."""
    folded = with_folded_batch_norm(model)
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.as_dtype(model.input.dtype), "image")
    traced = tf.function(lambda image: folded(image, training=False), input_signature=[spec])
    constant = convert_variables_to_constants_v2(traced.get_concrete_function())
    return lambda image: constant(image)[0]


class Counter:
    """The signature's function."""

    def __init__(
        self, detector: Network, reader: Network, classes: list[str], trust: Trust
    ) -> None:
        """Stores the parts of the signature.

        Args:
            detector: Maps float32 [N,224,224,3], pixels from 0 to 255, to a map, see `targets`.
            reader: Maps uint8 [M,224,224,3] to logits, float32 [M,C].
            classes: The names of the C classes.
            trust: The calibration of the answers.
        """
        self._detector, self._reader, self._trust = detector, reader, trust
        money = [name for name in classes if name != OTHER]
        self._names = tf.constant([*money, ""])
        self._money = tf.constant([classes.index(name) for name in money])

    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers uint8 [N,448,448,3] RGB, letterboxed."""
        reading = self.look(guarded(image, "image", LARGEST_BATCH))
        sure = probability(signs(reading, self._trust.believed), self._trust.weights)
        accepted = (sure >= self._trust.threshold) & _all_read(reading)
        return {**self.listed(reading, self._trust.believed), "accepted": accepted}

    def look(self, image: tf.Tensor) -> Reading:
        """Finds candidates in uint8 [N,448,448,3] and reads the hottest."""
        found = boxes(self._detector(halved(image)))
        places = _hottest(found.heat)
        money = tf.cond(
            tf.shape(places)[0] > 0,
            lambda: self._read(image, found, places),
            lambda: tf.zeros([0, len(self._money)]),
        )
        shape = tf.shape(found.heat, tf.int64)
        looked = tf.scatter_nd(places, tf.ones_like(places[:, 0]), shape) > 0
        shape = tf.concat([shape, [len(self._money)]], 0)
        return Reading(found, tf.scatter_nd(places, money, shape), looked)

    def listed(self, reading: Reading, believed: float) -> dict[str, tf.Tensor]:
        """Returns the bills that are counted, the surest first."""
        is_bill = reading.counted(believed)
        best = tf.reduce_max(reading.money, -1)
        scores = tf.where(is_bill, reading.boxes.heat * best, 0.0)
        scores, order = tf.math.top_k(scores, scores.shape[1])
        is_bill = tf.gather(is_bill, order, batch_dims=1)
        names = tf.gather(tf.argmax(reading.money, -1, tf.int32), order, batch_dims=1)
        corners = tf.gather(reading.boxes.corners(), order, batch_dims=1)
        return {
            "boxes": tf.where(is_bill[..., None, None], corners, 0.0),
            "classes": tf.gather(self._names, tf.where(is_bill, names, len(self._money))),
            "scores": scores,
            "count": tf.reduce_sum(tf.cast(is_bill, tf.int32), 1),
        }

    def _read(self, image: tf.Tensor, found: Boxes, looked: tf.Tensor) -> tf.Tensor:
        places = (tf.gather_nd(part, looked) for part in found[1:])
        logits = self._reader(cut_out(image, tf.cast(looked[:, 0], tf.int32), *places))
        return tf.gather(tf.nn.softmax(logits / self._trust.temperature), self._money, axis=1)


def _hottest(heat: tf.Tensor) -> tf.Tensor:
    """Returns which places of float32 [N,16] are read, int64 [M,2], the hottest first."""
    places = tf.where(heat > LOOKED_AT)
    number = tf.minimum(tf.shape(places)[0], MOST_READ)
    _, first = tf.math.top_k(tf.gather_nd(heat, places), number)
    return tf.gather(places, first)


def _all_read(reading: Reading) -> tf.Tensor:
    """Returns whether every place of a picture that is hot enough was read, bool [N]."""
    return tf.reduce_all(reading.looked | (reading.boxes.heat <= LOOKED_AT), 1)
