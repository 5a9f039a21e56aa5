"""The texts by which the page and the API show and say the classes of a version."""

from collections.abc import Mapping
from typing import Any

from webapp.feedback.record import UNLISTED
from webapp.inference.classifier import ClassifiedPhotos
from webapp.names import OTHER, Name, Names
from webapp.views.translations import LANGUAGES, language


class Naming:
    """Shows and says the classes of one version in one language."""

    def __init__(self, names: Names, lang: str) -> None:
        self._names, self._lang = names, lang
        self._phrases: Mapping[str, Any] = LANGUAGES[lang]

    def shown(self, label: str) -> str:
        """Return the headline: `$20`, `Not a US bill`, or the name of a class that is no money."""
        name = self._names.of(label)
        return self._words(name) if name.value is None else f"${name.amount()}"

    def listed(self, label: str) -> str:
        """Return the text for a list, which distinguishes two designs of one value."""
        name, shown = self._names.of(label), self.shown(label)
        return shown if name.value is None or name.amount() == label else f"{shown} ({label})"

    def sent_back(self, label: str) -> str:
        """Return the text for a class that a person sends back, which may be `UNLISTED`."""
        unlisted = str(self._phrases["feedback"]["unlisted"])
        return unlisted if label == UNLISTED else self.listed(label)

    def said(self, label: str) -> str:
        """Return the spoken text: `20 dollars`, or the name of a class that is no money."""
        name = self._names.of(label)
        if name.value is None or self._lang in name.spoken:
            return self._words(name)
        if name.value == 1:
            return str(self._phrases["one_dollar"])
        return str(self._phrases["dollars"]).format(n=name.amount())

    def code(self, label: str) -> str:
        """Return the key for pulses, tones and sums: the value, or the label if it is no money."""
        return self._names.of(label).amount() or label

    def _words(self, name: Name) -> str:
        stated = name.spoken.get(self._lang)
        return stated or (str(self._phrases["other"]) if name.label == OTHER else name.label)


def add_said(reply: ClassifiedPhotos) -> None:
    """Add the spoken text to each prediction, in the request's language; None for no answer."""
    naming = Naming(reply.names, language())
    for prediction in reply.predictions:
        if "probabilities" in prediction:
            answered = prediction["denomination"]
            prediction["said"] = None if answered is None else naming.said(answered)
