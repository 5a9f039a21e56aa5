"""One environment variable a setting, and a sentence for a value that cannot be used."""

import re
from dataclasses import fields

import pytest

from tests.support.servers import ROOT
from webapp.settings import BadSetting, Settings, describe, variable


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_each_setting_is_read_from_its_variable() -> None:
    environ = {
        "US_BILLS_HOST": "0.0.0.0",
        "US_BILLS_WEB_PORT": "8080",
        "US_BILLS_MODEL_SERVER": "http://models:8501",
        "US_BILLS_MODEL_NAME": "bills",
        "US_BILLS_MODEL_LABEL": "",
        "US_BILLS_TRAFFIC_FILE": "/config/traffic.json",
        "US_BILLS_TIMEOUT": "2.5",
        "US_BILLS_SILENCE": "3",
        "US_BILLS_PATIENCE": "20",
        "US_BILLS_WORKERS": "3",
        "US_BILLS_THREADS": "2",
        "US_BILLS_AT_ONCE": "5",
        "US_BILLS_MAX_BYTES": "1000",
        "US_BILLS_BYTES_AT_ONCE": "9000",
        "US_BILLS_MAX_PICTURES": "4",
        "US_BILLS_PROXIES": "2",
        "US_BILLS_CORS_ORIGINS": "https://shop.example",
    }
    assert environ.keys() == {variable(field.name) for field in fields(Settings)}
    assert Settings.from_env(environ) == Settings(
        host="0.0.0.0",
        web_port=8080,
        model_server="http://models:8501",
        model_name="bills",
        model_label="",
        traffic_file="/config/traffic.json",
        timeout=2.5,
        silence=3.0,
        patience=20.0,
        workers=3,
        threads=2,
        at_once=5,
        max_bytes=1000,
        bytes_at_once=9000,
        max_pictures=4,
        proxies=2,
        cors_origins="https://shop.example",
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("US_BILLS_WEB_PORT", "http", "a whole number from 1 to 65535"),
        ("US_BILLS_WEB_PORT", "70000", "a whole number from 1 to 65535"),
        ("US_BILLS_HOST", "", "a name"),
        ("US_BILLS_THREADS", "0", "a whole number from 1 to 256"),
        ("US_BILLS_TIMEOUT", "soon", "a number of seconds"),
        ("US_BILLS_TIMEOUT", "nan", "a number of seconds"),
        ("US_BILLS_MODEL_SERVER", "localhost:8500", "an address such as grpc://"),
        ("US_BILLS_CORS_ORIGINS", "shop.example", "origins such as https://"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(BadSetting, match=f"{name}: expected {expected}.*received '{value}'"):
        Settings.from_env({name: value})


def test_every_setting_is_described() -> None:
    for field in fields(Settings):
        assert variable(field.name) in describe()
        assert field.metadata["meaning"]


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(US_BILLS_\w+)` \| (?:`(.*?)`)? *\|", readme, re.MULTILINE))
    ports = {"US_BILLS_GRPC_PORT", "US_BILLS_REST_PORT"}
    assert told.keys() - ports == {variable(field.name) for field in fields(Settings)}
    for field in fields(Settings):
        assert told[variable(field.name)] == str(field.default)
