"""A trace is read from well-formed headers only, and passed on to requests within its block."""

from __future__ import annotations

import subprocess
import sys

import pytest

from serving.tracing import carried, carried_id, carrying, received

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("parent", [PARENT, f"01-{TRACE}-00f067aa0ba902b7-00", f"cc{PARENT[2:]}-x"])
def test_a_trace_is_taken(parent: str) -> None:
    assert received(parent, None) == (("traceparent", parent),)


@pytest.mark.parametrize(
    "parent",
    [
        None,
        b"binary",
        "",
        PARENT.upper(),
        f"{PARENT} ",
        f"{PARENT}\n",
        f"{PARENT}-more",
        f"ff{PARENT[2:]}",
        PARENT.replace(TRACE, 32 * "0"),
        f"00-{TRACE}-{16 * '0'}-01",
        f"01{PARENT[2:]}-{'x' * 201}",
        f"01{PARENT[2:]}-two\r\nlines",
    ],
)
def test_what_is_malformed_is_no_trace(parent: object) -> None:
    assert received(parent, "vendor=1") == ()


def test_a_state_goes_along_unless_it_is_malformed() -> None:
    assert received(PARENT, "vendor=1")[1:] == (("tracestate", "vendor=1"),)
    for state in ("", "é", "a\nb", 513 * "x"):
        assert received(PARENT, state)[1:] == ()


def test_a_trace_is_carried_within_its_block() -> None:
    assert (carried(), carried_id()) == ((), None)
    with carrying(received(PARENT, None)):
        assert (carried(), carried_id()) == ((("traceparent", PARENT),), TRACE)
    assert (carried(), carried_id()) == ((), None)


@pytest.mark.parametrize("module", ["webapp.app", "serving.local.server"])
def test_nothing_of_opentelemetry_is_imported_where_no_spans_are_asked_for(module: str) -> None:
    found = "any('opentelemetry' in name for name in sys.modules)"
    program = f"import sys, {module}; sys.exit({found})"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
