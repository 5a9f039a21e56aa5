"""A hostile picture harms only the process that decodes it, and no other request."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests import specimen
from tests.support.servers import ROOT, wait_until
from tests.webapp import hostile
from tests.webapp.sending import Watched, send
from webapp.decoding.fair_queue import FairQueue
from webapp.decoding.pool import (
    Busy,
    DecodeOptions,
    DecodePool,
    Place,
    Requester,
    TooSlow,
    _Task,
    decoders,
)
from webapp.decoding.process import _COMMAND, Limits
from webapp.imaging.errors import DamagedImage, TooCostly
from webapp.imaging.jpeg import MAX_SCANS, count_scans
from webapp.imaging.preprocessing import open_header, open_upright
from webapp.timings import Timings

BILL = specimen.encode(specimen.bill("20", width=320), "JPEG")
# By the estimate.
SLOW = specimen.encode(Image.new("L", (5000, 4000)), "PNG")


@contextmanager
def all_taken(queue: FairQueue[Any]) -> Iterator[None]:
    """Holds all processes of a queue."""
    with ExitStack() as later:
        while queue._free:
            later.callback(queue.release, queue.acquire("test", 10))
        yield


class RememberedPlace(Place):
    """Is always free, and remembers what was done with it."""

    def __init__(self) -> None:
        self.calls = list[str]()

    def release(self) -> None:
        self.calls.append("release")

    def acquire(self, deadline: float) -> None:
        self.calls.append("acquire")


def let_quick_ones_take(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Switches the estimate off, so that the processor time alone decides."""
    limits = Limits(700_000_000, 0, most_estimated=60.0, most_seconds=seconds)
    for process in decoders._quick:
        monkeypatch.setattr(process, "_limits", limits)


def test_when_all_decoders_are_busy_until_the_deadline_it_is_503(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(timeout=0.1)
    with all_taken(decoders._quick_queue):
        refused = send(client, BILL)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "2"


def test_a_picture_with_lab_colours_is_read_in_a_confined_process() -> None:
    picture = specimen.encode(Image.new("LAB", (300, 200)), "TIFF")
    decoded = decoders.decode(picture, DecodeOptions(), time.monotonic() + 60, Timings())
    assert decoded.size == (300, 200)


def test_a_picture_that_takes_too_long_is_504_and_its_decoder_is_replaced(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(client, SLOW).status_code == 200
    before = set(decoders.pids())
    monkeypatch.setattr("webapp.decoding.pool.SLOWEST", 0.3)
    slow = send(client, hostile.slow_picture())
    monkeypatch.undo()
    assert slow.status_code == 504
    assert "smaller" in slow.get_json()["detail"]
    assert send(client, SLOW).status_code == 200
    assert set(decoders.pids()) != before


def test_a_picture_that_has_used_up_its_time_is_not_tried_in_the_slow_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webapp.decoding.pool.SLOWEST", 0.3)
    let_quick_ones_take(monkeypatch, seconds=60)
    with all_taken(decoders._slow_queue), pytest.raises(TooSlow):
        decoders.decode(
            hostile.slow_picture(),
            DecodeOptions(),
            time.monotonic() + 60,
            Timings(),
            Requester("a"),
        )


def test_a_picture_for_which_no_time_is_left_is_not_decoded() -> None:
    with pytest.raises(TooSlow):
        decoders.decode(BILL, DecodeOptions(), time.monotonic() - 1, Timings())


def test_a_picture_that_was_never_begun_does_not_send_the_next_ones_to_the_slow_lane() -> None:
    client = Requester("in a hurry")
    with pytest.raises(TooSlow):
        decoders.decode(BILL, DecodeOptions(), time.monotonic() - 1, Timings(), client)
    with all_taken(decoders._slow_queue):
        decoders.decode(BILL, DecodeOptions(), time.monotonic() + 60, Timings(), client)


def test_a_slow_picture_leaves_the_others_their_answers(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.decoding.pool.SLOWEST", 0.3)
    photos = [(io.BytesIO(BILL), "bill.jpg"), (io.BytesIO(hostile.slow_picture()), "slow")]
    reply = client.post("/predict", data={"image": photos})
    assert reply.status_code == 200
    bill, slow = reply.get_json()["predictions"]
    assert bill["probabilities"]
    assert (slow["filename"], slow["error"]["status"]) == ("slow", 504)
    assert "fewer or smaller" in slow["error"]["detail"]


def test_a_decoder_that_is_still_starting_is_waited_for_and_kept(
    client_for: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = f"import time; time.sleep(2); {_COMMAND}"
    monkeypatch.setattr("webapp.decoding.process._COMMAND", late)
    decoders.close()
    hurried, patient = client_for(timeout=0.3), client_for(timeout=30)
    assert send(hurried, BILL).status_code == 503
    started = decoders.pids()
    assert send(patient, BILL).status_code == 200
    assert decoders.pids() == started


def test_it_is_ready_once_a_picture_has_been_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    late = f"import time; time.sleep(3); {_COMMAND}"
    monkeypatch.setattr("webapp.decoding.process._COMMAND", late)
    pool = DecodePool()
    with closing(pool):
        pool.start()
        with pytest.raises(Busy):
            pool.check_ready()
        for _ in wait_until("the processes to be started", time.monotonic() + 60):
            with suppress(Busy):
                pool.check_ready()
                break
        with all_taken(pool._quick_queue):
            pool.check_ready()  # it has been: others who ask for much make it no less ready


def test_where_no_decoder_can_be_started_it_is_503(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr("webapp.decoding.process.subprocess.Popen", refuse)
    decoders.close()
    assert send(client, BILL).status_code == 503
    monkeypatch.undo()
    assert send(client, BILL).status_code == 200


def test_a_decoder_that_was_killed_is_not_noticed(client: FlaskClient) -> None:
    assert send(client, BILL).status_code == 200
    for pid in decoders.pids():
        os.kill(pid, signal.SIGKILL)
    assert send(client, BILL).status_code == 200


def test_a_picture_that_ends_its_decoder_is_damaged_and_not_tried_again(
    client: FlaskClient,
) -> None:
    # Nothing known crashes today's libraries, so something outside does.
    assert send(client, SLOW).status_code == 200
    before, picture = decoders.pids(), hostile.slow_picture()

    def crash() -> None:
        time.sleep(0.2)
        for pid in before:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSEGV)

    crasher = threading.Thread(target=crash)
    crasher.start()
    reply = send(client, picture)
    crasher.join()
    assert reply.status_code == 400
    assert "broke down" in reply.get_json()["detail"]


def test_a_picture_that_costs_more_than_estimated_goes_to_the_slow_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_quick_ones_take(monkeypatch, seconds=0.05)
    place = RememberedPlace()
    client = Requester("somebody", place)
    photo = decoders.decode(SLOW, DecodeOptions(), time.monotonic() + 60, Timings(), client)
    assert len(photo.pixels) == 224 * 224 * 3
    assert place.calls == ["acquire", "release"]
    # The next one of this kind and client goes there at once: the quick ones are not taken.
    with all_taken(decoders._quick_queue):
        decoders.decode(SLOW, DecodeOptions(), time.monotonic() + 60, Timings(), client)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Bytes of a BMP's size, and those of the first box of a HEIC.
        (b"BM\x01\0", b"BM\x02\0"),
        (b"\0\0\0\x18ftypheic", b"\0\0\0\x1cftypmif1"),
        (b"RIFF\x01", b"RIFF\x02"),
    ],
)
def test_a_kind_is_a_format_of_a_client_whatever_its_file_says_of_its_size(
    first: bytes, second: bytes
) -> None:
    def kind(data: bytes, client: str = "a") -> str:
        return _Task(data, DecodeOptions(), 0.0, Timings(), Requester(client), 0.0).kind

    assert kind(first) == kind(second) != kind(first, "b")
    assert kind(first) not in {kind(BILL), kind(SLOW), kind(b"\0\0\0\x18ftypavif"), kind(b"")}


def test_slow_pictures_are_decoded_one_at_a_time_and_hold_up_no_quick_one(
    client_for: Callable[..., FlaskClient],
) -> None:
    with all_taken(decoders._slow_queue):
        assert send(client_for(timeout=0.5), SLOW).status_code == 503
        assert send(client_for(), BILL).status_code == 200
    assert send(client_for(), SLOW).status_code == 200


def test_slow_pictures_that_wait_leave_their_places_to_others(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(at_once=1, timeout=20)
    with ThreadPoolExecutor(3) as threads, all_taken(decoders._slow_queue):
        waiting = [threads.submit(send, client, SLOW) for _ in range(3)]
        while len(decoders._slow_queue._queue) < 3:
            time.sleep(0.01)
        assert send(client, BILL).status_code == 200
    assert {each.result().status_code for each in waiting} == {200}


def test_a_request_whose_slow_picture_is_decoded_waits_for_a_place_again(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(at_once=1, timeout=12)
    places = client.application.extensions["places"]
    photos = {"image": [(io.BytesIO(SLOW), "slow"), (io.BytesIO(BILL), "bill.jpg")]}
    with ThreadPoolExecutor(1) as threads:
        with all_taken(decoders._slow_queue):
            waiting = threads.submit(client.post, "/predict", data=photos)
            while not decoders._slow_queue._queue:
                time.sleep(0.01)
            assert places.acquire(0)
        assert waiting.result().status_code == 429
    places.release()
    assert send(client, BILL).status_code == 200


def test_a_picture_that_needs_too_much_memory_is_refused() -> None:
    script = """
import resource, sys
from webapp.imaging.errors import DamagedImage, TooCostly
from webapp.imaging.preprocessing import open_upright
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
    assert count_scans(repeated) == 1
    with pytest.raises(DamagedImage):
        open_upright(repeated)


def test_a_sequential_jpeg_whose_first_scan_lacks_a_colour_is_looked_at_to_its_end() -> None:
    start = BILL.index(b"\xff\xda")
    assert BILL[start + 4] == 3
    one_colour = BILL[: start + 4] + b"\x01" + BILL[start + 5 :]
    end = one_colour.rindex(b"\xff\xd9")
    assert (
        count_scans(one_colour[:end] + b"\xff\xda\x00\x02" * MAX_SCANS + one_colour[end:])
        > MAX_SCANS
    )


def test_a_jpeg_of_as_many_scans_as_encoders_write_is_read() -> None:
    assert open_upright(hostile.many_scans(MAX_SCANS)).size == (64, 64)


def test_bytes_behind_the_picture_do_not_count() -> None:
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


def test_a_heic_of_tiles_as_phones_write_it_comes_with_a_small_copy() -> None:
    tile = (Path(__file__).parents[1] / "specimen.heic").read_bytes()
    large = hostile.grid_heic(tile, 4, 3, (320, 240))
    photo = decoders.decode(large, DecodeOptions(480), time.monotonic() + 60, Timings())
    assert photo.small is not None
    assert Image.open(io.BytesIO(photo.small)).size == (480, 270)
