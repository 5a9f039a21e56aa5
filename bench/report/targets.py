"""Compares figures with their targets; a figure is a number with its spread over the rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.names import FRONT_END, LOCAL_SERVER, contender_name
from bench.report.figures import Slice, Spread, ratio, spread, total

NAMES = {
    "signature": "the bare signature",
    "serve_bytes": "the bare `serve_bytes`",
    "session": "the session",
    "session_bfloat16": "the session in bfloat16",
}
RIVALS = {"onnx_runtime": "ONNX Runtime", "openvino": "OpenVINO", "litert": "LiteRT"}


class Figures:
    """The figures of a run, from the parsed file."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def served(self, name: str, clients: int) -> list[Slice]:
        """Returns a contender's slices, by round."""
        return [Slice(*each) for each in self.document["served"][name][str(clients)]]

    def looped(self, engine: str, threads: int) -> list[Slice]:
        """Returns an engine's slices, by round."""
        return [Slice(*each) for each in self.document["looped"][engine][str(threads)]]

    def decoded(self, way: str) -> list[float]:
        """Milliseconds of decoding, by round."""
        return [float(each) for each in self.document["decoded"][way]]

    def p50(self, name: str, clients: int = 1) -> list[float]:
        """A contender's median answer, by round."""
        return [each.p50 for each in self.served(name, clients)]

    def rate(self, name: str, clients: int) -> list[float]:
        """A contender's answers in a second, by round."""
        return [each.rate for each in self.served(name, clients)]

    def baseline(self, signature: str = "signature") -> list[float]:
        """The median of a signature without a server, by round."""
        return [each.p50 for each in self.looped(signature, 1)]

    def baseline_rate(self, signature: str = "signature") -> list[float]:
        """Answers in a second to two callers of a signature without a server, by round."""
        return [each.rate for each in self.looped(signature, 2)]

    def over_baseline(self, name: str, signature: str = "signature") -> Spread:
        """Returns a contender's median less that of a signature without a server, milliseconds."""
        pairs = zip(self.p50(name), self.baseline(signature), strict=True)
        return spread([served - bare for served, bare in pairs])


class Target(NamedTuple):
    """A row: what is measured, the target and the result."""

    measure: str
    wanted: str
    found: str
    held: bool


def targets(figures: Figures) -> list[Target]:
    """Returns all targets, in the order of the table."""
    parts = (_speed, _model_server, _against_others, _limits)
    return [target for part in parts for target in part(figures)]


def _speed(figures: Figures) -> list[Target]:
    reduced, full = (figures.decoded(f"{way}, 1 megapixel") for way in ("reduced", "full"))
    whole = figures.p50(contender_name(FRONT_END, "1 megapixel"))
    small = contender_name(FRONT_END, "224 px")
    over = figures.over_baseline(small)
    best = [max(each) for each in zip(*_rates(figures, small), strict=True)]
    return [
        most(
            "1-megapixel JPEG, p50 over bare signature + full decode and resize",
            1.15,
            ratio(whole, total(figures.baseline(), full)),
        ),
        most(
            "the same over bare signature + the front end's own decoding at reduced scale",
            1.15,
            ratio(whole, total(figures.baseline(), reduced)),
        ),
        most("224 px JPEG, p50 less the bare signature's, ms", 2.5, over),
        least(
            "224 px JPEG, saturated, answers/s over the bare signature's",
            0.85,
            ratio(best, figures.baseline_rate()),
        ),
    ]


def _model_server(figures: Figures) -> list[Target]:
    rows = []
    # The session with the precision of the server.
    bfloat16 = "session_bfloat16" in figures.document["looped"]
    session = "session_bfloat16" if bfloat16 else "session"
    for asked, signature, wanted in (
        ("gRPC, tensor", "signature", 1.0),
        ("REST, 224 px JPEG in base64", "serve_bytes", 2.5),
        ("gRPC, tensor", session, 1.0),
    ):
        way, what = asked.partition(",")[0], NAMES[signature]
        over = figures.over_baseline(f"{LOCAL_SERVER}, {asked}", signature)
        rows.append(most(f"{LOCAL_SERVER} by {way}, p50 less {what}'s, ms", wanted, over))
    eight = figures.rate(f"{LOCAL_SERVER}, gRPC, tensor", 8)
    for signature in ("signature", session):
        many = (
            f"{LOCAL_SERVER} by gRPC, 8 clients, answers/s over two callers of {NAMES[signature]}"
        )
        rows.append(least(many, 0.95, ratio(eight, figures.baseline_rate(signature))))
    return rows


def _rates(figures: Figures, name: str) -> list[list[float]]:
    return [figures.rate(name, clients) for clients in (8, 64)]


def _against_others(figures: Figures) -> list[Target]:
    rows = []
    for photo in ("224 px", "1 megapixel"):
        ours = contender_name(FRONT_END, photo)
        theirs = f"{contender_name('original design', photo)} in base64"
        faster = ratio(figures.rate(ours, 8), figures.rate(theirs, 8))
        sooner = ratio(figures.p50(ours), figures.p50(theirs))
        rows += [
            least(f"{photo}, 8 clients, answers/s over the original design's", 5, faster),
            most(f"{photo}, 1 client, p50 over the original design's", 1 / 3, sooner),
        ]
    rivals = [[each.p50 for each in figures.looped(engine, 1)] for engine in RIVALS]
    best = [min(each) for each in zip(*rivals, strict=True)]
    for name, wanted in (("signature", 1.5), ("session", 1.5), ("session_bfloat16", 1.0)):
        if name in figures.document["looped"]:
            apart = ratio(figures.baseline(name), best)
            rows.append(most(f"{NAMES[name]}, p50 over the best other engine's", wanted, apart))
    ways = [figures.decoded(f"{way}, 12 megapixels") for way in ("reduced", "full")]
    rows.append(most("12-megapixel JPEG, decode and resize over a full one's", 0.25, ratio(*ways)))
    return rows


def _limits(figures: Figures) -> list[Target]:
    long = figures.document["long"]
    lasted = Slice(*long["slice"])
    ideal = 1000 * 64 / lasted.rate
    apart = exactly(lasted.p99 / ideal)
    return [
        most(
            f"{FRONT_END}, MB for a worker and its decoders", 120, exactly(long["memory"]["worker"])
        ),
        most(
            f"{LOCAL_SERVER}, MB, a version of each model",
            900,
            exactly(long["memory"][LOCAL_SERVER]),
        ),
        most(f"64 clients for {long['seconds']:.0f} s: failed", 0, exactly(lasted.failed)),
        most("the same: p99 over 64 divided by the answers/s", 3, apart),
    ]


def exactly(value: float) -> Spread:
    """Returns the spread of a figure that was measured once."""
    return Spread(value, value, value)


def most(measure: str, wanted: float, found: Spread) -> Target:
    """Returns a row whose target is met if the median is at most `wanted`."""
    return Target(measure, f"at most {wanted:.3g}", format_spread(found), found.median <= wanted)


def least(measure: str, wanted: float, found: Spread) -> Target:
    """Returns a row whose target is met if the median is at least `wanted`."""
    return Target(measure, f"at least {wanted:.3g}", format_spread(found), found.median >= wanted)


def format_spread(found: Spread, digits: int = 3) -> str:
    """Returns the text of a median with its lowest and highest value, for the tables."""
    if math.isnan(found.median) or found.low == found.high:
        return number(found.median, digits)
    low, high = number(found.low, digits), number(found.high, digits)
    return f"{number(found.median, digits)} ({low} to {high})"


def number(value: float, digits: int = 3) -> str:
    """Returns a figure with `digits` significant digits and no exponent; NaN is a dash."""
    if math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    return f"{float(f'{value:.{digits}g}'):,.10g}"
