"""Builds the small models that the recorded cases name.

It does not build `hp2`, TensorFlow's own example of a classifier and a regressor, which lies next
to the repository with the original recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.serving.models import save_signatures

F32, I32 = tf.float32, tf.int32
Function = Callable[..., dict[str, Any]]


def build(root: Path) -> Path:
    """Writes all models below a folder, each with its versions."""
    for version in (1, 2, 3):
        save_signatures(root / "half" / str(version), *half_plus(version + 1.0))
    save_signatures(root / "img" / "1", *image(tf.uint8, seed=1))
    save_signatures(root / "img" / "2", *image(tf.uint8, seed=2))
    save_signatures(root / "imgf" / "1", *image(F32, seed=3))
    save_signatures(root / "multi" / "1", None, multi())
    save_signatures(root / "nodefault" / "1", None, no_default())
    save_signatures(root / "slow" / "1", None, {"serving_default": slow()})
    save_signatures(root / "str" / "1", None, strings())
    save_signatures(root / "types" / "1", None, types())
    return root


def function(body: Function, /, **inputs: tf.TensorSpec) -> Any:
    """A signature; each input has the name of its argument."""
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()]
    return tf.function(body, input_signature=specs)


def rows(dtype: Any, *inner: int | None) -> tf.TensorSpec:
    """Any number of rows of a shape."""
    return tf.TensorSpec([None, *inner], dtype)


def half_plus(offset: float) -> tuple[tf.Module, Mapping[str, Any]]:
    """`y = x / 2 + offset`, with variables."""
    module = tf.Module()
    module.a, module.c = tf.Variable(0.5), tf.Variable(offset)

    def f(x: Any) -> dict[str, Any]:
        return {"y": module.a * x + module.c}

    return module, {"serving_default": function(f, x=rows(F32))}


def image(dtype: Any, seed: int) -> tuple[tf.Module, Mapping[str, Any]]:
    """Four scores of an 8 by 8 image."""
    module = tf.Module()
    weights = np.random.default_rng(seed).standard_normal((192, 4)) / 16
    module.w = tf.Variable(weights.astype(np.float32))
    module.b = tf.Variable(np.full(4, seed, np.float32))

    def _f(image: Any) -> dict[str, Any]:
        flat = tf.reshape(tf.cast(image, F32), [-1, 192]) / 255.0
        return {"scores": tf.nn.softmax(flat @ module.w + module.b)}

    return module, {"serving_default": function(_f, image=rows(dtype, 8, 8, 3))}


def multi() -> Mapping[str, Any]:
    """Two inputs; two outputs, one output, and an output without rows."""

    def f(a: Any, b: Any) -> dict[str, Any]:
        return {"sum": a + b, "prod": a * b}

    def one(a: Any, b: Any) -> dict[str, Any]:
        return {"sum": a + b}

    def bad(x: Any) -> dict[str, Any]:
        return {"rows": x, "scalar": tf.reduce_sum(x)}

    return {
        "serving_default": function(f, a=rows(F32), b=rows(F32)),
        "one_out": function(one, a=rows(F32), b=rows(F32)),
        "nobatch": function(bad, x=rows(F32, 2)),
    }


def no_default() -> Mapping[str, Any]:
    """Signatures, but none that is called `serving_default`."""

    def f(x: Any) -> dict[str, Any]:
        return {"y": tf.identity(x)}

    identity = function(f, x=rows(F32))
    return {"other": identity, "another": identity}


def slow() -> Any:
    """Runs as many matrix products as the largest `n` says."""

    def f(n: Any) -> dict[str, Any]:
        matrix = tf.while_loop(
            lambda i, _: i < tf.reduce_max(n),
            lambda i, m: (i + 1, tf.matmul(m, m) * 0.0 + 0.01),
            (tf.constant(0), tf.ones([256, 256])),
        )[1]
        return {"y": tf.cast(n, F32) + matrix[0, 0] * 0.0}

    return function(f, n=rows(I32))


def strings() -> Mapping[str, Any]:
    """Strings back as text and as bytes, and their lengths."""

    def f(s: Any) -> dict[str, Any]:
        return {"echo": s, "echo_bytes": s, "len": tf.strings.length(s)}

    def g(image_bytes: Any) -> dict[str, Any]:
        return {"len": tf.strings.length(image_bytes)}

    def h(s: Any) -> dict[str, Any]:
        return {"out_bytes": tf.identity(s)}

    return {
        "serving_default": function(f, s=rows(tf.string)),
        "img": function(g, image_bytes=rows(tf.string)),
        "bytes_only": function(h, s=rows(tf.string)),
    }


def types() -> Mapping[str, Any]:
    """One signature for each kind of number, and some that are odd."""
    doubled = {"half": tf.float16, "cplx": tf.complex64, "bf16": tf.bfloat16}
    return {
        "serving_default": _default_types(),
        "small": _small(),
        "uns": function(lambda u, w: {"u": u, "w": w}, u=rows(tf.uint32), w=rows(tf.uint64)),
        **{name: _twice(dtype) for name, dtype in doubled.items()},
        "nested": function(lambda x: {"y": tf.identity(x)}, x=rows(F32, None, 2)),
        "fixed": function(lambda x: {"y": x @ x}, x=tf.TensorSpec([2, 2], F32)),
        "scalar": function(lambda x: {"y": x + 1.0}, x=tf.TensorSpec([], F32)),
        "odd": _not_numbers(),
        "fails": _fails(),
    }


def _default_types() -> Any:
    def f(j: Any, i: Any, d: Any, z: Any) -> dict[str, Any]:
        return {"j": j + 1, "i": i * 2, "d": d / 3.0, "z": tf.logical_not(z)}

    return function(f, j=rows(I32), i=rows(tf.int64), d=rows(tf.float64), z=rows(tf.bool))


def _small() -> Any:
    def small(u: Any, h: Any, k: Any, w: Any) -> dict[str, Any]:
        return {"u": u, "h": h, "k": k, "w": w}

    return function(small, u=rows(tf.uint8), h=rows(tf.int16), k=rows(tf.int8), w=rows(tf.uint16))


def _twice(dtype: Any) -> Any:
    return function(lambda x: {"y": x * tf.cast(2.0, dtype)}, x=rows(dtype))


def _not_numbers() -> Any:
    def odd(x: Any) -> dict[str, Any]:
        return {"div": x / 0.0 * tf.ones_like(x), "sqrt": tf.sqrt(x), "x": x}

    return function(odd, x=rows(F32))


def _fails() -> Any:
    def fails(x: Any) -> dict[str, Any]:
        tf.debugging.Assert(tf.reduce_all(x > 0.0), ["x must be positive", x])
        return {"y": tf.identity(x)}

    return function(fails, x=rows(F32))
