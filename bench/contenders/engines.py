"""The engines that can run the network in process, behind one interface, called in a loop.

`python -m bench.contenders.engines NAME FOLDER` loads one engine and runs it for each job.
Each engine uses its default number of threads, which is one per core; the shipped model uses the
thread settings of the servers.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.load.workers import serve
from bench.photos import SQUARE, jpeg
from serving.local.runtime import allocator

Array = np.ndarray[Any, np.dtype[Any]]
Run = Callable[[Array], Array]

IMAGE = "image.npy"
VERSION = "version"
BFLOAT16 = "session_bfloat16"
"""Measured only on processors with bfloat16: emulation would add seconds to each round."""
# Threads for one operation, as set in Procfile and docker-compose.yml.
INTRA_OP = 1


def signature(folder: Path) -> Run:
    """The shipped signature from `tf.saved_model.load`, as a program would call it."""
    return _shipped(folder, "serving_default", "image")


def split_operations(folder: Path) -> Run:
    """The same signature with each operation split among threads, which is TensorFlow's default."""
    return _shipped(folder, "serving_default", "image", intra_op=0)


def serve_bytes(folder: Path) -> Run:
    """The signature that decodes files; it gets one JPEG as often as there are images."""
    run, files = _shipped(folder, "serve_bytes", "image_bytes"), np.array([jpeg(SQUARE)], object)
    return lambda images: run(np.repeat(files, len(images)))


def _shipped(folder: Path, name: str, argument: str, intra_op: int = INTRA_OP) -> Run:
    from serving.local.runtime import environment

    environment.prepare_environment()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(intra_op)
    model = tf.saved_model.load(str(folder / VERSION))

    def run(values: Array) -> Array:
        outputs = model.signatures[name](**{argument: tf.constant(values)})
        # All outputs are fetched, as a server must.
        return {key: np.asarray(output) for key, output in outputs.items()}["probabilities"]

    return run


def session(folder: Path, *, bfloat16: bool = False) -> Run:
    """The shipped signature as the local server runs it: in a session, with the same allocator."""
    from serving.local.runtime import environment

    environment.prepare_environment()
    environment.leave_out_python_api()
    from serving.local.inference.dataplane import Served
    from serving.local.inference.predict import predict
    from serving.local.runtime.saved_model import SavedModel, start_runtime
    from serving.local.threads import Parallelism

    start_runtime(Parallelism(INTRA_OP))
    model = Served(SavedModel(folder / VERSION, bfloat16=bfloat16))
    return lambda images: predict(model, "serving_default", {"image": images})["probabilities"]


def keras_call(folder: Path) -> Run:
    """The Keras model, called as the original design does."""
    import keras

    model = keras.models.load_model(folder / "classifier.keras")
    return lambda images: np.asarray(model.predict(images, verbose=0))


def onnx_runtime(folder: Path) -> Run:
    """ONNX Runtime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        folder / "classifier.onnx", providers=["CPUExecutionProvider"]
    )
    (image,) = session.get_inputs()
    return lambda images: np.asarray(session.run(None, {image.name: images})[0])


def openvino(folder: Path) -> Run:
    """OpenVINO, tuned for latency; each thread has its own inference request."""
    import openvino as ov

    hint = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(folder / "classifier.onnx", "CPU", hint)
    own = threading.local()

    def run(images: Array) -> Array:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        return np.asarray(own.request.infer([images])[0])

    return run


def litert(folder: Path) -> Run:
    """LiteRT, formerly TensorFlow Lite; each thread has its own interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    own = threading.local()

    def run(images: Array) -> Array:
        if not hasattr(own, "interpreter"):
            own.interpreter = Interpreter(
                str(folder / "classifier.tflite"), num_threads=os.cpu_count()
            )
            own.interpreter.allocate_tensors()
        (image,), (logits,) = (
            own.interpreter.get_input_details(),
            own.interpreter.get_output_details(),
        )
        own.interpreter.set_tensor(image["index"], images)
        own.interpreter.invoke()
        return np.asarray(own.interpreter.get_tensor(logits["index"]))

    return run


ENGINES: dict[str, Callable[[Path], Run]] = {
    "signature": signature,
    "split_operations": split_operations,
    "serve_bytes": serve_bytes,
    "session": session,
    BFLOAT16: partial(session, bfloat16=True),
    "onnx_runtime": onnx_runtime,
    "openvino": openvino,
    "litert": litert,
    "keras": keras_call,
}


def loop(run: Run, images: Array, threads: int, seconds: float) -> dict[str, Any]:
    """Calls `run` repeatedly in each of `threads` threads for `seconds`.

    Returns:
        `milliseconds` of each run, elapsed `seconds`, `cpu` seconds of the whole process.
    """
    took: list[float] = []
    started, cpu = time.perf_counter(), time.process_time()

    def repeat() -> None:
        while time.perf_counter() < started + seconds:
            before = time.perf_counter()
            run(images)
            took.append(1000 * (time.perf_counter() - before))

    together = [threading.Thread(target=repeat) for _ in range(threads)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    passed = time.perf_counter() - started
    return {"milliseconds": took, "seconds": passed, "cpu": time.process_time() - cpu}


def main(name: str, folder: Path) -> None:
    """Serves as a worker whose hello is the engine's output for the picture."""
    image, run = np.load(folder / IMAGE), ENGINES[name](folder)

    def do(job: dict[str, Any]) -> dict[str, Any]:
        images = np.repeat(image, job.get("batch", 1), axis=0)
        return loop(run, images, job["threads"], job["seconds"])

    serve(do, hello=run(image)[0].tolist())


if __name__ == "__main__":
    if sys.argv[1] in ("session", BFLOAT16):
        allocator.preload()
    main(sys.argv[1], Path(sys.argv[2]))
