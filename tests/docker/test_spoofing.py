# SPDX-License-Identifier: GPL-2.0
"""A container that borrows another's address gains nothing: it is judged by the port that it sends from."""

import pytest

from lib.dockerhost import EXT_V4

POLICY = """
    version: 1
    policies:
      - name: web
        select: "container:web"
        ingress: [ "allow 80/udp from container:friend" ]
      - name: evil
        select: "container:evil"
        egress: [ "allow 80/udp to any" ]
"""
WEB, FRIEND, EVIL = "198.18.10.11", "198.18.10.12", "198.18.10.13"
WEB_V6, FRIEND_V6 = "fd77:10::11", "fd77:10::12"


@pytest.fixture
def setting(docker, daemon, attach):
    docker.network("front", subnets=("198.18.10.0/24", "fd77:10::/64"))
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    places = {name: docker.run(name, network="front", address=f"198.18.10.{number}", address6=f"fd77:10::{number}")
              for name, number in (("web", 11), ("friend", 12), ("evil", 13), ("neutral", 14))}
    return docker, daemon, places


@pytest.mark.parametrize("who", ["evil", "neutral"])
def test_borrowed_addresses_gain_nothing(setting, who):
    """evil has a policy that lets it send, neutral has none; the friend's own packets show that the way is open."""
    docker, daemon, places = setting
    web, friend, liar = places["web"], places["friend"], places[who]
    macs = {name: place.mac("eth0") for name, place in places.items()}
    sniffer, outside = web.sniff("eth0"), docker.ext.sniff("eth0")
    gateway_mac = docker.host.mac(docker.bridge("front"))
    common = {"port": 80, "to": WEB, "to_mac": macs["web"]}
    tries = [
        ("address", dict(common, **{"from": FRIEND, "from_mac": macs[who]})),
        ("address-and-mac", dict(common, **{"from": FRIEND, "from_mac": macs["friend"]})),
        ("mac", dict(common, **{"from": places[who].address(), "from_mac": macs["friend"]})),
        ("gateway", dict(common, **{"from": "198.18.10.1", "from_mac": macs[who]})),
        ("stranger", dict(common, **{"from": "192.0.2.7", "from_mac": macs[who]})),
        ("v6", {"port": 80, "from": FRIEND_V6, "from_mac": macs[who], "to": WEB_V6, "to_mac": macs["web"]}),
        ("outside", {"port": 80, "from": FRIEND, "from_mac": macs[who], "to": EXT_V4, "to_mac": gateway_mac}),
    ]
    for name, words in tries:
        after = daemon.mark()
        liar.spoof("eth0", tag=f"lie-{name}", count=3, **words)
        event = daemon.expect_event(after, container=who, verdict="deny", direction="egress", src=words["from"])
        assert event["reason"] in ("spoofed_source", "spoofed_mac"), event
    friend.burst(f"{WEB}:80", f"{WEB_V6}:80", tag="true", count=3)
    friend.burst(f"{EXT_V4}:80", tag="true", count=3)
    sniffer.barrier(lambda tag: friend.burst(f"{WEB}:80", tag=tag, count=1))
    outside.barrier(lambda tag: docker.host.burst(f"{EXT_V4}:5", tag=tag, count=1))
    assert sniffer.count("true") == 6 and outside.count("true") == 3, "what is no lie must arrive"
    assert sniffer.count("lie-*") == 0 and outside.count("lie-*") == 0, sniffer.packets() + outside.packets()
    sniffer.stop()
    outside.stop()


def test_claims_of_another_address_in_arp_gain_nothing(setting):
    _, daemon, places = setting
    macs = {name: place.mac("eth0") for name, place in places.items()}
    assert places["friend"].ask(WEB, 80) == "open"
    places["evil"].spoof("eth0", arp=1, to=WEB, to_mac=macs["web"], from_mac=macs["evil"], **{"from": FRIEND})
    daemon.expect_event(container="evil", verdict="deny", reason="spoofed_neighbor", direction="egress")
    neighbours = places["web"].run("ip", "neighbour", "show", FRIEND).stdout
    assert macs["friend"] in neighbours and macs["evil"] not in neighbours, neighbours


def test_an_address_that_the_container_gives_itself_gains_nothing(setting):
    """With NET_ADMIN, or from its namespace: the kernel then really believes it."""
    _, daemon, places = setting
    evil = places["evil"]
    evil.burst(f"{WEB}:9", tag="own", count=1)  # knows web's MAC address now, and need not ask for it with the borrowed one
    evil.run("ip", "address", "add", f"{FRIEND}/24", "dev", "eth0")
    sniffer = places["web"].sniff("eth0")
    after = daemon.mark()
    assert evil.ask(WEB, 80, 600, source=FRIEND) == "timeout"
    daemon.expect_event(after, container="evil", src=FRIEND, dst=WEB, reason="spoofed_source")
    sniffer.barrier(lambda tag: places["friend"].burst(f"{WEB}:80", tag=tag, count=1))
    assert sniffer.count("ask") == 0
    sniffer.stop()
