"""A graph is read before TensorFlow loads it: forbidden operations, links and pipes are refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from serving.rollout.checks.check import check
from serving.rollout.checks.operations import require_allowed
from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.publish import publish
from serving.rollout.state.deployment import Deployment
from tests.serving import models
from tests.serving.rollout.conftest import do, where

SHIPPED = Path("models/us_bills")


def graph_of(version: Path) -> Any:
    from serving.local.runtime.saved_model import read_complete

    return read_complete(version)


@pytest.fixture
def writing(tmp_path: Path) -> tuple[Path, Path]:
    """A version whose initialisation writes a file, and that file."""
    file = tmp_path / "written"
    version = models.save(models.HalfPlus(2.0), tmp_path / "writes" / "1")
    with models.edited(version) as meta_graph:
        graph = meta_graph.graph_def
        for name, text in (("name", str(file)), ("text", "written")):
            node = graph.node.add(name=name, op="Const")
            node.attr["dtype"].type = tf.string.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(text))
        graph.node.add(name="write", op="WriteFile", input=["name", "text"])
        init = meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"]
        node = graph.node.add(name="begin", op="NoOp", input=["^write"])
        node.input.append(f"^{init.name.partition(':')[0]}")
        init.name = "begin"
    return version, file


def test_a_graph_that_writes_a_file_is_refused_before_it_is_loaded(
    offline: Deployment, writing: tuple[Path, Path]
) -> None:
    version, file = writing
    with pytest.raises(Refused, match=r"WriteFile \(node write\).* --allow-op WriteFile"):
        do(offline, publish(offline, "publish", version))
    assert not file.exists()


def test_an_operation_can_be_trusted_by_name(
    offline: Deployment, writing: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    version, file = writing
    flags = ["publish", "--allow-op", "WriteFile", str(version)]
    assert main([*where(offline), *flags]) == 0, capsys.readouterr().err
    assert file.read_text() == "written"
    (noted,) = [line for line in offline.history.lines() if "checked" in line]
    assert noted["allowed_operations"] == ["WriteFile"]


def test_operations_that_save_an_export_may_not_run_when_it_is_loaded(tmp_path: Path) -> None:
    version = models.save(models.HalfPlus(2.0), tmp_path / "1")
    require_allowed(graph_of(version))
    with models.edited(version) as meta_graph:
        save = meta_graph.saver_def.save_tensor_name
        init = meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"]
        init.name = save
    with pytest.raises(Refused, match=r"MergeV2Checkpoints \(node .* of the function .*save"):
        require_allowed(graph_of(version))


def test_an_operation_deep_in_a_function_is_found(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])  # type: ignore[untyped-decorator]
    def call(x: Any) -> dict[str, Any]:
        once = tf.cond(tf.size(x) > 3, lambda: tf.strings.length(tf.io.read_file("f")), lambda: 1)
        return {"y": x + tf.cast(once, tf.float32)}

    version = models.save_signatures(tmp_path / "1", None, {"serving_default": call})
    with pytest.raises(Refused, match=r"ReadFile \(node .* of the function cond_true"):
        check(version, None, None)


def test_a_function_that_may_run_in_place_of_another_is_looked_into(tmp_path: Path) -> None:
    version = models.save(models.HalfPlus(2.0), tmp_path / "1")
    with models.edited(version) as meta_graph:
        graph = meta_graph.graph_def
        asked = meta_graph.signature_def["serving_default"].outputs["y"].name.partition(":")[0]
        (name,) = [n.attr["f"].func.name for n in graph.node if n.name == asked]
        (harmless,) = [f for f in graph.library.function if f.signature.name == name]
        evil = graph.library.function.add()
        evil.CopyFrom(harmless)
        evil.signature.name = "evil"
        evil.node_def.add(name="save", op="SaveV2")
    require_allowed(graph_of(version))
    with models.edited(version) as meta_graph:
        for function in meta_graph.graph_def.library.function:
            if function.signature.name in (name, "evil"):
                function.attr["api_implements"].s = b"either of both"
    with pytest.raises(Refused, match=r"SaveV2 \(node save of the function evil\)"):
        require_allowed(graph_of(version))


@pytest.mark.parametrize("how", ["by an attribute", "by a placeholder"])
def test_a_function_that_is_told_which_other_one_to_call_is_refused(
    tmp_path: Path, how: str
) -> None:
    version = models.save(models.HalfPlus(2.0), tmp_path / "1")
    with models.edited(version) as meta_graph:
        function = meta_graph.graph_def.library.function[0]
        if how == "by an attribute":
            function.signature.attr.add(name="other", type="func")
        else:
            call = function.node_def.add(name="call", op="PartitionedCall")
            call.attr["f"].placeholder = "other"
    with pytest.raises(Refused, match="takes attributes from its caller, so that what it runs"):
        require_allowed(graph_of(version))


def test_functions_named_within_attributes_of_functions_are_looked_into(tmp_path: Path) -> None:
    version = models.save(models.HalfPlus(2.0), tmp_path / "1")
    with models.edited(version) as meta_graph:
        graph = meta_graph.graph_def
        asked = meta_graph.signature_def["serving_default"].outputs["y"].name.partition(":")[0]
        (node,) = [node for node in graph.node if node.name == asked]
        evil = graph.library.function.add()
        evil.signature.name = "evil"
        evil.node_def.add(name="save", op="SaveV2")
        node.attr["f"].func.attr["other"].func.name = "evil"
    with pytest.raises(Refused, match=r"SaveV2 \(node save of the function evil\)"):
        require_allowed(graph_of(version))


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_shipped_versions_have_nothing_else(version: str) -> None:
    require_allowed(graph_of(SHIPPED / version))


def test_the_small_models_have_nothing_else(small_models: Path) -> None:
    for model in ("half", "strings", "slow"):
        require_allowed(graph_of(small_models / model / "1"))


def test_links_and_pipes_in_a_version_are_refused(
    offline: Deployment, small_models: Path, tmp_path: Path
) -> None:
    source = shutil.copytree(small_models / "half" / "2", tmp_path / "source")
    other = source / "variables" / "other"
    other.symlink_to("/etc/passwd")
    with pytest.raises(Refused, match="variables/other is a symbolic link"):
        publish(offline, "publish", source)
    other.unlink()
    os.mkfifo(other)
    with pytest.raises(Refused, match="variables/other is no file and no folder"):
        publish(offline, "publish", source)


def test_a_link_that_appears_while_a_version_is_copied_is_refused(
    offline: Deployment, small_models: Path, tmp_path: Path
) -> None:
    source = shutil.copytree(small_models / "half" / "2", tmp_path / "source")
    (source / "late").symlink_to("saved_model.pb")
    with pytest.raises(Refused, match="late is a symbolic link"):
        offline.store.draft(source, "x" * 64)
