"""A rollout changes only the policy and the labels of one model in `models.config`."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.rollout.errors import Refused
from serving.rollout.state.config import ConfigFile, Layout

TWO = """# Kept.
# Also kept.
model_config_list {
  config { name: "a" base_path: "/models/a" model_platform: "tensorflow"
    model_version_policy { all {} } version_labels { key: "stable" value: 1 } }
  config { name: "b" base_path: "/models/b" model_platform: "tensorflow"
    version_labels { key: "x" value: 7 } }
}
"""
ON_DISK = {1, 2, 3}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "models.config").write_text(TWO)
    return tmp_path / "models.config"


def test_what_is_written_is_read_and_the_rest_stays(file: Path) -> None:
    config = ConfigFile(file, "a")
    layout = Layout(frozenset({1, 2}), {"stable": 1, "canary": 2})
    config.write(layout)
    assert config.read(ON_DISK) == layout
    assert file.read_text().startswith("# Kept.\n# Also kept.\nmodel_config_list {\n")
    assert ConfigFile(file, "b").read(ON_DISK) == Layout(frozenset({3}), {"x": 7})


def test_a_policy_that_names_no_versions_is_applied_to_those_on_disk(file: Path) -> None:
    assert ConfigFile(file, "a").read(ON_DISK).versions == ON_DISK
    assert ConfigFile(file, "b").read(ON_DISK).versions == {3}
    assert not ConfigFile(file, "a").pinned


def test_a_version_that_goes_takes_its_labels_along() -> None:
    layout = Layout(frozenset({1, 2}), {"stable": 2, "previous": 1, "old": 1})
    assert layout.without_version(1) == Layout(frozenset({2}), {"stable": 2})


def test_the_first_model_is_meant_where_none_is_named(file: Path) -> None:
    assert ConfigFile(file).model == "a"
    assert ConfigFile(file).models == ["a", "b"]
    assert ConfigFile(file, "b").labels_of_others() == {"a": {"stable": 1}}


def test_counts_that_name_no_model_are_the_first_ones(file: Path) -> None:
    assert ConfigFile(file, "a").counted_as == ("a", "")
    assert ConfigFile(file, "b").counted_as == ("b",)


@pytest.mark.parametrize("name", ["", "c"])
def test_a_model_that_is_not_one_of_the_files_is_refused(file: Path, name: str) -> None:
    with pytest.raises(Refused, match=r"Expected --model to be one of \['a', 'b'\]"):
        ConfigFile(file, name)


@pytest.mark.parametrize("text", [None, "", "model_config_list { config {"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "models.config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Refused, match="The configuration cannot be read: "):
        ConfigFile(file)


@pytest.mark.parametrize("line_end", ["\u2028", "\x85", "\x0b", "\x0c", "\r"])
def test_a_comment_with_a_line_end_that_protobuf_does_not_know_stays(
    file: Path, line_end: str
) -> None:
    text = f"# Ask Ann before{line_end}you change this.\n{TWO}"
    file.write_bytes(text.encode())
    ConfigFile(file, "a").write(Layout(frozenset({1, 2}), {"stable": 1}))
    assert file.read_bytes().decode().startswith(text[: text.index("model_config_list")])
    assert ConfigFile(file, "a").read(ON_DISK).versions == {1, 2}


def test_a_model_that_the_file_has_lost_meanwhile_is_named(file: Path) -> None:
    config = ConfigFile(file, "a")
    file.write_text(TWO.replace('"a"', '"renamed"'))
    with pytest.raises(Refused, match=r"Expected the model a in .*It is not there any more"):
        config.read(ON_DISK)
