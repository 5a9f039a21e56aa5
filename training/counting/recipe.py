"""The settings of a training run of the counter. Imports no TensorFlow."""

from dataclasses import dataclass

from training.recipe import check_ranges, setting


@dataclass(frozen=True)
class CountRecipe:
    """Everything that decides the result, except the photos; each field is a flag of `fit-count`.

    Raises:
        ValueError: A number is out of its range.
    """

    weights: str = setting(
        "models/us_bills/1", "folder of the classifier version that detector and reader start from"
    )
    corners: str = setting(
        "", "CSV file with the corners of whole bills that do not fill their photo"
    )
    single: str = setting(
        "", "CSV file with the corners of the bill in photos that show exactly one"
    )
    start: str = setting("", "folder of a finished run whose detector and reader to train further")
    scenes: int = setting(24_000, "scenes shown to the detector", least=1)
    cuttings: int = setting(12_000, "cut-out bills shown to the reader", least=1)
    rate: float = setting(2e-3, "highest learning rate of the detector", least=1e-9)
    reader_rate: float = setting(3e-4, "highest learning rate of the reader", least=1e-9)
    batch: int = setting(16, "scenes per step", least=1)
    patience: int = setting(10, "epochs without improvement that end the detector's stage", least=1)
    seed: int = setting(1, "seed of the split, the order and the scenes", least=0, most=2**32 - 1)

    def __post_init__(self) -> None:
        check_ranges(self)
