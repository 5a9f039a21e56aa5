"""Which clients may reload the configuration."""

from __future__ import annotations

import pytest

from serving.local.errors import Code, StatusError
from serving.local.grpc.answers import require_peer

HERE = ["ipv4:127.0.0.1:5000", "ipv4:127.1.2.3:1", "ipv6:[::1]:5000", "ipv6:%5B::1%5D:1", "unix:"]
ELSEWHERE = ["ipv4:172.18.0.3:5000", "ipv6:[2001:db8::1]:1", "ipv4:1.127.0.1:1", ""]


@pytest.mark.parametrize("peer", HERE)
def test_this_machine_may_reload(peer: str) -> None:
    require_peer(peer, from_any=False)


@pytest.mark.parametrize("peer", ELSEWHERE)
def test_another_machine_may_reload_only_where_a_flag_says_so(peer: str) -> None:
    with pytest.raises(StatusError, match="--reload_config_from_any_peer") as refusal:
        require_peer(peer, from_any=False)
    assert refusal.value.code is Code.PERMISSION_DENIED
    require_peer(peer, from_any=True)
