"""What people do in a drill: ask on the page, send a photo back, look at what came back."""

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
        told: the class that was named; None where the model was not sure.
        version: which version answered.
    """

    told: str | None
    version: int


def ask(url: str, picture: Picture) -> Reply:
    """Asks the front end at `url` as a program does.

    Raises:
        requests.HTTPError: it did not answer with 200.
    """
    reply = _post(f"{url}/predict", files={"image": picture.data})
    document = reply.json()
    return Reply(document["predictions"][0]["denomination"], document["model"]["version"])


def send_back(url: str, picture: Picture, label: str) -> str:
    """Asks on the page, and fills in its form that the answer was wrong, and agrees.

    Args:
        url: the front end.
        picture: what is asked about.
        label: what the person says that it is.

    Returns:
        The id of what is kept.

    Raises:
        requests.HTTPError: the front end did not answer as expected.
        LookupError: the page has no such form.
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
    """Looks at all that came back, on the page of `python -m training review`.

    Args:
        folder: the folder of feedback.
        shown: what a reviewer sees on each picture, by its id.
        accepted: the classes to accept; what shows anything else is thrown away.

    Returns:
        How many were accepted, and how many thrown away.
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
    """Starts the command, gives the page's address, and ends it as Ctrl-C does."""
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
            # Python loses the signal where it comes within a finalizer.
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
    """Both pages are on this machine: no proxy is asked."""
    session = requests.Session()
    session.trust_env = False
    return session
