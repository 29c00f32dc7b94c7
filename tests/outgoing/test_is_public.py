"""Which addresses are on the public internet: what server-side request forgery is tried with is not."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varsel.outgoing.guard import is_no_metadata, is_public

# IANA IPv4 Special-Purpose Address Registry, and what has another use than one host of the internet.
SPECIAL_IPV4 = """
    0.0.0.0/8  10.0.0.0/8  100.64.0.0/10  127.0.0.0/8  169.254.0.0/16  172.16.0.0/12  192.0.0.0/24  192.0.0.0/29
    192.0.0.8/32  192.0.0.9/32  192.0.0.10/32  192.0.0.170/31  192.0.2.0/24  192.88.99.0/24  192.168.0.0/16
    198.18.0.0/15  198.51.100.0/24  203.0.113.0/24  224.0.0.0/4  224.0.0.0/24  232.0.0.0/8  233.252.0.0/24
    239.0.0.0/8  240.0.0.0/4  255.255.255.255/32
"""

# IANA IPv6 Special-Purpose Address Registry, and what IANA has not given out as global unicast.
SPECIAL_IPV6 = """
    ::/128  ::1/128  ::/96  ::ffff:0:0:0/96  64:ff9b:1::/48  100::/64  100:0:0:1::/64  2001::/23  2001::/32
    2001:1::1/128  2001:1::2/128  2001:1::3/128  2001:2::/48  2001:3::/32  2001:4:112::/48  2001:10::/28
    2001:20::/28  2001:30::/28  2001:db8::/32  2002::/16  3fff::/20  4000::/2  5f00::/16  8000::/1  fc00::/7
    fd00::/8  fe80::/10  fec0::/10  ff00::/8
"""

# Where clouds tell their machines secrets.
METADATA = """
    169.254.169.254  169.254.169.253  169.254.169.123
    169.254.170.2  169.254.170.23  fd00:ec2::254  fd00:ec2::23
    fd20:ce::254
    168.63.129.16
    100.100.100.200
    192.0.0.192  fd00:c1::a9fe:a9fe
    169.254.0.23  169.254.10.10  100.88.222.5
    169.254.42.42  fd00:42::42
"""

# Private and loopback addresses inside others: mapped, compatible, translated, NAT64, 6to4, Teredo (its client's
# address is inverted), ISATAP of a link, and with the scope of an interface.
HIDDEN = """
    ::ffff:127.0.0.1  ::ffff:7f00:1  ::ffff:0.0.0.0  ::ffff:10.0.0.1  ::ffff:169.254.169.254  ::ffff:a9fe:a9fe
    ::ffff:192.168.0.1  ::ffff:255.255.255.255  ::ffff:224.0.0.1  ::ffff:168.63.129.16  ::ffff:100.100.100.200
    ::127.0.0.1  ::7f00:1  ::ffff:0:127.0.0.1  ::ffff:0:169.254.169.254
    64:ff9b::127.0.0.1  64:ff9b::10.0.0.1  64:ff9b::a9fe:a9fe  64:ff9b::168.63.129.16  64:ff9b::
    64:ff9b:1::127.0.0.1  64:ff9b:1:7f00:0:100::
    2002:7f00:1::  2002:7f00:0001::1  2002:a00:1::1  2002:a9fe:a9fe::  2002:c0a8:1::1  2002:808:808::1
    2001:0:4136:e378:8000:63bf:80ff:fffe  2001:0:7f00:1::  2001::1
    fe80::5efe:127.0.0.1
    ::1%1  ::1%lo  fe80::1%1  fe80::1%eth0  fe80::a9fe:a9fe%eth0  ff02::1%2  ::ffff:127.0.0.1%1  64:ff9b::127.0.0.1%1
"""

PUBLIC = """
    1.1.1.1  8.8.8.8  9.9.9.9  9.255.255.255  11.0.0.0  93.184.216.34  100.63.255.255  100.128.0.0  126.255.255.255
    128.0.0.0  169.253.255.255  169.255.0.0  172.15.255.255  172.32.0.0  192.0.1.0  192.0.3.0  192.167.255.255
    192.169.0.0  198.17.255.255  198.20.0.0  223.255.255.255  168.63.129.15  168.63.129.17  51.120.0.1  157.249.81.141
    2001:200::1  2001:4860:4860::8888  2606:4700:4700::1111  2620:fe::fe  2a00:1450:400f:80d::200e  2a02:20a0::1
    2400:cb00::1  2c0f:fb50::1  2003::1  3ffe::1
    ::ffff:8.8.8.8  ::ffff:93.184.216.34  64:ff9b::8.8.8.8  64:ff9b::808:808
"""

EVERY_IPV4 = st.integers(0, 2**32 - 1).map(IPv4Address)
SPECIAL = st.sampled_from([ip_network(text) for text in SPECIAL_IPV4.split()]).flatmap(
    lambda network: st.ip_addresses(network=network)
)


@pytest.mark.parametrize("network", [*SPECIAL_IPV4.split(), *SPECIAL_IPV6.split()])
def test_no_address_of_a_special_network_is_public(network: str) -> None:
    addresses = ip_network(network)

    for address in (addresses[0], addresses[addresses.num_addresses // 2], addresses[-1]):
        assert not is_public(address)


@pytest.mark.parametrize("address", METADATA.split())
def test_no_metadata_service_of_a_cloud_is_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", HIDDEN.split())
def test_an_address_that_hides_a_private_one_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_an_ordinary_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.one_of(SPECIAL, EVERY_IPV4))
def test_an_ipv6_address_with_an_ipv4_address_inside_is_public_only_where_that_one_is(address: IPv4Address) -> None:
    number = int(address)

    assert is_public(IPv6Address(f"::ffff:{address}")) == is_public(address)
    assert is_public(IPv6Address(f"64:ff9b::{address}")) == is_public(address)
    for form in (
        IPv6Address(number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x20010000 << 96 | number << 64 | 0xFFFFFFFF),
        IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | number ^ 0xFFFFFFFF),
        IPv6Address(f"::ffff:0:{address}"),
        IPv6Address(f"64:ff9b:1::{address}"),
    ):
        assert not is_public(form)


@pytest.mark.parametrize(
    ("address", "is_none"),
    [
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("fe80::1", False),
        ("fd00:ec2::254", False),
        ("100.100.100.200", False),
        ("192.0.0.192", False),
        ("168.63.129.16", False),
        ("10.0.0.1", True),
        ("127.0.0.1", True),
        ("fd12::1", True),
        ("8.8.8.8", True),
    ],
)
def test_metadata_is_told_from_other_private_addresses(address: str, is_none: bool) -> None:
    assert is_no_metadata(ip_address(address)) is is_none


@given(SPECIAL)
def test_no_special_ipv4_address_is_public(address: IPv4Address) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_is_public_only_where_iana_gives_out_or_maps_addresses(address: IPv6Address) -> None:
    given_out = [ip_network(text) for text in ("2000::/3", "::ffff:0:0/96", "64:ff9b::/96")]

    assert not is_public(address) or any(address in network for network in given_out)
