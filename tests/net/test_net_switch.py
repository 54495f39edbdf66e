# SPDX-License-Identifier: GPL-2.0
"""
The atomic switch: 50 reloads a second between two policies under traffic on both CPUs. The policies are built so that whatever
mixes them gives an outcome that neither has:

  81, 82   the host's layer of one with the file's layer of the other lets pass what each denies
  83, 84   the rules stand the other way round: the ports of one with the peers (prefixes) of the other
  85, 86   a deny and an allow stand the other way round: the rows of one with the actions of the other
  87, 89   as 83, 84 with sets; and a second time with sets that have each other's prefixes: the sets of one with the
           rules of the other
  88       the labels' layer is one list with the file's in one and a layer of its own in the other
  91, 92   the peers are a container and the outside: as 83, 84 with the tables of endpoints and classes

`web` gets only what both policies allow, `mon` only what both deny.
"""

import os
import socket
import time

import pytest

from lib.control import Control
from lib.dockerhost import EXT_OTHER_V4, EXT_OTHER_V6, EXT_V4, EXT_V6
from lib.worlds import NetWorld

SECONDS = 5.0
WINDOWS = 3  # somebody else may need the machine for a while
LABELS = {"dnetbpf.ingress": "deny 88/udp from any as own-deny; allow from any as own-allow"}

FIRST = f"""
version: 1
timeouts: {{ udp-new: 2s, udp-established: 2s }}
host:
  rules: [ "deny 81/udp from any as host-81" ]
sets: {{ one: [ {EXT_V4}, "{EXT_V6}" ], two: [ {EXT_OTHER_V4}, "{EXT_OTHER_V6}" ] }}
policies:
  - name: both
    select: [ "container:web", "container:mon" ]
    labels: narrow
    ingress:
      - "allow 83/udp from {EXT_V4}, {EXT_V6} as a"
      - "allow 84/udp from {EXT_OTHER_V4}, {EXT_OTHER_V6} as b"
      - "deny 85/udp from any as c"
      - "allow 86/udp from any as d"
      - "allow 87/udp from set:one as e"
      - "allow 89/udp from set:two as f"
      - "allow 91/udp from outside as g"
      - "allow 92/udp from container:free as h"
      - "allow 81,88,90/udp from any as i"
      - "allow 121/udp from host as first-alone"
"""
SECOND = f"""
version: 1
timeouts: {{ udp-new: 2s, udp-established: 2s }}
host:
  rules: [ "deny 82/udp from any as host-82" ]
sets: {{ one: [ {EXT_V4}, "{EXT_V6}" ], two: [ {EXT_OTHER_V4}, "{EXT_OTHER_V6}" ] }}
policies:
  - name: both
    select: [ "container:web", "container:mon" ]
    labels: add
    ingress:
      - "allow 84/udp from {EXT_OTHER_V4}, {EXT_OTHER_V6} as a"
      - "allow 83/udp from {EXT_V4}, {EXT_V6} as b"
      - "allow 86/udp from any as c"
      - "deny 85/udp from any as d"
      - "allow 89/udp from set:two as e"
      - "allow 87/udp from set:one as f"
      - "allow 92/udp from container:free as g"
      - "allow 91/udp from outside as h"
      - "allow 82,122/udp from any as i"
      - "deny 81-89,91,92,121/udp from any as rest"
"""
# The same with each other's names for the sets: their tables change, too, and the kernel waits for a grace period for each.
OTHER_SETS = SECOND.replace("one:", "OTHER:").replace("two:", "one:").replace("OTHER:", "two:") \
    .replace("set:one", "set:OTHER").replace("set:two", "set:one").replace("set:OTHER", "set:two")
# (port, which of its addresses sends): what both policies allow, and what both deny.
ALLOWED = {"ext": [(83, 0), (84, 1), (86, 0), (87, 0), (89, 1), (90, 0), (91, 1)], "free": [(86, 0), (90, 0), (92, 0)]}
DENIED = {"ext": [(81, 0), (82, 1), (83, 1), (84, 0), (85, 0), (87, 1), (88, 0), (89, 0), (92, 0)],
          "free": [(81, 0), (82, 0), (83, 0), (85, 0), (87, 0), (88, 0), (91, 0)]}
LASTING = 5555  # the source port of connections that live through all reloads


@pytest.fixture(scope="module")
def world(session):
    world = NetWorld(session)
    for end in world.endpoints:
        if end["container"] in ("web", "mon"):
            end["labels"].update(LABELS)
    yield world
    world.close()


def kinds(world, sender):
    """What a sender sends, as words for `packetprobe hail`. Tags: pass or deny, port, family, which address."""
    words = []
    for family in (4, 6):
        own = [world.address(sender, family=family)]
        if sender == "ext":
            own.append(EXT_OTHER_V4 if family == 4 else EXT_OTHER_V6)
        for verdict, target, packets in (("pass", "web", ALLOWED), ("deny", "mon", DENIED)):
            to = world.address(target, family=family)
            mac = world.host.mac("up0") if sender == "ext" else world.places[target].mac("to-front")
            for port, which in packets[sender]:
                words.append(f"{verdict}-{port}-{family}-{which},{own[which]},{to},{mac},{port}")
            port, which = packets[sender][0]
            words.append(f"{verdict}-lasting-{family}-{which},{own[which]},{to},{mac},{port},{LASTING}")
    return words


class Senders:
    """ext and free, each on both CPUs."""

    def __init__(self, world):
        self.processes = []
        for name, interface in (("ext", "eth0"), ("free", "to-front")):
            place = world.places[name]
            for cpu in sorted(os.sched_getaffinity(0))[:2]:
                self.processes.append(place.spawn(
                    place.session.packetprobe, "hail", interface, f"from-mac={place.mac(interface)}", f"cpu={cpu}", "gap=2000",
                    f"first={10000 + 20000 * (cpu % 2)}", "span=20000", *kinds(world, name)))
        for process in self.processes:
            process.wait_line("ready")

    def stop(self):
        """How many were sent, by the first word of their tags."""
        sent = {"pass": 0, "deny": 0}
        for process in self.processes:
            process.stop()
            process.wait_line("end")
            for line in process.lines():
                words = line.split()
                if words[0] == "sent":
                    sent[words[1].split("-")[0]] += int(words[2])
        return sent


class Marks:
    """
    A datagram after each reload for what only that policy allows, and for what only the other one does, over connections that
    stay the same. From the host itself: its packets are judged before sendto() returns.
    """

    def __init__(self, world):
        self.to, self.expected = world.address("web"), set()
        self.socket = world.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((world.address("host"), LASTING))

    def send(self, number, first):
        for port in (121, 122):
            self.socket.sendto(f"dnt:mark-{number}-{port}:0".encode(), (self.to, port))
        self.expected.add((f"mark-{number}-{121 if first else 122}", 121 if first else 122))


def denials(daemon, container):
    reasons = ("default_denied", "policy_denied", "flow_revoked", "policy_invalid", "table_missing", "flow_table_full")
    return sum(daemon.metric("dnetbpf_packets_total", container=container, verdict="deny", reason=reason) or 0
               for reason in reasons)


@pytest.mark.parametrize("second,rate", [(SECOND, 50), (OTHER_SETS, 5)], ids=["rules", "rules-and-sets"])
def test_no_packet_sees_a_mixture_of_two_policies(world, daemon, session, attach, second, rate):
    daemon = daemon(world.host, attach=attach, policy=FIRST, inventory=world.inventory()).start()
    daemon.wait_state("web", "enforced", count=2)
    daemon.wait_state("mon", "enforced")
    paths = [os.path.join(daemon.directory, name) for name in ("first.yaml", "second.yaml")]
    for path, text in zip(paths, (FIRST, second)):
        with open(path, "w") as file:
            file.write(text)
    for name in ("web", "mon"):  # neighbours are known before it counts
        for family in (4, 6):
            assert world.host.ping(world.address(name, family=family), 250) in ("open", "timeout")
    sniffers = {name: world.places[name].sniff("to-front") for name in ("web", "mon")}
    marks, control = Marks(world), Control(daemon)
    senders = Senders(world)
    before = denials(daemon, "web")
    reloads, reached = 0, 0.0
    for _ in range(WINDOWS):
        begin, already = time.monotonic(), reloads
        while time.monotonic() < begin + SECONDS:
            first = reloads % 2 == 1  # the first policy is in force at the start
            control.post("/v1/policy/apply", {"path": paths[0 if first else 1]})
            reloads += 1
            marks.send(reloads, first)
        reached = max(reached, (reloads - already) / (time.monotonic() - begin))
        if reached >= rate:
            break
    sent = senders.stop()
    control.close()
    marks.socket.close()
    # What comes last closes the count. Nothing comes to mon.
    sniffers["web"].barrier(lambda tag: world.ext.burst(f"{world.address('web')}:90", tag=tag, count=1))
    at_web, at_mon = sniffers["web"].stop(), sniffers["mon"].stop()
    wrong_at_web = denials(daemon, "web") - before
    refused_at_mon = denials(daemon, "mon")
    passed = [packet for packet in at_web if packet[0].startswith("pass-")]
    seen = {(packet[0], packet[4]) for packet in at_web if packet[0].startswith("mark-")}
    session.figure(f"switch{' with sets' if rate < 50 else ''}, {attach}: {reloads} reloads, {reached:.0f} a second; "
                   f"{sent['pass']} packets that both policies allow: {len(passed)} arrived; {sent['deny']} that both deny: {len(at_mon)} arrived; "
                   f"{2 * reloads} that one allows: {len(seen ^ marks.expected)} judged by the other; mixtures seen: "
                   f"{wrong_at_web - reloads:.0f} denied, {len(at_mon)} passed")
    assert not at_mon, f"both policies deny these, and they passed: {sorted({packet[0] for packet in at_mon})}"
    assert seen == marks.expected, (sorted(seen - marks.expected)[:5], sorted(marks.expected - seen)[:5])
    assert wrong_at_web == reloads, daemon.events(container="web", verdict="deny")[-5:]  # the marks of the other policy
    assert min(sent.values()) > 2000 and len(passed) > 0.9 * sent["pass"], (sent, len(passed))
    assert refused_at_mon > 0.9 * sent["deny"], (refused_at_mon, sent)
    assert reached >= rate, f"{reached:.1f} reloads a second"
