"""The time of real answers by stage, with and without counting."""

from pathlib import Path

import pytest

from bench.contenders.contender import Contender
from bench.load.generator import Generator, Target
from bench.stages import OUTSIDE, REST, STAGES, where_the_time_goes
from tests import specimen
from tests.support.counting import picture
from tests.support.servers import ModelServer
from tests.webapp.server import FrontEnd


@pytest.mark.parametrize(("counter", "counted"), [("us_bills_count", True), ("", False)])
def test_each_stage_has_its_share_and_counting_where_bills_are_counted(
    counting_server: ModelServer, tmp_path: Path, counter: str, counted: bool
) -> None:
    body = tmp_path / "photo.jpg"
    body.write_bytes(specimen.encode(picture([("20", (10, 10, 90, 60))]), "JPEG"))
    with (
        FrontEnd(counting_server.grpc_url, US_BILLS_COUNTER=counter) as front_end,
        Generator() as generator,
    ):
        front_end.wait_for("/readyz", 200)
        row = Contender("front end", [], Target(f"{front_end.url}/predict", str(body)))
        told = where_the_time_goes(generator, row, clients=2, seconds=1.0)
    assert list(told) == [*STAGES, REST, OUTSIDE]
    assert all(told[stage] > 0 for stage in STAGES if stage != "count")
    assert (told["count"] > 0) is counted
