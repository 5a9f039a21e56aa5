"""Plots of a model: architecture, learning curves, confusion matrix, calibration, mistakes."""

import csv
import math
import re
from itertools import groupby
from pathlib import Path
from typing import Any

import keras
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from training.evaluation.measures import Answers

# Makes the SVG files reproducible; see also the empty date in `save`.
mpl.rcParams["svg.hashsalt"] = "us-bills"
BLUE, RED, GREY = "#1d6fa5", "#c0392b", "#777777"
TILE = 200


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as SVG, which shows well at any size and is small in version control."""
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})


def learning(log: Path) -> Figure:
    """Returns accuracy and loss by epoch, from a run's `log.csv`."""
    rows = list(csv.DictReader(log.read_text(encoding="utf-8").splitlines()))
    epochs = [1 + int(row["epoch"]) for row in rows]
    figure = Figure(figsize=(9, 3.4))
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for key, label, colour in (
            (name, "training views", GREY),
            (f"val_{name}", "held-out views, averaged weights", BLUE),
        ):
            axes.plot(epochs, [float(row[key]) for row in rows], "o-", color=colour, label=label)
        axes.set(xlabel="epoch", title=name)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def confusion(figures: dict[str, Any]) -> Figure:
    """Returns the confusion matrix; each row sums to the pictures of a class."""
    table = figures["confusion"]
    names = list(table)
    names += sorted({said for row in table.values() for said in row} - set(names))
    counts = np.array([[table[label].get(said, 0) for said in names] for label in table])
    figure = Figure(figsize=(5.2, 4.8))
    axes = figure.subplots()
    axes.imshow(counts / counts.sum(1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if count > counts[row].sum() / 2 else "black"
        axes.text(column, row, str(count) if count else "", ha="center", va="center", color=colour)
    # A class may have dollar signs in its name, between which matplotlib would expect a formula.
    axes.set_xticks(range(len(names)), names, parse_math=False)
    axes.set_yticks(range(len(table)), list(table), parse_math=False)
    axes.set(xlabel="most likely class", ylabel="what it is")
    return figure


def reliability(figures: dict[str, Any]) -> Figure:
    """Returns how often answers of a confidence are right: on the diagonal if well calibrated."""
    bins = figures["reliability"]
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color=GREY)
    sizes = [20 + 300 * b["count"] / figures["photos"] for b in bins]
    axes.scatter(
        [b["confidence"] for b in bins], [b["right"] for b in bins], s=sizes, color=BLUE, alpha=0.7
    )
    error = figures["expected_calibration_error"]
    axes.set(xlabel="confidence", ylabel="share right", title=f"calibration error {error:.3f}")
    axes.grid(alpha=0.3)
    return figure


def risk_coverage(figures: dict[str, Any], threshold: float) -> Figure:
    """Returns what share of answers is wrong if only the surest ones are given."""
    points = figures["risk_coverage"]
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    coverage = [100 * point["coverage"] for point in points]
    axes.plot(coverage, [100 * point["risk"] for point in points], color=BLUE)
    given = [point["coverage"] for point in points if point["threshold"] >= threshold]
    at = 100 * max(given, default=0)
    axes.axvline(at, color=RED, linestyle="--", label=f"threshold {threshold:.3f}")
    axes.legend()
    axes.set(xlabel="answered, %", ylabel="wrong among the answered, %")
    axes.grid(alpha=0.3)
    return figure


def architecture(backbone: keras.Model, classes: list[str]) -> Figure:
    """Returns the network as boxes: heights show feature map sizes, widths numbers of channels."""
    stages = _stages(backbone)
    figure = Figure(figsize=(12, 3.6))
    axes = figure.subplots()
    x = _box(axes, 0, 224, 3, "uint8 RGB\n224 x 224 x 3\n/ 255", GREY)
    for name, (side, channels), weights in stages:
        text = f"{name}\n{side} x {side} x {channels}\n{weights:,} weights"
        x = _box(axes, x, side, channels, text, BLUE)
    text = f"mean, dense\n{len(classes)} classes\ntemperature"
    _box(axes, x, 7, len(classes), text, RED)
    axes.set(xlim=(-0.5, x + 1.5), ylim=(-0.62, 0.55))
    axes.axis("off")
    return figure


def _box(axes: Axes, x: float, side: int, channels: int, text: str, colour: str) -> float:
    height, width = max(0.06, side / 224), 0.12 + math.sqrt(channels) / 60
    axes.add_patch(mpl.patches.Rectangle((x, -height / 2), width, height, color=colour, alpha=0.75))
    axes.text(x + width / 2, -0.54, text, ha="center", va="top", fontsize=6.5)
    return x + width + 0.75


def _stages(backbone: keras.Model) -> list[tuple[str, tuple[int, int], int]]:
    """Returns (first layer, (side, channels), weights) of each series of equal resolution."""
    weighty = [layer for layer in backbone.layers if layer.weights]
    stages = []
    for side, layers in groupby(weighty, key=lambda layer: layer.output.shape[1]):
        stretch = list(layers)
        channels = stretch[-1].output.shape[-1]
        weights = sum(layer.count_params() for layer in stretch)
        stages.append((re.split(r"[._](?=\D)", stretch[0].name)[0], (side, channels), weights))
    return stages


def mistakes(answers: Answers, most: int = 24, columns: int = 6) -> Image.Image | None:
    """Returns the surest wrong answers as one picture; None where all answers are right."""
    wrong = answers.mistakes[:most]
    if not wrong:
        return None
    rows = -(-len(wrong) // columns)
    sheet = Image.new("RGB", (columns * TILE, rows * (TILE + 24)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, index in enumerate(wrong):
        photo = answers.photos[index]
        left, top = place % columns * TILE, place // columns * (TILE + 24)
        picture = photo.read()
        picture.thumbnail((TILE - 4, TILE))
        sheet.paste(picture, (left, top + 24))
        sure = "sure" if answers.accepted[index] else "unsure"
        said = f"{photo.label} called {answers.said[index]} {answers.confidence[index]:.2f} {sure}"
        draw.text((left + 4, top + 6), said, fill="black")
    return sheet
