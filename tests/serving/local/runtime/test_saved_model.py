"""What a SavedModel needs before its first answer: variables, its files, its first operation."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from serving.local.errors import Code, StatusError
from serving.local.inference.dataplane import Served
from serving.local.inference.predict import predict
from serving.local.runtime.saved_model import SavedModel
from tests.serving import models

ASKED = np.array([b"five", b"ten", b"euro"], np.object_)
NUMBERS = [0, 1, -1]
"""Where the words stand in the file, from 0 on."""


class Words(tf.Module):  # type: ignore[misc]
    """Looks words up in a table that is filled from a file of the version's."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.table = table_of(str(file))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])  # type: ignore[untyped-decorator]
    def call(self, words: Any) -> dict[str, Any]:
        """The serving signature."""
        return {"numbers": self.table.lookup(words)}


def table_of(file: Any) -> Any:
    lines = tf.lookup.TextFileInitializer(
        file,
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticHashTable(lines, -1)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    file = tmp_path / "words.txt"
    file.write_text("five\nten\n")
    return file


@pytest.fixture
def version(words: Path, tmp_path: Path) -> Path:
    return models.save(Words(words), tmp_path / "model" / "1")


def save_before_tensorflow_2(words: Path, path: Path) -> Path:
    """The same table and a variable beside it, by the builder of TensorFlow 1."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        asset = tf.constant(str(words))
        start = tf.compat.v1.get_variable("start", initializer=tf.constant(100, tf.int64))
        asked = tf.compat.v1.placeholder(tf.string, [None], "words")
        numbers = table_of(asset).lookup(asked) + start
        session.run(
            [tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()]
        )
        signature = tf.compat.v1.saved_model.predict_signature_def(
            {"words": asked}, {"numbers": numbers}
        )
        builder = tf.compat.v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            assets_collection=tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.ASSET_FILEPATHS),
            main_op=tf.compat.v1.tables_initializer(),
        )
        builder.save()
    return path


def as_still_older(version: Path) -> None:
    """Moves the first operation and the files to where they were named before."""
    with models.edited(version) as graph:
        graph.collection_def["legacy_init_op"].CopyFrom(graph.collection_def["saved_model_main_op"])
        del graph.collection_def["saved_model_main_op"]
        for file in graph.asset_file_def:
            graph.collection_def["saved_model_assets"].any_list.value.add().Pack(file)
        del graph.asset_file_def[:]


def numbers(version: Path) -> list[int]:
    servable = SavedModel(version)
    try:
        answer = predict(Served(servable), "serving_default", {"words": ASKED})
    finally:
        servable.close()
    return list(answer["numbers"])


class Echo(tf.Module):  # type: ignore[misc]
    """Gives a single string back."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "text")])  # type: ignore[untyped-decorator]
    def call(self, text: Any) -> dict[str, Any]:
        """The serving signature."""
        return {"echo": tf.identity(text)}


def test_a_single_string_keeps_the_zero_bytes_at_its_end(tmp_path: Path) -> None:
    servable = SavedModel(models.save(Echo(), tmp_path / "echo" / "1"))
    text = np.array(b"ab\0\0", np.object_)
    answer = predict(Served(servable), "serving_default", {"text": text})["echo"]
    servable.close()
    assert (answer.shape, answer.item()) == ((), b"ab\0\0")


class Number(tf.Module):  # type: ignore[misc]
    """Reads a text as a number."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "text")])  # type: ignore[untyped-decorator]
    def call(self, text: Any) -> dict[str, Any]:
        """The serving signature."""
        return {"number": tf.strings.to_number(text)}


def test_an_operation_that_quotes_bytes_that_are_no_text_is_told(tmp_path: Path) -> None:
    servable = Served(SavedModel(models.save(Number(), tmp_path / "number" / "1")))
    with pytest.raises(StatusError, match="could not correctly convert string: �") as failure:
        predict(servable, "serving_default", {"text": np.array(b"\xff", np.object_)})
    assert failure.value.code is Code.INVALID_ARGUMENT
    servable.servable.close()


def test_a_table_is_filled_from_the_file_that_came_with_the_version(
    words: Path, version: Path
) -> None:
    words.unlink()
    assert numbers(version) == NUMBERS


@pytest.mark.parametrize("older", [False, True])
def test_so_is_one_that_was_saved_before_tensorflow_2(
    words: Path, tmp_path: Path, older: bool
) -> None:
    version = save_before_tensorflow_2(words, tmp_path / "model")
    words.unlink()
    if older:
        as_still_older(version)
    assert numbers(version) == [number + 100 for number in NUMBERS]


def name_an_unknown_input(graph: Any) -> None:
    graph.signature_def["serving_default"].inputs["words"].name = "lost:0"


def name_an_unknown_output(graph: Any) -> None:
    graph.signature_def["serving_default"].outputs["numbers"].name = "lost:0"


@pytest.mark.parametrize("change", [name_an_unknown_input, name_an_unknown_output])
def test_a_signature_that_names_what_the_graph_lacks_is_told_when_it_is_asked(
    version: Path, change: Callable[[Any], None]
) -> None:
    with models.edited(version) as graph:
        change(graph)
    with pytest.raises(StatusError) as refusal:
        numbers(version)
    assert str(refusal.value) == "NOT_FOUND: Operation lost is not found in the graph"


def without_its_first_operation(graph: Any) -> None:
    graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "lost"


def without_an_output_for_it(graph: Any) -> None:
    graph.signature_def["__saved_model_init_op"].outputs.clear()


def with_two_of_them(graph: Any) -> None:
    del graph.signature_def["__saved_model_init_op"]
    graph.collection_def["saved_model_main_op"].node_list.value.extend(["one", "two"])


def for_a_gpu(graph: Any) -> None:
    graph.meta_info_def.tags.append("gpu")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_its_first_operation, "NOT_FOUND: Operation lost is not found"),
        (without_an_output_for_it, "FAILED_PRECONDITION: Could not find output __saved_model_init"),
        (with_two_of_them, "FAILED_PRECONDITION: Expected exactly one main op in"),
        (for_a_gpu, "NOT_FOUND: Could not find meta graph def matching supplied tags: { serve }"),
    ],
)
def test_a_version_that_cannot_be_made_ready_is_refused(
    version: Path, change: Callable[[Any], None], reason: str
) -> None:
    with models.edited(version) as graph:
        change(graph)
    with pytest.raises(StatusError, match=reason):
        SavedModel(version)


def test_an_operation_that_this_tensorflow_does_not_know_is_named(version: Path) -> None:
    with models.edited(version) as graph:
        graph.graph_def.node.add(name="new", op="OperationOfTomorrow")
    with pytest.raises(
        StatusError, match="NOT_FOUND: Op type not registered 'OperationOfTomorrow'"
    ):
        SavedModel(version)


def test_a_table_whose_file_is_gone_is_told_by_the_files_name(version: Path) -> None:
    (version / "assets" / "words.txt").unlink()
    with pytest.raises(StatusError, match=r"NOT_FOUND: .*model/1/assets/words.txt; No such file"):
        SavedModel(version)


def test_a_version_may_be_reached_by_links_as_kubernetes_mounts_it(
    version: Path, tmp_path: Path
) -> None:
    (tmp_path / "..data").symlink_to(version.parent)
    (tmp_path / "mounted").symlink_to(tmp_path / "..data")
    SavedModel(tmp_path / "mounted" / "1").close()


def test_a_link_within_the_version_is_followed(version: Path) -> None:
    (version / "saved_model.pb").rename(version / "real.pb")
    (version / "saved_model.pb").symlink_to("real.pb")
    SavedModel(version).close()


@pytest.mark.parametrize("name", ["saved_model.pb", "variables", "assets/words.txt"])
def test_a_link_that_leads_out_of_the_version_is_refused_by_its_name(
    version: Path, tmp_path: Path, name: str
) -> None:
    (version / name).rename(tmp_path / "elsewhere")
    (version / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StatusError, match=f"{name} is a link to .*elsewhere") as refusal:
        SavedModel(version)
    assert refusal.value.code is Code.FAILED_PRECONDITION


def test_a_file_that_is_no_file_is_refused_and_not_waited_for(version: Path) -> None:
    (version / "saved_model.pb").unlink()
    os.mkfifo(version / "saved_model.pb")
    with pytest.raises(StatusError, match="neither a file nor a folder"):
        SavedModel(version)
