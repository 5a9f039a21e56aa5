"""Which files are photos of a class, and the messages about other files."""

import os
from pathlib import Path

import pytest

from tests.training.conftest import save_bills
from training.__main__ import main
from training.data import dataset, files
from training.data.split import fingerprint

LEFT_OUT = {
    "loose.jpg": "not in a sub-folder",
    "5/folder/a-6.jpg": "in a nested folder",
    "__MACOSX/5/a-1.jpg": "in a hidden or system folder",
    ".ipynb_checkpoints/a-1.jpg": "in a hidden or system folder",
    "10/.ipynb_checkpoints/a-1.jpg": "in a hidden or system folder",
    "5/._a-1.jpg": "a hidden file",
    "5/a-7": "no extension",
    "5/notes.txt": "the extension is not a picture's",
}


@pytest.fixture
def untidy(folder: Path) -> Path:
    """The drawn bills among one of each kind of file that is no photo of a class."""
    for name in LEFT_OUT:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((folder / "5" / "a-1.jpg").read_bytes())
    (folder / "5" / "gone-1.jpg").symlink_to(folder / "nowhere.jpg")
    return folder


def test_each_file_that_is_no_photo_of_a_class_has_its_reason(untidy: Path) -> None:
    found = files.left_out(untidy, [])
    reasons = {
        str(path.relative_to(untidy)): reason for reason, paths in found.items() for path in paths
    }
    assert reasons == LEFT_OUT | {"5/gone-1.jpg": files.UNREADABLE}


def test_only_the_photos_are_taken_and_hidden_folders_are_no_classes(untidy: Path) -> None:
    photos = dataset.scan(untidy, {}, [])
    assert dataset.counts(photos) == {"5": 10, "10": 10, "Other": 10}


def test_a_skipped_folder_and_the_manifest_are_not_reported(untidy: Path) -> None:
    (untidy / "manifest.csv").write_text("file\n")
    paths = [path for paths in files.left_out(untidy, ["5"]).values() for path in paths]
    assert not [path for path in paths if path.parent.name == "5" and path.parents[1] == untidy]
    assert untidy / "manifest.csv" not in paths


def test_a_class_folder_may_be_a_link(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "fives"
    (folder / "5").rename(elsewhere)
    (folder / "5").symlink_to(elsewhere)
    assert dataset.counts(dataset.scan(folder, {}, []))["5"] == 10


def test_a_fifo_is_left_out_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "5" / "pipe-1.jpg")
    assert folder / "5" / "pipe-1.jpg" in files.left_out(folder, [])[files.UNREADABLE]


def test_many_files_of_one_folder_are_counted_in_one_line(folder: Path) -> None:
    save_bills(folder / "5", "more", *(f"a-{n}.jpg" for n in range(12)))
    (line,) = files.lines(files.left_out(folder, []))
    assert line.startswith("in a nested folder: left out a-0.jpg, a-1.jpg, ")
    assert line.endswith(f" and 7 more of {folder / '5' / 'more'}")


def test_inspect_lists_what_is_left_out_a_broken_link_too_and_goes_on(
    untidy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["inspect", str(untidy), "--sheet", str(sheet)]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, reason in (LEFT_OUT | {"5/gone-1.jpg": files.UNREADABLE}).items():
        assert any(reason in line and Path(name).name in line for line in lines), name
    assert sheet.is_file()


@pytest.mark.parametrize(("command", "option"), [("inspect", "--skip"), ("fit", "--relabel")])
def test_a_sub_folder_that_does_not_exist_is_refused_with_those_that_do(
    folder: Path, tmp_path: Path, command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "tens=10" if option == "--relabel" else "tens"
    assert main([command, str(folder), option, value]) == 2
    said = capsys.readouterr().err
    assert f"{option} names tens, which is no sub-folder" in said
    assert "Expected one of 10, 5, Other." in said


NOT_UTF8 = os.fsdecode(b"b\xe9-1.jpg")


@pytest.fixture
def latin_1(folder: Path) -> Path:
    """A photo whose file name and source are Latin-1."""
    try:
        (folder / "5" / "a-1.jpg").rename(folder / "5" / NOT_UTF8)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    return folder


def test_a_file_name_that_is_not_utf8_is_a_photo_with_a_source_that_can_be_printed(
    latin_1: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = dataset.scan(latin_1, {}, [])
    assert "b\\xe9" in {photo.source for photo in photos}
    assert len(fingerprint(photos)) == 64
    (latin_1 / "5" / NOT_UTF8).write_text("no picture")
    dataset.load(photos)
    assert "left out" in (said := capsys.readouterr().err)
    assert "b\\xe9-1.jpg" in said


@pytest.mark.parametrize(
    "name",
    ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "👨\u200d👩\u200d👧", "10\u00a0new", "²"],
)
def test_a_class_name_may_have_any_letters(folder: Path, name: str) -> None:
    (folder / "5").rename(folder / name)
    assert dataset.classes_of(dataset.scan(folder, {}, [])) == ["10", *sorted(["Other", name])]


def test_a_class_name_with_a_control_character_is_refused(folder: Path) -> None:
    (folder / "5").rename(folder / "5\x1b[2J")
    with pytest.raises(ValueError, match=r"class 5\\x1b\[2J has a control character\. Expected"):
        dataset.scan(folder, {}, [])


def test_a_class_name_that_is_not_utf8_is_refused(folder: Path) -> None:
    try:
        (folder / "5").rename(folder / os.fsdecode(b"f\xfcnf"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(ValueError, match=r"f\\xfcnf is not UTF-8. Expected a class name"):
        dataset.scan(folder, {}, [])
