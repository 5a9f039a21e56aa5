"""Prepared answers that the real model cannot be made to give at the moment a test needs them."""

from collections.abc import Sequence
from typing import Any

from webapp.app import create_app
from webapp.inference.bills import Bill, CountedPhoto
from webapp.inference.classifier import ClassifiedPhotos
from webapp.names import Names
from webapp.settings import Settings
from webapp.views.naming import Naming
from webapp.views.pages import answer_page

_NAMES = ("1", "5", "10", "20", "50", "100", "Other")


def prediction(denomination: str | None, likeliest: str = "Other") -> dict[str, Any]:
    """The model's answer for one picture; None where it is not sure, and what is likeliest then."""
    first = denomination or likeliest
    names = [first, *(name for name in _NAMES if name != first)]
    values = [0.97 if denomination else 0.6, *[0.005] * (len(names) - 1)]
    return {
        "filename": None,
        "denomination": denomination,
        "value": Names().of(denomination).value if denomination else None,
        "said": Naming(Names(), "en").said(denomination) if denomination else None,
        "accepted": denomination is not None,
        "probabilities": dict(zip(names, values, strict=True)),
        "heatmap": [[0.0, 0.5], [0.5, 1.0]],
    }


def reply(denomination: str | None, likeliest: str = "Other") -> ClassifiedPhotos:
    """The front end's reply about one picture."""
    model = {"name": "us_bills", "version": 1, "label": "stable"}
    return ClassifiedPhotos(model, [prediction(denomination, likeliest)])


def html(denomination: str | None, bills: Sequence[str] = ()) -> str:
    """The page that the front end makes of such an answer, where a counter sees such bills."""
    answer = reply(denomination)
    place = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.3], [0.1, 0.3]]
    if bills:
        seen = CountedPhoto([Bill(name, place, 0.9) for name in bills], True)
        answer.predictions[0].update(seen.to_json(), denomination=None, accepted=False)
    with create_app(Settings()).test_request_context("/predict?explain=1&lang=en"):
        return answer_page(answer)
