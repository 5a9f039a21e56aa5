"""Several bills on a photo: `bills`, `total` and `count`, with a real server that has a counter."""

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests import specimen
from tests.support.counting import NONSENSE, picture
from tests.support.servers import ROOT, ModelServer, free_port
from webapp.inference import counter
from webapp.inference.counter import MOST_PICTURES

FIVE = Image.open(ROOT / "webapp" / "static" / "samples" / "five.webp").convert("RGB")
# Small enough for the classifier to go on seeing the five of the sample beneath.
SMALL = [(2 + 30 * n, 2, 24 + 30 * n, 10) for n in range(3)]
COUNTER = {"available": True, "name": "us_bills_count", "version": 3, "label": "stable"}

App = Callable[..., FlaskClient]


@pytest.fixture
def counting(client_for: App, counting_server: ModelServer) -> App:
    """Builds the application in front of the server that has a counter."""
    return lambda **settings: client_for(
        **{"model_server": counting_server.grpc_url, "counter": "us_bills_count", "timeout": 120.0}
        | settings
    )


def ask(client: FlaskClient, photo: Image.Image, query: str = "", **how: Any) -> dict[str, Any]:
    png = specimen.encode(photo, "PNG", **how)
    reply = client.post(f"/predict{query}", data=png, content_type="image/png")
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.get_json()
    return answer


def only(answer: dict[str, Any]) -> dict[str, Any]:
    [prediction] = answer["predictions"]
    return dict(prediction)


def values(answer: dict[str, Any]) -> list[str]:
    return [bill["class"] for bill in only(answer)["bills"]]


def test_a_photo_without_bills_has_an_empty_list(counting: App) -> None:
    answer = ask(counting(), picture([]))
    assert only(answer)["bills"] == []
    assert only(answer)["total"] == 0
    assert answer["count"] == COUNTER


def test_several_bills_are_listed_by_value_with_their_sum(counting: App) -> None:
    bills = [("1", (10, 10, 90, 60)), ("20", (150, 20, 300, 90)), ("10", (20, 120, 200, 250))]
    answer = ask(counting(), picture(bills))
    assert values(answer) == ["20", "10", "1"]
    assert only(answer)["total"] == 31


@pytest.mark.parametrize("size", [(448, 336), (336, 448), (400, 400)])
def test_a_box_is_told_in_shares_of_the_photo(counting: App, size: tuple[int, int]) -> None:
    width, height = size
    box = (width // 4, height // 8, width // 2, height // 4)
    [bill] = only(ask(counting(), picture([("5", box)], size=size)))["bills"]
    expected = [[0.25, 0.125], [0.5, 0.125], [0.5, 0.25], [0.25, 0.25]]
    # A pixel of the counter's square, either way.
    assert bill["box"] == [pytest.approx(corner, abs=0.004) for corner in expected]
    assert bill["score"] == 0.9


def test_a_photo_that_was_taken_turned_is_told_upright(counting: App) -> None:
    upright = picture([("50", (0, 0, 168, 112))], size=(336, 448))
    lying, exif = upright.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6
    [bill] = only(ask(counting(), lying, exif=exif))["bills"]
    assert bill["box"] == [[0, 0], [0.5, 0], [0.5, 0.25], [0, 0.25]]


def test_a_list_in_doubt_has_no_sum(counting: App) -> None:
    bills = [("20", (10, 10, 90, 60)), ("20", (150, 20, 300, 90))]
    prediction = only(ask(counting(), picture(bills, unsure=True)))
    assert prediction["total"] is None
    assert len(prediction["bills"]) == 2


@pytest.mark.parametrize("unsure", [False, True])
def test_two_different_bills_never_get_a_sure_single_answer(counting: App, unsure: bool) -> None:
    client = counting()
    photo = picture([("5", SMALL[0]), ("20", SMALL[1])], on=FIVE, unsure=unsure)
    assert only(ask(client, photo, "?count=0"))["denomination"] == "5"
    prediction = only(ask(client, photo))
    assert (prediction["denomination"], prediction["accepted"]) == (None, False)
    assert next(iter(prediction["probabilities"])) == "5"
    assert 'us_bills_withheld_total{reason="two_values"} 1.0' in client.get("/metrics").text


def test_one_accepted_bill_of_another_value_withholds_the_answer(counting: App) -> None:
    prediction = only(ask(counting(), picture([("20", SMALL[0])], on=FIVE)))
    assert (prediction["denomination"], prediction["accepted"]) == (None, False)
    assert prediction["total"] is None


@pytest.mark.parametrize("unsure", [False, True])
def test_several_bills_of_one_value_stand_beside_the_answer(counting: App, unsure: bool) -> None:
    photo = picture([("5", box) for box in SMALL], on=FIVE, unsure=unsure)
    prediction = only(ask(counting(), photo))
    assert (prediction["denomination"], prediction["accepted"]) == ("5", True)
    assert prediction["total"] == (None if unsure else 15)


def test_a_bill_of_another_value_alone_takes_the_answer_back_in_doubt_too(counting: App) -> None:
    photo = picture([("20", SMALL[0])], on=FIVE, unsure=True)
    assert only(ask(counting(), photo))["denomination"] is None


def doubtful(client: FlaskClient, on: Image.Image) -> Image.Image:
    """The picture so pale that the classifier finds its value likeliest, but is not sure."""
    for pale in range(10, 100, 2):
        photo = Image.blend(on, Image.new("RGB", on.size, "grey"), pale / 100)
        prediction = only(ask(client, photo, "?count=0"))
        likeliest = next(iter(prediction["probabilities"]))
        if not prediction["accepted"] and likeliest == "5":
            return photo
    raise AssertionError("at each shade it is sure, or finds another value likeliest")


def test_one_accepted_bill_of_the_likeliest_value_makes_it_the_answer(counting: App) -> None:
    client = counting()
    photo = doubtful(client, picture([("5", SMALL[0])], on=FIVE))
    assert only(ask(client, photo, "?count=0"))["denomination"] is None
    prediction = only(ask(client, picture([("5", SMALL[0])], on=photo)))
    assert (prediction["denomination"], prediction["value"]) == ("5", 5)
    assert prediction["accepted"]


@pytest.mark.parametrize(("value", "unsure"), [("20", False), ("5", True)])
def test_a_bill_of_another_value_or_in_doubt_makes_no_answer(
    counting: App, value: str, unsure: bool
) -> None:
    client = counting()
    photo = doubtful(client, picture([(value, SMALL[0])], on=FIVE, unsure=unsure))
    shown = picture([(value, SMALL[0])], on=photo, unsure=unsure)
    assert only(ask(client, shown))["denomination"] is None


def test_counting_can_be_left_out(counting: App) -> None:
    answer = ask(counting(), FIVE, "?count=0")
    assert answer["count"] == {"available": False, "reason": "not_asked"}
    assert not {"bills", "total"} & only(answer).keys()


def test_count_is_zero_or_one(client: FlaskClient) -> None:
    reply = client.post("/predict?count=yes", data=b"", content_type="image/jpeg")
    assert reply.status_code == 400
    assert "Unrecognized count: 'yes'" in reply.get_json()["detail"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"counter": ""}, "switched_off"),
        ({"counter": "coins"}, "not_served"),
        ({"counter": NONSENSE}, "bad_answer"),
    ],
)
def test_without_a_usable_counter_the_photo_is_answered_as_before(
    counting: App, settings: dict[str, str], reason: str
) -> None:
    client = counting(**settings)
    answer = ask(client, FIVE)
    assert answer["count"] == {"available": False, "reason": reason}
    assert f'us_bills_counts_total{{result="{reason}"}} 1.0' in client.get("/metrics").text
    assert only(answer) == only(ask(client, FIVE, "?count=0"))
    assert only(answer)["denomination"] == "5"


def test_a_counter_that_is_late_costs_its_own_time_and_only_now_and_then(counting: App) -> None:
    client = counting(counter_timeout=0.5)
    slow = picture([], on=FIVE, slow=True)
    answer = ask(client, slow)
    assert answer["count"] == {"available": False, "reason": "late"}
    assert only(answer)["denomination"] == "5"
    # It is not asked again at once.
    answer = ask(client, FIVE)
    assert answer["count"] == {"available": False, "reason": "late"}


def test_several_photos_that_are_late_say_nothing_about_the_next_one(counting: App) -> None:
    client = counting(counter_timeout=1.0)
    slow = specimen.encode(picture([], on=FIVE, slow=True), "PNG")
    files = [(io.BytesIO(slow), f"{n}.png") for n in range(2)]
    late = client.post("/predict", data={"image": files}).get_json()
    assert late["count"] == {"available": False, "reason": "late"}
    assert ask(client, FIVE)["count"] == COUNTER


def test_it_is_asked_again_after_a_pause(counting: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter, "OPEN_SECONDS", 0.0)
    client = counting(counter_timeout=0.3)
    assert ask(client, picture([], on=FIVE, slow=True))["count"]["available"] is False
    deadline = time.monotonic() + 60
    while ask(client, FIVE)["count"] != COUNTER:
        assert time.monotonic() < deadline


def test_of_several_photos_each_gets_its_bills_and_one_that_is_none_gets_none(
    counting: App,
) -> None:
    two = specimen.encode(picture([("1", SMALL[0]), ("10", SMALL[1])]), "PNG")
    files = [(io.BytesIO(data), "a.png") for data in (two, b"text", two)]
    answers = counting().post("/predict", data={"image": files}).get_json()["predictions"]
    assert [answer.get("total") for answer in answers] == [11, None, 11]
    assert "bills" not in answers[1]


def test_more_photos_than_the_counter_takes_at_once_are_all_counted(counting: App) -> None:
    many = MOST_PICTURES + 2
    png = specimen.encode(picture([("1", SMALL[0])]), "PNG")
    files = [(io.BytesIO(png), f"{n}.png") for n in range(many)]
    reply = counting(max_pictures=many).post("/predict", data={"image": files}).get_json()
    assert [answer["total"] for answer in reply["predictions"]] == [1] * many


def test_rest_gives_the_same_bills(counting: App, counting_server: ModelServer) -> None:
    photo = picture([("1", SMALL[0]), ("10", SMALL[1])])
    over_rest = ask(counting(model_server=counting_server.rest_url), photo)
    assert only(over_rest)["bills"] == only(ask(counting(), photo))["bills"]
    # That protocol does not tell.
    assert over_rest["count"] == COUNTER | {"version": None}


def test_the_log_and_the_metrics_tell_of_bills(
    counting: App, caplog: pytest.LogCaptureFixture
) -> None:
    client = counting()
    with caplog.at_level("INFO", "webapp.requests"):
        ask(client, picture([("1", SMALL[0]), ("10", SMALL[1])]))
    [line] = [record.__dict__["fields"] for record in caplog.records if "fields" in record.__dict__]
    assert (line["count"], line["bills"]) == ("ok", [["10", "1"]])
    told = client.get("/metrics").text
    assert 'us_bills_counts_total{result="ok"} 1.0' in told
    assert 'us_bills_bills_seen_total{accepted="true",bills="2"} 1.0' in told
    assert 'us_bills_stage_seconds_count{stage="count"} 1.0' in told
    assert "us_bills_counter_ready 1.0" in told


def test_readiness_says_whether_bills_would_be_counted(counting: App) -> None:
    there = {name: COUNTER[name] for name in ("available", "name", "label")}
    assert counting().get("/readyz").get_json() == {"status": "ready", "count": there}


@pytest.mark.parametrize(("name", "reason"), [("coins", "not_served"), ("", "switched_off")])
def test_without_a_counter_it_is_ready_all_the_same(counting: App, name: str, reason: str) -> None:
    client = counting(counter=name)
    reply = client.get("/readyz")
    assert reply.status_code == 200
    assert reply.get_json()["count"] == {"available": False, "reason": reason}
    assert "us_bills_counter_ready 1.0" not in client.get("/metrics").text


def test_without_a_model_server_it_is_not_ready_whatever_is_counted(client_for: App) -> None:
    away = client_for(model_server=f"grpc://127.0.0.1:{free_port()}", counter="us_bills_count")
    assert away.get("/readyz").status_code == 503
    assert "us_bills_counter_ready 0.0" in away.get("/metrics").text
