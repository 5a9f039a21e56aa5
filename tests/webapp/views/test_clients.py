"""The part of an address that identifies one client."""

import pytest

from webapp.views.clients import network


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_the_part_of_an_address_that_is_one_client(address: str | None, expected: str) -> None:
    assert network(address) == expected
