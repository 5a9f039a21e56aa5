"""The review page: accepts a photo, under the same or another class, or discards it.

The page needs no JavaScript. Its URL contains a secret token, so that another page in the same
browser can neither read the page nor send a decision.
"""

from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, abort, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from webapp.feedback.record import UNLISTED
from webapp.feedback.store import ACCEPTED, FeedbackStore, id_of

AT_ONCE = 48
"""Pictures on one page."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(store: FeedbackStore, token: str, hosts: list[str]) -> Flask:
    """Builds the Flask application of the page.

    Args:
        store: The folder of feedback.
        token: The first part of every URL path.
        hosts: The allowed `Host` headers, so that no other host name leads to this page.
    """
    app = Flask(__name__, static_url_path=f"/{token}/static")
    app.config["TRUSTED_HOSTS"] = hosts
    app.register_blueprint(_pages(store), url_prefix=f"/{token}")
    app.after_request(_add_headers)
    return app


def _pages(store: FeedbackStore) -> Blueprint:
    pages = Blueprint("review", __name__)

    @pages.get("/")
    def index() -> ResponseReturnValue:
        return render_template("review.html", **_shown(store))

    @pages.get("/photos/<name>")
    def photo(name: str) -> ResponseReturnValue:
        return send_file(_find(store, name), mimetype="image/jpeg")

    @pages.post("/photos/<name>")
    def decide(name: str) -> ResponseReturnValue:
        given = request.form.to_dict()
        _decide(store, _find(store, name), given.get("decision"), given.get("label", ""))
        return redirect(url_for("review.index", _anchor=request.args.get("next")), 303)

    return pages


def _decide(store: FeedbackStore, photo: Path, decision: str | None, label: str) -> None:
    if decision == "discard":
        store.delete(id_of(photo))
    elif decision == "accept":
        try:
            store.accept(photo, label.strip())
        except ValueError as error:
            abort(400, str(error))
    else:
        abort(400, f"Unrecognized decision: {decision!r}. Expected accept or discard.")


def _shown(store: FeedbackStore) -> dict[str, Any]:
    unchecked = store.photos()
    names = {photo.parent.name for photo in (*unchecked, *store.photos(ACCEPTED))}
    entries = [_entry(store, photo) for photo in unchecked[:AT_ONCE]]
    for entry in entries:
        names |= entry["probabilities"].keys()
    return {
        "entries": entries,
        "left": len(unchecked),
        "accepted": len(store.photos(ACCEPTED)),
        "folder": store.folder / ACCEPTED,
        "labels": sorted(names - {UNLISTED}, key=_by_value),
    }


def _entry(store: FeedbackStore, photo: Path) -> dict[str, Any]:
    feedback = store.find(id_of(photo))
    was = photo.parent.name
    return {
        "id": id_of(photo),
        "was": was,
        "label": "" if was == UNLISTED else was,
        "answered": feedback.answered if feedback else None,
        "version": feedback.version if feedback else None,
        "day": feedback.time[:10] if feedback else "",
        "probabilities": feedback.probabilities if feedback else {},
    }


def _find(store: FeedbackStore, name: str) -> Path:
    found = [photo for photo in store.photos() if id_of(photo) == name]
    if not found:
        abort(404, "This photo is not there any more: it was checked, or its sender deleted it.")
    return found[0].absolute()


def _by_value(name: str) -> tuple[bool, int, str]:
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


def _add_headers(response: Any) -> Any:
    response.headers.update(_HEADERS)
    return response
