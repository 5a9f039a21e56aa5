"""The commands refuse what they cannot measure, and no published figures are lost to a bad run."""

import importlib
import json
from pathlib import Path

import pytest

import bench.__main__ as benchmarks
from bench.names import crowd
from bench.report import page


@pytest.mark.parametrize(
    ("module", "flag"),
    [
        *(("bench.__main__", "--rounds"), ("bench.__main__", "--long")),
        *(("bench.counting", "--rounds"), ("bench.counting", "--each")),
        ("bench.guards", "--rounds"),
    ],
)
def test_nothing_to_measure_is_refused_before_anything_starts(
    module: str, flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [module, flag, "0"])
    with pytest.raises(SystemExit, match="2"):
        importlib.import_module(module).main()
    expected = f"{flag}: expected a whole number of at least 1, received '0'"
    assert expected in capsys.readouterr().err


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks, "LIBRARIES", ("no-such-package",))
    monkeypatch.setattr("sys.argv", ["bench"])
    with pytest.raises(SystemExit, match=r"no-such-package is missing\. Run `make bench`"):
        benchmarks.main()


def test_figures_that_make_no_page_do_not_replace_the_published_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures, written = tmp_path / "figures.json", tmp_path / "performance.md"
    figures.write_text(json.dumps("published"))
    written.write_text(f"{page.BEGIN}\n{page.END}\n")
    monkeypatch.setattr(benchmarks, "FIGURES", figures)
    monkeypatch.setattr(benchmarks, "DOCS", tmp_path)
    monkeypatch.setattr(benchmarks, "measure", lambda *_: {"machine": {}})
    monkeypatch.setattr("sys.argv", ["bench"])
    with pytest.raises(KeyError):
        benchmarks.main()
    assert json.loads(figures.read_text()) == "published"
    assert json.loads((tmp_path / "figures.new.json").read_text()) == {"machine": {}}


def test_one_client_is_no_plural() -> None:
    assert (crowd(1), crowd(8)) == ("1 client", "8 clients")
