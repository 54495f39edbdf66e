# SPDX-License-Identifier: GPL-2.0
"""Deny events are exact: what the budget holds back is counted, and the history keeps at least 4,096."""

import pytest

from lib.dockerhost import outside
from lib.place import Namespace
from lib.shell import run, wait_until

SENDERS = 25
HISTORY = 4096


class ManySenders:
    """A namespace with many interfaces on a bridge, each an endpoint of its own: the budget of events is each endpoint's."""

    def __init__(self, session):
        self.host, self.ext = outside(session)
        self.place = Namespace(session, f"many{session.number('place')}")
        self.host.ip("link", "add", "br-many", "type", "bridge", "forward_delay", "0")
        self.host.ip("link", "set", "br-many", "up")
        self.host.address("br-many", "198.18.40.1/24")
        lines = ["networks:", "  - { name: many, bridge: br-many, subnets: [198.18.40.0/24] }", "endpoints:"]
        for i in range(SENDERS):
            mac = f"02:00:00:00:01:{i:02x}"
            self.host.ip("link", "add", f"v-many{i}", "type", "veth", "peer", "name", f"e{i}", "netns", self.place.full_name)
            self.host.ip("link", "set", f"v-many{i}", "master", "br-many", "up")
            self.place.ip("link", "set", f"e{i}", "address", mac, "up")
            self.place.address(f"e{i}", f"198.18.40.{10 + i}/24")
            lines.append(f'  - {{ container: many-{i}, interface: v-many{i}, network: many, '
                         f'addresses: [198.18.40.{10 + i}], mac: "{mac}" }}')
        self.inventory = "\n".join(lines) + "\n"

    def send(self, i, count, tag="many", port=9):
        self.place.spoof(f"e{i}", port=port, to="198.18.40.1", to_mac=self.host.mac("br-many"), count=count, tag=tag,
                         **{"from": f"198.18.40.{10 + i}", "from-mac": f"02:00:00:00:01:{i:02x}"})

    def close(self):
        for place in (self.place, self.host, self.ext):
            place.delete()


@pytest.fixture
def many(session, closing):
    return closing.add(ManySenders(session))


POLICY = """
    version: 1
    policies:
      - { name: mute, select: "all", egress: [] }
"""


def test_what_the_budget_holds_back_is_counted_exactly(many, daemon, session, attach):
    daemon = daemon(many.host, attach=attach, policy=POLICY, inventory=many.inventory).start()
    daemon.wait_state("many-0", "enforced")
    many.send(0, 2000)

    def numbers():
        # The kernel of this namespace says other things too (IPv6's own): only our datagrams are told apart by reason and port.
        denied = daemon.metric("dnetbpf_packets_total", container="many-0", verdict="deny", reason="default_denied")
        reported = sum(event["count"] for event in daemon.events(container="many-0", reason="default_denied"))
        return denied, reported, daemon.metric("dnetbpf_events_suppressed_total")
    wait_until(lambda: (numbers()[0] or 0) >= 2000, lambda: f"2000 denials: {numbers()}")
    wait_until(lambda: numbers()[1] + numbers()[2] >= numbers()[0], lambda: f"every denial told or counted: {numbers()}")
    denied, reported, suppressed = numbers()
    session.figure(f"event budget, {attach}: {denied:.0f} denied at once = {reported} reported + {suppressed:.0f} suppressed")
    assert 2000 <= denied <= 2020 and reported + suppressed == denied and suppressed > 0
    assert daemon.metric("dnetbpf_events_lost_total") == 0


def test_the_history_keeps_at_least_4096(many, daemon, session):
    daemon = daemon(many.host, policy=POLICY, inventory=many.inventory).start()
    for i in range(SENDERS):
        daemon.wait_state(f"many-{i}", "enforced")
    each = HISTORY // SENDERS + 10
    for i in range(SENDERS):
        many.send(i, each)
    wait_until(lambda: len(daemon.events(dst_port=9)) >= HISTORY, lambda: f"{HISTORY} events; there are {len(daemon.events())}")
    session.figure(f"events history: {len(daemon.events())} events kept (at least {HISTORY} promised)")
    lines = daemon.command("events", "--json", "-n", "5").stdout.splitlines()
    assert len(lines) == 5


def test_metrics_of_25_endpoints_are_clean(many, daemon, attach):
    daemon = daemon(many.host, attach=attach, policy=POLICY, inventory=many.inventory).start()
    daemon.wait_state("many-3", "enforced")
    many.send(3, 5)
    checked = run("promtool", "check", "metrics", stdin=daemon.metrics(), check=False)
    assert checked.returncode == 0 and not checked.stderr.strip(), checked.stdout + checked.stderr
    wait_until(lambda: daemon.metric("dnetbpf_packets_total", container="many-3", reason="default_denied") == 5,
               lambda: f"five denials: {daemon.metrics()}", 5)
