"""Does what people do in a drill: ask on the page, send photos back, review the feedback."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import requests

from bench.drill.forms import Form, forms_of
from bench.drill.pictures import Picture
from tests.support.servers import ROOT
from webapp.feedback.record import UNLISTED

_HTML = {"Accept": "text/html"}
_SECONDS, _SECONDS_TO_END = 60, 15


class Reply(NamedTuple):
    """An answer.

    Attributes:
        told: the class in the answer; None if the model was not sure.
        version: the version that answered.
    """

    told: str | None
    version: int


def ask(url: str, picture: Picture) -> Reply:
    """Asks the front end at `url` as a client of the API does.

    Raises:
        requests.HTTPError: the front end did not answer with 200.
    """
    reply = _post(f"{url}/predict", files={"image": picture.data})
    document = reply.json()
    return Reply(document["predictions"][0]["denomination"], document["model"]["version"])


def send_back(url: str, picture: Picture, label: str) -> str:
    """Asks on the page, then reports the answer as wrong in the page's form, with consent.

    Args:
        url: the front end.
        picture: the picture to ask about.
        label: the class that the person states.

    Returns:
        The id of the kept photo.

    Raises:
        requests.HTTPError: the front end did not answer as expected.
        LookupError: the page has no feedback form.
    """
    page = _post(f"{url}/predict", files={"image": picture.data}, headers=_HTML)
    form = _feedback_form(page)
    was = label if label in form.choices["was"] else UNLISTED
    fields = {name: (None, value) for name, value in form.filled(was=was, consent="yes").items()}
    kept = _post(form.address, files=fields, headers=_HTML)
    return kept.headers["Location"].rpartition("/")[2]


def _feedback_form(page: requests.Response) -> Form:
    for form in forms_of(page.text, page.url):
        if "was" in form.choices:
            return form
    raise LookupError(f"{page.url} has no form to send a photo back with.")


def review(folder: Path, shown: Mapping[str, str], accepted: Collection[str]) -> tuple[int, int]:
    """Reviews all feedback on the page of `python -m training review`.

    Args:
        folder: the folder of feedback.
        shown: the class that each picture shows, by the picture's id.
        accepted: the classes to accept; pictures of other classes are discarded.

    Returns:
        How many pictures were accepted, and how many discarded.
    """
    decided = {"accept": 0, "discard": 0}
    with _review_page(folder) as address:
        while forms := forms_of(_get(address).text, address):
            for form in forms:
                name = re.split(r"[/?]", form.address.partition("/photos/")[2])[0]
                decision = "accept" if shown[name] in accepted else "discard"
                _post(form.address, data=form.filled(label=shown[name], decision=decision))
                decided[decision] += 1
    return decided["accept"], decided["discard"]


@contextmanager
def _review_page(folder: Path) -> Iterator[str]:
    """Starts the command, yields the page's address, and ends the command as Ctrl-C does."""
    command = [sys.executable, "-m", "training", "review", str(folder), "--no-browser"]
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            found = re.search(r"open (\S+) ", process.stdout.readline() if process.stdout else "")
            if not found:
                raise LookupError("`training review` did not say where its page is.")
            yield found[1]
            process.send_signal(signal.SIGINT)
            # Python loses a signal that arrives during a finalizer.
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_END)
        finally:
            process.kill()


def _post(url: str, **given: Any) -> requests.Response:
    reply = _session().post(url, timeout=_SECONDS, **given)
    reply.raise_for_status()
    return reply


def _get(url: str) -> requests.Response:
    reply = _session().get(url, timeout=_SECONDS)
    reply.raise_for_status()
    return reply


def _session() -> requests.Session:
    """Returns a session that uses no proxy, since both pages are on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session
