"""The commands of `python -m training`; `export` and `counting` have their own modules."""

import argparse
import json
import shlex
from dataclasses import replace

from training import run_folder
from training.data import files
from training.evaluation import model_card
from training.flags import command_line, names_of, next_message, scan, scan_and_warn, stated
from training.recipe import Recipe


def inspect(given: argparse.Namespace) -> None:
    """Prints a table of a folder of photos, and draws some photos of each class."""
    from training.data import inspect

    found = inspect.look(scan(given))
    print(inspect.table(found))
    for line in files.lines(files.left_out(given.photos, given.skip)):
        print(line)
    given.sheet.parent.mkdir(parents=True, exist_ok=True)
    inspect.contact_sheet(found).save(given.sheet)
    print(f"contact sheet: {given.sheet}")


def fit(given: argparse.Namespace) -> None:
    """Trains a classifier, or resumes a run with the run's own recipe."""
    from training.fit import fit

    run_folder.require_no_counter(given.folder)
    photos = scan_and_warn(given)
    begun = Recipe()
    if given.resume:
        begun = run_folder.recipe_of(run_folder.read(given.folder), Recipe)
    recipe = replace(begun, **stated(given, Recipe))
    fit(
        photos,
        recipe,
        given.folder,
        command_line(),
        resume=given.resume,
        tensorboard=given.tensorboard,
    )


def folds(given: argparse.Namespace) -> None:
    """Measures a recipe on sources that training does not see, by leaving each source out once."""
    from training import folds

    photos = scan_and_warn(given)
    recipe = Recipe(**stated(given, Recipe))
    found = folds.figures(folds.run(photos, recipe, given.folder, command_line(), given.folds))
    page = given.folder / "folds.md"
    text = folds.markdown(found)
    page.write_text(text, encoding="utf-8")
    (given.folder / "folds.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{text}\nreport: {page}")


def review(given: argparse.Namespace) -> None:
    """Shows feedback in a browser until Ctrl-C, then prints the command for the accepted photos."""
    import webbrowser

    from training.review import server
    from webapp.feedback.store import ACCEPTED

    def opened(address: str) -> None:
        print(f"open {address} (Ctrl-C ends it)", flush=True)
        if given.browser:
            webbrowser.open(address)

    accepted = server.serve(given.folder, given.port, opened)
    print(f"\n{len(accepted)} photos are accepted.")
    if accepted:
        folder = shlex.quote(str(given.folder / ACCEPTED))
        print(f"next: .venv/bin/python -m training teach {folder}")


def teach(given: argparse.Namespace) -> None:
    """Makes a version from another version and new photos, and prints the next command."""
    from training.teaching.teach import STEPS, teach

    photos = scan_and_warn(given)
    version = teach(
        photos,
        given.model,
        given.models or given.model.absolute().parent,
        command_line(),
        given.lost_at_most,
        names_of(given),
        given.steps or STEPS,
    )
    print(f"made: {version}\n{next_message(version)}")


def rehearse(given: argparse.Namespace) -> None:
    """Writes the rehearsal set of a version into its folder."""
    from training.data import checks
    from training.data.split import split
    from training.rehearsal import parts, rehearsal

    photos = scan(given)
    card = model_card.read_classifier(given.model)
    checks.require_known(photos, card["classes"], given.model)
    recipe = run_folder.recipe_of(card, Recipe)
    training, held_out = split(photos, recipe.seed, recipe.held_out_source)
    network = parts.of_version(given.model, card)
    rehearsal.gather(network, training, held_out, card["classes"], recipe.seed).write(given.model)
    print(f"rehearsal set: {rehearsal.file(given.model)}")


def evaluate(given: argparse.Namespace) -> None:
    """Prints the figures of a version; writes its answers and a report if flags ask for them."""
    from training.evaluation import (
        answers_file,
        edges,
        evaluate,
        note_halves,
        precision,
        report,
        tables,
    )

    photos = scan_and_warn(given)
    # First, since its file is written by hand and the other figures may take an hour.
    halves = given.corners and note_halves.evaluate_halves(given.model, photos, given.corners)
    figures, answers = evaluate.evaluate(given.model, photos, slices=given.slices)
    print(tables.lines(figures))
    if halves:
        figures["note_halves"] = halves
        print(f"\n{tables.listed(halves, 'right denomination first, half of the note covered')}")
    if given.edges:
        figures["edges"] = edges.evaluate_edges(given.model, photos)
        print(f"\n{tables.listed(figures['edges'], 'sure answers to pictures of no one bill')}")
    if given.bfloat16:
        figures["bfloat16"] = precision.compare(given.model, answers.photos, slices=given.slices)
        print(f"\n{precision.table(figures['bfloat16'])}")
    if given.answers:
        answers_file.write(given.answers, answers)
        print(f"answers: {given.answers}")
    if given.report:
        facts = model_card.read(given.model)
        report.write(given.report, given.model, facts, figures, answers, given.folder)
        print(f"report: {given.report / 'report.md'}")


def card(given: argparse.Namespace) -> None:
    """Prints a version's model card, or inserts it into a document."""
    text = model_card.markdown(model_card.read_classifier(given.model))
    if given.into:
        model_card.put_into(given.into, text)
    else:
        print(text)
