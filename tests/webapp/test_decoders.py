"""A hostile picture harms the process that decodes it, and nobody else."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests import specimen
from tests.support.servers import ROOT
from tests.webapp import hostile
from tests.webapp.uploads import Watched, send
from webapp import decoders as module
from webapp.bad_image import DamagedImage, TooCostly
from webapp.decoders import COUNT, TooSlow, _only_large, decoders
from webapp.jpeg import MAX_SCANS, is_costly
from webapp.preprocessing import open_header, open_upright
from webapp.stages import Stages

BILL = specimen.encode(specimen.bill("20", width=320), "JPEG")


def pids() -> list[int]:
    return [each._process.pid for each in decoders._all if each._process]


@contextmanager
def all_busy() -> Iterator[None]:
    with ExitStack() as later:
        for process in [decoders._idle.get(timeout=10) for _ in range(COUNT)]:
            later.callback(decoders._idle.put, process)
        yield


def test_when_all_decoders_are_busy_until_the_deadline_it_is_503(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(timeout=0.1)
    with all_busy():
        refused = send(client, BILL)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "2"


def test_a_picture_that_takes_too_long_is_504_and_its_decoder_is_replaced(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(client, BILL).status_code == 200
    before = pids()
    monkeypatch.setattr("webapp.decoders.SLOWEST", 0.2)
    slow = send(client, hostile.many_chunks(1_000_000))
    monkeypatch.undo()
    assert slow.status_code == 504
    assert "smaller" in slow.get_json()["detail"]
    assert send(client, BILL).status_code == 200
    assert pids() != before


def test_pictures_for_which_no_time_is_left_are_not_decoded(
    client_for: Callable[..., FlaskClient],
) -> None:
    large = specimen.encode(Image.new("L", (5000, 4000)), "PNG")
    photos = [(io.BytesIO(large), f"{n}.png") for n in range(16)]
    late = client_for(timeout=0.5).post("/predict", data={"image": photos})
    assert late.status_code == 504
    assert "fewer or smaller" in late.get_json()["detail"]
    with pytest.raises(TooSlow):
        decoders.look(BILL, 0, time.monotonic() - 1, Stages())


def test_a_decoder_that_is_still_starting_is_waited_for_and_kept(
    client_for: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = f"import time; time.sleep(2); {module._COMMAND}"
    monkeypatch.setattr("webapp.decoders._COMMAND", late)
    monkeypatch.setattr("webapp.decoders.SLOWEST", 1.5)
    for process in decoders._all:
        process.end()
    hurried, patient = client_for(timeout=0.3), client_for(timeout=30)
    assert send(hurried, BILL).status_code == 503
    started = pids()
    assert send(patient, BILL).status_code == 200
    assert pids() == started


def test_a_decoder_that_was_killed_is_not_noticed(client: FlaskClient) -> None:
    decoders.start()
    for pid in pids():
        os.kill(pid, signal.SIGKILL)
    assert send(client, BILL).status_code == 200


def test_a_picture_that_no_decoder_survives_is_damaged(client: FlaskClient) -> None:
    # Nothing known crashes today's libraries, so something outside does, each time anew.
    over = threading.Event()

    def crash() -> None:
        while not over.wait(0.05):
            for pid in pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSEGV)

    crasher = threading.Thread(target=crash)
    crasher.start()
    reply = send(client, hostile.many_chunks(1_000_000))
    over.set()
    crasher.join()
    assert reply.status_code == 400
    assert "broke down" in reply.get_json()["detail"]


def test_a_picture_that_needs_too_much_memory_is_refused() -> None:
    script = """
import resource, sys
from webapp.bad_image import DamagedImage, TooCostly
from webapp.preprocessing import open_upright
held = int(open("/proc/self/status").read().partition("VmData:")[2].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (held + 100_000_000,) * 2)
try:
    open_upright(sys.stdin.buffer.read())
except TooCostly as error:
    print(error)
"""
    large = specimen.encode(Image.new("RGB", (7000, 7000)), "PNG", compress_level=1)
    done = subprocess.run(
        [sys.executable, "-c", script], input=large, cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"The picture takes too much memory")


@pytest.mark.parametrize(
    "picture",
    [
        hostile.many_scans(MAX_SCANS + 1),
        hostile.many_scans(2, start_of_frame=0xCA),
        hostile.many_scans(MAX_SCANS + 1).replace(b"\xff\xda", b"\xff\xff\xff\xda"),
    ],
    ids=["scans", "arithmetic coding", "scans behind fill bytes"],
)
def test_a_jpeg_that_would_take_long_is_refused_from_its_markers(picture: bytes) -> None:
    with pytest.raises(TooCostly):
        open_header(picture)


def test_scans_behind_one_that_holds_the_whole_picture_are_left_to_the_decoder_which_stops() -> (
    None
):
    end = BILL.rindex(b"\xff\xd9")
    scan = BILL[BILL.index(b"\xff\xda") : end]
    repeated = BILL[:end] + scan * 2_000 + BILL[end:]
    assert not is_costly(repeated)
    with pytest.raises(DamagedImage):
        open_upright(repeated)


def test_a_sequential_jpeg_whose_first_scan_lacks_a_colour_is_looked_at_to_its_end() -> None:
    start = BILL.index(b"\xff\xda")
    assert BILL[start + 4] == 3
    one_colour = BILL[: start + 4] + b"\x01" + BILL[start + 5 :]
    end = one_colour.rindex(b"\xff\xd9")
    assert is_costly(one_colour[:end] + b"\xff\xda\x00\x02" * MAX_SCANS + one_colour[end:])


def test_a_jpeg_of_as_many_scans_as_encoders_write_is_read() -> None:
    assert open_upright(hostile.many_scans(MAX_SCANS)).size == (64, 64)


def test_what_follows_the_picture_does_not_count() -> None:
    video = b"\xff\xda" * 1000
    assert open_upright(BILL + video).size == (320, 240)


def test_strips_of_a_tiff_that_lie_at_one_place_are_not_each_read_to_the_end_of_the_file() -> None:
    picture = hostile.strips_at_one_place(100, behind=1_000_000)
    header: Any = open_header(picture)
    assert header.size == (1000, 100)
    header.fp = file = Watched(picture)
    header.load()
    # Some bytes more are those of the directory.
    assert 100 * 1000 <= sum(file.given) <= 101 * 65_536


def test_large_pictures_are_decoded_one_at_a_time(client_for: Callable[..., FlaskClient]) -> None:
    large = specimen.encode(Image.new("L", (5000, 4000)), "PNG")
    with _only_large:
        assert send(client_for(timeout=0.5), large).status_code == 503
        assert send(client_for(), BILL).status_code == 200
    assert send(client_for(), large).status_code == 200
