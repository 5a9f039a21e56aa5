"""The page for people. It is one template: empty, with an answer, or with a problem."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Show the page where a photo can be given."""
    return render_template("page.html")
