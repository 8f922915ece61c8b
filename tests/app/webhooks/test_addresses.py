"""Webhooks go to public addresses, and into networks that the operator named: nowhere else."""

import ipaddress
import socket

import pytest

from app.core.networks import parse_networks
from app.core.settings import Settings
from app.webhooks.addresses import NotAllowed, read_target, resolve
from app.webhooks.http_post import post

URL = "https://receiver.hospital.example/exchange"


@pytest.fixture
def names(monkeypatch):
    """What names mean: a list of addresses for each time that one is asked for."""
    answers = []

    def getaddrinfo(host, port, *_, **__):
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(0, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "2001:0:a00:1::",
    "::ffff:0:10.0.0.1",
    "4000::1",
    "5f00::1",
    "3fff::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_to_an_address_that_is_not_public_leads_nowhere(names, address):
    names.append([address])
    with pytest.raises(NotAllowed):
        resolve(read_target(URL, []), [])


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_a_name_that_leads_to_a_public_address_is_followed(names, address):
    names.append([address])
    assert resolve(read_target(URL, []), []) == [ipaddress.ip_address(address)]


def test_every_address_of_a_name_has_to_be_public(names):
    names.append(["8.8.8.8", "10.0.0.1"])
    with pytest.raises(NotAllowed):
        resolve(read_target(URL, []), [])


def test_an_unknown_name_is_told_as_one_that_is_not_allowed(names):
    with pytest.raises(NotAllowed):
        resolve(read_target(URL, []), [])


def test_a_named_network_may_be_gone_to_and_its_neighbours_not(names):
    networks = parse_networks("10.20.0.0/16, fd00:1::/32")
    for address, allowed in (("10.20.3.4", True), ("10.21.0.1", False), ("fd00:1::9", True)):
        names.append([address])
        target = read_target(URL, networks)
        if allowed:
            assert resolve(target, networks)
        else:
            with pytest.raises(NotAllowed):
                resolve(target, networks)


def test_plain_http_goes_into_named_networks_alone(names):
    networks = parse_networks("10.20.0.0/16")
    target = read_target("http://receiver.hospital.example/", networks)
    names.append(["10.20.3.4"])
    assert resolve(target, networks)
    names.append(["8.8.8.8"])
    with pytest.raises(NotAllowed):
        resolve(target, networks)


def test_the_connection_goes_to_the_address_that_was_looked_at(names, receiver):
    """A name that means something else the second time (DNS rebinding) gains nothing."""
    networks = parse_networks("127.0.0.0/8")
    target = read_target(f"http://receiver.hospital.example:{receiver.port}/", networks)
    names.append(["127.0.0.1"])
    addresses = resolve(target, networks)

    def nothing_more_is_asked(host, port, *_, **__):
        assert host == "127.0.0.1", f"{host} was looked up again"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

    socket.getaddrinfo = nothing_more_is_asked  # put back by `names`
    assert post(target, addresses, b"{}", {}).status == 204
    assert receiver.messages[0].headers["Host"] == f"receiver.hospital.example:{receiver.port}"


def test_ports_and_addresses_are_read_as_they_are_written():
    target = read_target("https://receiver.hospital.example:8443/a?b=c", [])
    assert (target.port, target.path) == (8443, "/a?b=c")
    assert read_target("https://[2606:4700::1111]/", []).host_header == "[2606:4700::1111]"
    assert read_target(URL, []).host_header == "receiver.hospital.example"


def test_networks_that_are_none_are_refused_at_the_start():
    with pytest.raises(ValueError, match="EXCHANGE_WEBHOOK_NETWORKS"):
        Settings(_env_file=None, webhook_networks="10.20.0.0/16, everywhere")
