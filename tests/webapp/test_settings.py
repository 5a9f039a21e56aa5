"""One environment variable per setting, and a clear error for an invalid value."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from webapp.settings import BadSetting, Settings, describe, variable


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_each_setting_is_read_from_its_variable() -> None:
    file = str(ROOT / "README.md")
    environ = {
        "US_BILLS_HOST": "0.0.0.0",
        "US_BILLS_WEB_PORT": "8080",
        "US_BILLS_MODEL_SERVER": "https://models:8501",
        "US_BILLS_MODEL_SERVER_CA": file,
        "US_BILLS_CLIENT_CERT": file,
        "US_BILLS_CLIENT_KEY": file,
        "US_BILLS_MODEL_NAME": "bills",
        "US_BILLS_MODEL_LABEL": "",
        "US_BILLS_COUNTER": "",
        "US_BILLS_COUNTER_TIMEOUT": "1.5",
        "US_BILLS_TRAFFIC_FILE": "/config/traffic.json",
        "US_BILLS_MODELS": "/models/us_bills",
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
        "US_BILLS_FEEDBACK": "/feedback",
        "US_BILLS_FEEDBACK_BYTES": "1000000",
        "US_BILLS_FEEDBACK_DAYS": "30",
        "US_BILLS_FEEDBACK_RATE": "5",
        "US_BILLS_OTLP": "http://127.0.0.1:4318",
    }
    assert environ.keys() == {variable(field.name) for field in fields(Settings)}
    assert Settings.from_env(environ) == Settings(
        host="0.0.0.0",
        web_port=8080,
        model_server="https://models:8501",
        model_server_ca=file,
        client_cert=file,
        client_key=file,
        model_name="bills",
        model_label="",
        counter="",
        counter_timeout=1.5,
        traffic_file="/config/traffic.json",
        models="/models/us_bills",
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
        feedback="/feedback",
        feedback_bytes=1_000_000,
        feedback_days=30,
        feedback_rate=5,
        otlp="http://127.0.0.1:4318",
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("US_BILLS_WEB_PORT", "http", "a whole number from 1 to 65535"),
        ("US_BILLS_WEB_PORT", "70000", "a whole number from 1 to 65535"),
        ("US_BILLS_HOST", "", "a name"),
        ("US_BILLS_THREADS", "0", "a whole number from 1 to 256"),
        ("US_BILLS_MAX_PICTURES", "65", "a whole number from 1 to 64"),
        ("US_BILLS_TIMEOUT", "soon", "a number of seconds"),
        ("US_BILLS_TIMEOUT", "nan", "a number of seconds"),
        ("US_BILLS_MODEL_SERVER", "localhost:8500", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "grpc://models", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "grpc://models:port", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "grpc://10.0.0.1:8500,models:8500", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "https://", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "http://:8501", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "ftp://models:8501", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "http://models..example", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", f"http://{'m' * 64}:8501", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "grpc://my models:8500", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "grpc://user@models:8500", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "grpc://models:0", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "http://models:8501#v1", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER", "grpcs://models", "an address such as grpc://"),
        ("US_BILLS_MODEL_SERVER_CA", "/nowhere", "a file that can be read"),
        ("US_BILLS_MODEL_SERVER_CA", str(ROOT), "a file that can be read"),
        ("US_BILLS_CLIENT_KEY", "/nowhere", "a file that can be read"),
        ("US_BILLS_OTLP", "collector:4318", "a URL such as http://127.0.0.1:4318"),
        ("US_BILLS_CORS_ORIGINS", "shop.example", "origins such as https://"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(BadSetting, match=f"{name}: expected {expected}.*received '{value}'"):
        Settings.from_env({name: value})


def test_origins_are_those_that_browsers_send_in_lower_case() -> None:
    made = Settings.from_env({"US_BILLS_CORS_ORIGINS": "https://Shop.Example *"})
    assert made.cors_origins == "https://shop.example *"


@pytest.mark.parametrize(
    "url",
    [
        "grpc://[::1]:8500",
        "GRPC://my_models:8500/",
        "grpc://10.0.0.1:8500,10.0.0.2:8500",
        "grpcs://models:8500",
        "grpcs://10.0.0.1:8500,10.0.0.2:8500",
        "http://models",
        "https://models.example",
        "https://models:8501",
    ],
)
def test_the_addresses_of_a_model_server_that_the_client_takes_are_taken(url: str) -> None:
    assert Settings.from_env({"US_BILLS_MODEL_SERVER": url}).model_server == url


def test_certificates_are_refused_for_plain_text_and_one_without_its_key(tmp_path: Path) -> None:
    file = str(tmp_path / "file")
    Path(file).write_text("")
    for name in ("US_BILLS_MODEL_SERVER_CA", "US_BILLS_CLIENT_CERT"):
        given = {name: file, "US_BILLS_CLIENT_KEY": file} if "CLIENT" in name else {name: file}
        with pytest.raises(BadSetting, match=r"US_BILLS_MODEL_SERVER: .* expected grpcs:// or"):
            Settings.from_env(given)
    encrypted = {"US_BILLS_MODEL_SERVER": "grpcs://models:8500", "US_BILLS_CLIENT_KEY": file}
    with pytest.raises(BadSetting, match=r"US_BILLS_CLIENT_CERT and US_BILLS_CLIENT_KEY: .* both"):
        Settings.from_env(encrypted)


def test_every_setting_is_described() -> None:
    for field in fields(Settings):
        assert variable(field.name) in describe()
        assert field.metadata["meaning"]


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(US_BILLS_\w+)` \| (?:`(.*?)`)? *\|", readme, re.MULTILINE))
    of_the_server = {
        "US_BILLS_GRPC_PORT",
        "US_BILLS_REST_PORT",
        "US_BILLS_PRECISION",
        "US_BILLS_VERIFY_KEY",
    }
    assert told.keys() - of_the_server == {variable(field.name) for field in fields(Settings)}
    for field in fields(Settings):
        assert told[variable(field.name)] == str(field.default)
