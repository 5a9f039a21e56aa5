"""Forms are found and filled in as a browser does."""

import pytest

from bench.drill.forms import forms_of

PAGE = """
<datalist id="labels"><option value="5"></datalist>
<form action="/first" method="post"><input type="file" name="image"></form>
<form action="there?lang=en" method="post">
  <input type="hidden" name="image" value="data:,">
  <select name="was"><option value="">pick</option><option value="10">10</option></select>
  <input type="checkbox" name="consent" value="yes" required>
  <button name="decision" value="accept">yes</button>
  <button name="decision" value="discard">no</button>
</form>
"""


def test_a_form_has_its_address_its_fields_and_what_it_offers() -> None:
    first, second = forms_of(PAGE, "http://127.0.0.1:1/token/")
    assert first.address == "http://127.0.0.1:1/first"
    assert second.address == "http://127.0.0.1:1/token/there?lang=en"
    filled = second.filled(was="10", consent="yes", decision="discard")
    assert filled == {"image": "data:,", "was": "10", "consent": "yes", "decision": "discard"}


def test_a_box_that_nobody_ticked_is_not_sent() -> None:
    assert "consent" not in forms_of(PAGE, "http://127.0.0.1:1/")[1].filled(was="10")


@pytest.mark.parametrize("value", [{"was": "20"}, {"consent": "no"}, {"nothing": "1"}])
def test_what_a_form_does_not_offer_is_refused(value: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="does not take"):
        forms_of(PAGE, "http://127.0.0.1:1/")[1].filled(**value)
