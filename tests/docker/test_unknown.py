# SPDX-License-Identifier: GPL-2.0
"""defaults.unknown: a port on Docker's bridge that nobody enforces, here one that is no veth."""

import pytest

from lib.daemon import programs
from lib.dockerhost import EXT_V4, web_and_client
from lib.place import Namespace, join

POLICY = """
    version: 1
    defaults: {{ unknown: {unknown} }}
    policies:
      - {{ name: web, select: "container:web", ingress: [ "allow 80/udp from any" ] }}
"""


@pytest.fixture
def stray(docker, session, closing):
    """A namespace behind a VXLAN interface that is a port of Docker's bridge: its packets pass no program of a container."""
    def plug():
        place = closing.add(_Stray(session, f"stray{session.number('stray')}"))
        place.host = docker.host
        join(docker.host, "stray0", place, "trunk")
        docker.host.address("stray0", "198.18.79.1/30")
        place.address("trunk", "198.18.79.2/30")
        tunnel = ("type", "vxlan", "id", "5", "dstport", "4789")
        docker.host.ip("link", "add", "tunnel0", *tunnel, "local", "198.18.79.1", "remote", "198.18.79.2", "dev", "stray0")
        docker.host.ip("link", "set", "tunnel0", "master", docker.bridge("front"), "up")
        place.ip("link", "add", "eth0", *tunnel, "local", "198.18.79.2", "remote", "198.18.79.1", "dev", "trunk")
        place.ip("link", "set", "eth0", "up")
        place.address("eth0", "198.18.10.99/24")
        place.ip("route", "add", "default", "via", "198.18.10.1")
        return place
    return plug


class _Stray(Namespace):
    host = None

    def close(self):
        # The host's ends first: the bridge outlives this test's namespace by a moment.
        for interface in ("tunnel0", "stray0"):
            self.host.ip("link", "delete", interface, check=False)
        self.delete()


def send_and_count(docker, web, client, place, tag):
    """What the stray sends to web, to the unselected client and to the outside, and what arrives there."""
    sniffers = {"web": web.sniff("eth0"), "client": client.sniff("eth0"), "ext": docker.ext.sniff("eth0")}
    place.burst(f"{web.address()}:80", f"{client.address()}:80", f"{EXT_V4}:80", tag=tag, count=3)
    sniffers["web"].barrier(lambda close: client.burst(f"{web.address()}:80", tag=close, count=1))
    sniffers["client"].barrier(lambda close: web.burst(f"{client.address()}:80", tag=close, count=1))
    sniffers["ext"].barrier(lambda close: client.burst(f"{EXT_V4}:5", tag=close, count=1))
    counts = {name: sniffer.count(tag) for name, sniffer in sniffers.items()}
    for sniffer in sniffers.values():
        sniffer.stop()
    return counts


def test_unknown_deny(docker, daemon, attach, stray):
    web, client = web_and_client(docker)
    place = stray()
    # ARP first, so that what is denied afterwards is nothing but the datagrams.
    assert send_and_count(docker, web, client, place, "control") == {"web": 3, "client": 3, "ext": 3}
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY.format(unknown="deny")).start()
    daemon.wait_state("web", "enforced")
    assert send_and_count(docker, web, client, place, "stray") == {"web": 0, "client": 0, "ext": 0}
    daemon.expect_event(reason="unknown_endpoint", verdict="deny", src="198.18.10.99", dst=web.address())
    assert daemon.status()["unknown"] == "deny"
    assert not [line for line in programs(docker.host) if " up0" in line], "the uplink carries no program of ours"


def test_unknown_allow_is_the_default(docker, daemon, attach, stray):
    web, client = web_and_client(docker)
    place = stray()
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY.replace(
        "    defaults: {{ unknown: {unknown} }}\n", "").format()).start()
    daemon.wait_state("web", "enforced")
    assert send_and_count(docker, web, client, place, "stray") == {"web": 3, "client": 3, "ext": 3}
