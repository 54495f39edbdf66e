# SPDX-License-Identifier: GPL-2.0
"""Each kind of peer on live traffic, over IPv4 and IPv6, in both directions: who is meant, and who is not."""

import socket

import pytest

from lib.closing import Closing
from lib.daemon import ATTACH_MODES
from lib.dockerhost import EXT_OTHER_V4, EXT_OTHER_V6, EXT_V4, EXT_V6
from lib.scene import Scene, of_web
from lib.shell import wait_until
from lib.worlds import NetWorld

# What `ext` is called besides; nothing leaves its namespace.
LAN = {4: "10.99.0.2", 6: "fd12:3456::2"}
INTERNET = {4: "8.8.4.4", 6: "2606:4700::77"}
METADATA = {4: "169.254.169.254", 6: "fd00:ec2::254"}
SPECIAL = {4: EXT_V4, 6: "2001:db8:9::2"}  # neither private nor global: for benchmarks and documentation


@pytest.fixture(scope="module")
def world(session):
    world = NetWorld(session)
    for addresses in (LAN, INTERNET, METADATA, SPECIAL):
        if addresses is not SPECIAL:
            world.ext.address("eth0", f"{addresses[4]}/32")
        world.ext.ip("address", "add", f"{addresses[6]}/128", "dev", "eth0", "nodad", "preferred_lft", "0")
    yield world
    world.close()


@pytest.fixture(scope="module", params=ATTACH_MODES)
def scene(request, world, session):
    """One daemon for all; each test reloads its policy."""
    closing = Closing(session)
    try:
        yield Scene(world, closing.daemon, "version: 1\n", more={"mon": {"resolvers": [EXT_OTHER_V4, EXT_OTHER_V6]}},
                    attach=request.param).start()
    finally:
        closing.close()


class Peer:
    """One rule for port 180; from or to whom datagrams pass by it, and for whom they do not."""

    def __init__(self, rule, passes, stops, select="web", families=(4, 6), network="front"):
        self.rule, self.passes, self.stops, self.select = rule, passes, stops, select
        self.families, self.network = families, network


OTHER = {4: EXT_OTHER_V4, 6: EXT_OTHER_V6}
NEAR = {4: EXT_V4, 6: EXT_V6}
OUTSIDE = [INTERNET, LAN, METADATA, SPECIAL]
PEERS = {
    "lan-ingress": Peer("allow 180/udp from lan", [LAN], [INTERNET, METADATA, SPECIAL, "mon", "host"]),
    "lan-egress": Peer("allow 180/udp to lan", [LAN], [INTERNET, METADATA, SPECIAL, "mon", "host"]),
    "internet-ingress": Peer("allow 180/udp from internet", [INTERNET], [LAN, METADATA, SPECIAL, "mon", "host"]),
    "internet-egress": Peer("allow 180/udp to internet", [INTERNET], [LAN, METADATA, SPECIAL, "mon", "host"]),
    "outside-ingress": Peer("allow 180/udp from outside", OUTSIDE, ["mon", "host"]),
    "outside-egress": Peer("allow 180/udp to outside", OUTSIDE, ["mon", "host"]),
    "metadata": Peer("allow 180/udp to metadata", [METADATA], [LAN, INTERNET, SPECIAL, "mon", "host"]),
    "dns": Peer("allow 180/udp to dns", [OTHER], [NEAR, INTERNET, "web", "host"], select="mon"),
    "project": Peer("allow 180/udp from project", ["db"], ["host"], families=(4,), network="back"),
    "project-of-others": Peer("allow 180/udp from project", [], ["mon", "free", NEAR, "host"]),
    "label": Peer("allow 180/udp from label:role=mon*", ["mon"], ["free", NEAR, "host"]),
    "label-egress": Peer("allow 180/udp to label:role=monitor", ["mon"], ["free", NEAR, "host"]),
    "set": Peer("allow 180/udp from set:near", [NEAR], [OTHER, "mon", INTERNET]),
    "set-egress": Peer("allow 180/udp to set:near", [NEAR], [OTHER, "mon", INTERNET]),
    "iface": Peer("allow 180/udp from iface:up0", [NEAR, OTHER, LAN, INTERNET], ["mon", "free", "host"]),
    "on-network": Peer("allow 180/udp from any on network:front", [NEAR, "mon", "host"], []),
    "on-another-network": Peer("allow 180/udp from any on network:front", [], ["db", "host"], families=(4,), network="back"),
    "container": Peer("allow 180/udp from container:m?n", ["mon"], ["free", NEAR, "host"]),
    "host-ingress": Peer("allow 180/udp from host", ["host"], [NEAR, "mon", INTERNET]),
    "host-egress": Peer("allow 180/udp to host", ["host"], [NEAR, "mon", INTERNET]),
}
SETS = f'sets: {{ near: [ {EXT_V4}, "{EXT_V6}" ], far: [ 192.0.2.0/24 ] }}'


class Datagram:
    """One, from a place to another, with sockets of the test's own: what becomes of it is known without waiting for a time."""

    def __init__(self, world, source, own, target, to, port=180):
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        self.sender = world.places[source].socket(family, socket.SOCK_DGRAM)
        self.receiver = world.places[target].socket(family, socket.SOCK_DGRAM)
        self.receiver.bind(("", port))
        self.sender.bind((own, 0))
        self.sender.sendto(b"?", (to, port))

    def arrives(self, seconds):
        self.receiver.settimeout(seconds)
        try:
            return bool(self.receiver.recv(1))
        except (BlockingIOError, TimeoutError):
            return False

    def close(self):
        self.sender.close()
        self.receiver.close()


@pytest.mark.parametrize("name", PEERS)
def test_peer(scene, name):
    peer = PEERS[name]
    egress = " to " in peer.rule
    text = of_web(None if egress else [peer.rule], [peer.rule] if egress else None, head=SETS, select=f"container:{peer.select}")
    s = scene
    s.reload(text)

    def attempt(who, family, passes):
        """who: a name of the world, or what ext is called in each family."""
        place, address = ("ext", who[family]) if isinstance(who, dict) else (who, s.world.address(who, peer.network, family))
        ends = [(place, address), (peer.select, s.world.address(peer.select, peer.network, family))]
        (source, own), (target, to) = reversed(ends) if egress else ends
        after = s.daemon.mark()
        datagram = Datagram(s.world, source, own, target, to)
        try:
            if passes:
                assert datagram.arrives(5), f"{source} {own} to {target} {to}: {s.daemon.events()[after:]}"
                return
            s.daemon.expect_event(after, verdict="deny", reason="default_denied", container=peer.select, network=peer.network,
                                  src=own, dst=to, dst_port=180, direction="egress" if egress else "ingress")
            assert not datagram.arrives(0), f"{source} {own} to {target} {to} arrived"
        finally:
            datagram.close()
    for family in peer.families:
        for who in peer.passes:
            attempt(who, family, True)
        for who in peer.stops:
            attempt(who, family, False)


GROUPS = {4: ("224.0.0.251", "01:00:5e:00:00:fb"), 6: ("ff02::fb", "33:33:00:00:00:fb")}


def test_peer_multicast(scene):
    """A group is what a packet is addressed to, in both directions; the same port to one host is another matter."""
    s = scene
    s.reload("""
        version: 1
        policies:
          - { name: web, select: "container:web", ingress: [ "allow 5353/udp from multicast as mdns" ] }
          - { name: mon, select: "container:mon", egress: [ "allow 5353/udp to multicast as mdns", "allow 70-99/tcp to any" ] }
        """)
    world, mon, free = s.world, s.world.places["mon"], s.world.places["free"]
    sniffer = world.places["web"].sniff("to-front")
    to_mac = world.places["web"].mac("to-front")
    for family, (group, group_mac) in GROUPS.items():
        for name, place in (("mon", mon), ("free", free)):
            own = {"from": world.address(name, family=family), "from-mac": place.mac("to-front"), "count": 2}
            place.spoof("to-front", to=group, to_mac=group_mac, port=5353, tag=f"group-{name}-{family}", **own)
            one = world.address("web", family=family)
            for what, to, mac, port in (("port", group, group_mac, 5354), ("one", one, to_mac, 5353)):
                after = s.daemon.mark()
                place.spoof("to-front", to=to, to_mac=mac, port=port, tag=f"{what}-{name}-{family}", **own)
                # mon's own egress stops it, or web's ingress what free sends.
                s.daemon.expect_event(after, container="mon" if name == "mon" else "web", verdict="deny",
                                      reason="default_denied", dst=to, dst_port=port, src=own["from"])
    wait_until(lambda: sniffer.count("group-*") == 8, lambda: f"eight datagrams to groups: {sniffer.packets()}")
    assert sniffer.count("one-*") == 0 and sniffer.count("port-*") == 0, sniffer.packets()
    sniffer.stop()
