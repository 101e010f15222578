"""Viewers' addresses truncated and hashed, in every form in which one is written."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access_log import UserAgents, hash_addresses, truncate_addresses
from tests.unit.shared.access_log.logs import gz, header, read, row, table

truncate = truncate_addresses()
hashed = hash_addresses(b"k" * 16)


def test_addresses_of_a_log_can_be_truncated(agents: UserAgents) -> None:
    (values,) = table(read(gz(header(), row()), agents, privacy=truncate_addresses())[1])
    assert (values["requestip"], values["forwardedfor"]) == ("203.0.113.0", "198.51.100.0,2001:db8:1::")


def test_addresses_of_a_log_can_be_hashed(agents: UserAgents) -> None:
    data = gz(header(), row())
    first, again, other = (
        table(read(data, agents, privacy=hash_addresses(key * 16))[1])[0] for key in (b"a", b"a", b"b")
    )
    assert first == again
    assert first["requestip"] != other["requestip"]
    assert len(first["requestip"]) == 32
    assert [len(part) for part in first["forwardedfor"].split(",")] == [32, 32]


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        hash_addresses(b"short")


# RFC 4291, section 2.2 (forms of the same address) and 2.5.5.2 (mapped); RFC 5952, section 6, and RFC 7239,
# section 6 (ports, quotes); RFC 4007 (zones).
SAME = [
    ["2001:db8::8:800:200c:417a", "2001:DB8:0:0:8:800:200C:417A", "2001:0db8:0000:0000:0008:0800:200c:417a"],
    ["::ffff:129.144.52.38", "::FFFF:129.144.52.38", "0:0:0:0:0:ffff:8190:3426", "129.144.52.38"],
    [
        "192.0.2.43",
        "192.0.2.43:47011",
        '"192.0.2.43:47011"',
        '"192.0.2.43"',
        "::ffff:192.0.2.43",
        "[::ffff:192.0.2.43]:80",
    ],
    ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80", '"[2001:db8::1]:80"', "%5B2001:db8::1%5D:80"],
    ["fe80::1", "fe80::1%25eth0", "[fe80::1%25eth0]:443", "FE80::1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
]


@pytest.mark.parametrize("forms", SAME, ids=lambda forms: forms[0])
def test_all_forms_of_an_address_give_the_same(forms: list[str]) -> None:
    for change in (truncate, hashed):
        assert len({change(form) for form in forms}) == 1
    assert truncate(forms[0]) != "-"


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("::ffff:198.51.100.7", "198.51.100.0"),
        ("198.51.100.7:443", "198.51.100.0"),
        ("[2001:db8:1:2::3]:443", "2001:db8:1::"),
        ("::1", "::"),
        ("-", "-"),
        ("unknown", "-"),
        ("_hidden", "-"),
        ("192.0.2.300", "-"),
        ("192.0.2.1:", "-"),
        ("[192.0.2.1", "-"),
        ("1:2:3", "-"),
        ("", "-"),
        ("10.1.2.3,evil", "10.1.2.0,-"),
        ("10.1.2.3,%20[2001:db8::1]:80,%20::ffff:10.2.3.4", "10.1.2.0,2001:db8::,10.2.3.0"),
    ],
)
def test_truncation_leaves_a_network_or_nothing(text: str, network: str) -> None:
    assert truncate(text) == network


V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address).filter(lambda address: address.ipv4_mapped is None)


def dotted(address: IPv6Address) -> str:
    """The form whose last four bytes are written as IPv4."""
    head = ":".join(f"{int.from_bytes(address.packed[at : at + 2]):x}" for at in range(0, 12, 2))
    return f"{head}:{IPv4Address(address.packed[12:])}"


@given(V4, st.integers(0, 65_535))
def test_every_form_of_ipv4_keeps_its_24_bits(address: IPv4Address, port: int) -> None:
    network = str(ip_network((address, 24), strict=False).network_address)
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    forms = [str(address), f"{address}:{port}", f"::ffff:{address}", mapped.exploded, mapped.compressed]
    forms += [f"[::FFFF:{address}]:{port}", f"{mapped.compressed}%25eth0"]
    assert {truncate(form) for form in forms} == {network}
    assert len({hashed(form) for form in forms}) == 1


@given(V6, st.integers(0, 65_535))
def test_every_form_of_ipv6_keeps_its_48_bits(address: IPv6Address, port: int) -> None:
    network = str(ip_network((address, 48), strict=False).network_address)
    forms = [address.compressed, address.exploded, address.exploded.upper(), dotted(address)]
    forms += [form for plain in forms for form in (f"[{plain}]", f"[{plain}]:{port}", f"{plain}%25eth0")]
    assert {truncate(form) for form in forms} == {network}
    assert len({hashed(form) for form in forms}) == 1


@given(st.lists(V4 | V6, min_size=1, max_size=5))
def test_lists_are_changed_address_by_address(addresses: list[IPv4Address | IPv6Address]) -> None:
    texts = [str(address) for address in addresses]
    for change in (truncate, hashed):
        assert change(",%20".join(texts)) == ",".join(map(change, texts))


@given(st.text(max_size=40))
def test_no_text_survives_truncation(text: str) -> None:
    for part in truncate(text).split(","):
        assert part == "-" or ip_network(part).num_addresses == 1
