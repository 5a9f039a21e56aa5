"""Flags are accepted in TensorFlow Serving's forms."""

from __future__ import annotations

import pytest

from serving.local.errors import StatusError
from serving.local.settings import Settings, help_text, parse


@pytest.mark.parametrize("form", [["--port=9"], ["--port", "9"]])
def test_a_value_follows_an_equals_sign_or_a_space(form: list[str]) -> None:
    settings, unknown = parse(form, {})
    assert settings.port == 9
    assert unknown == []


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (["--rest_api_enable_cors_support"], True),
        (["--rest_api_enable_cors_support=false"], False),
        (["--rest_api_enable_cors_support", "true"], True),
    ],
)
def test_a_yes_or_no_flag_may_stand_alone(form: list[str], value: bool) -> None:
    assert parse([*form, "--port=1"], {})[0].rest_api_enable_cors_support is value


def test_the_environment_gives_the_ports_and_a_flag_overrules_it() -> None:
    environment = {"US_BILLS_GRPC_PORT": "1", "US_BILLS_REST_PORT": "2"}
    settings, _ = parse(["--port=3"], environment)
    assert (settings.port, settings.rest_api_port) == (3, 2)


def test_what_is_unknown_is_handed_back() -> None:
    assert parse(["--nonsense=1", "word"], {}) == (Settings(), ["--nonsense=1", "word"])


def test_encryption_that_cannot_be_had_is_refused_in_place_of_plain_text() -> None:
    with pytest.raises(StatusError, match="this server does not speak"):
        parse(["--use_alts_credentials"], {})
    assert parse(["--use_alts_credentials=false"], {})[0] == Settings()


WRONG = [
    ["--port"],
    ["--port=x"],
    ["--port=8_500"],
    ["--port=8500 "],
    ["--enable_model_warmup=maybe"],
    ["--enable_model_warmup=1"],
    ["--enable_model_warmup=True"],
    ["--rest_api_num_threads=0"],
    ["--grpc_max_threads=-1"],
    ["--grpc_max_message_bytes=-1"],
    ["--grpc_max_message_bytes=4294967296"],
    ["--tensorflow_intra_op_parallelism=3000000000"],
    ["--rest_api_port=65536"],
    ["--port=" + 5_000 * "1"],
]


@pytest.mark.parametrize("form", WRONG, ids=lambda form: form[0][:60])
def test_a_missing_or_wrong_value_is_refused_by_the_flags_name(form: list[str]) -> None:
    with pytest.raises(StatusError, match=form[0].partition("=")[0]):
        parse(form, {})


def test_a_number_out_of_range_is_told_what_was_expected() -> None:
    sentence = "expects a whole number from 1 to 2147483647. Received: '4294967296'."
    with pytest.raises(StatusError, match=sentence):
        parse(["--grpc_max_message_bytes=4294967296"], {})
    assert parse(["--max_tensor_bytes=4294967296"], {})[0].max_tensor_bytes == 2**32


def test_half_the_bits_are_bfloat16_and_nothing_else() -> None:
    assert parse(["--mixed_precision=bfloat16"], {})[0].mixed_precision == "bfloat16"
    assert parse(["--mixed_precision="], {})[0] == Settings()
    sentence = "--mixed_precision expects bfloat16 or nothing. Received: 'float16'."
    with pytest.raises(StatusError, match=sentence):
        parse(["--mixed_precision=float16"], {})


def test_a_wrong_port_in_the_environment_is_refused_by_the_variables_name() -> None:
    with pytest.raises(StatusError, match="US_BILLS_GRPC_PORT: expects a whole number"):
        parse([], {"US_BILLS_GRPC_PORT": "x"})


def test_the_help_names_every_flag() -> None:
    names = [*Settings.__dataclass_fields__, "version", "help"]
    assert all(f"--{name}" in help_text() for name in names)
