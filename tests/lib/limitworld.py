# SPDX-License-Identifier: GPL-2.0
"""
A container behind a host, in front of the world outside, for tests of limits; traffic at exact times; and the model that says
what a token bucket accepts of it.

The container has an address of its own, at which it serves, and a ghost: an address that the host's neighbour table sends to
it but that is not its own, so that nothing there ever answers and only the packets of the pattern are on the way.
"""

import collections
import os
import socket
import struct

from lib.dockerhost import outside
from lib.place import Namespace, join
from lib.shell import wait_until

V4, V6, GHOST4, GHOST6 = "198.18.10.11", "fd77:10::11", "198.18.10.99", "fd77:10::99"
GATEWAY4, GATEWAY6 = "198.18.10.1", "fd77:10::1"
OUTER = "v-box"

Shot = collections.namedtuple("Shot", "at proto source source_port target port")
# before, after: CLOCK_MONOTONIC ns around the sending; arrived: it was let through.
Fired = collections.namedtuple("Fired", "shot before after arrived")


class LimitWorld:
    def __init__(self, session):
        self.session = session
        self.host, self.ext = outside(session)
        self.box = Namespace(session, f"box{session.number('place')}")
        self.host.ip("link", "add", "br-front", "type", "bridge", "forward_delay", "0")
        self.host.ip("link", "set", "br-front", "up")
        self.host.address("br-front", f"{GATEWAY4}/24", f"{GATEWAY6}/64")
        join(self.host, OUTER, self.box, "eth0")
        self.host.ip("link", "set", OUTER, "master", "br-front")
        self.box.address("eth0", f"{V4}/24", f"{V6}/64")
        for gateway in (GATEWAY4, GATEWAY6):
            self.box.ip("route", "add", "default", "via", gateway)
        self.mac = self.box.mac("eth0")
        for ghost in (GHOST4, GHOST6):
            self.host.ip("neighbour", "add", ghost, "lladdr", self.mac, "dev", "br-front", "nud", "permanent")
        # Answers to borrowed sources end in ext. Without a route back they would become ICMP errors of the host.
        self.host.sysctl("net.ipv4.conf.all.rp_filter", 0)
        self.macs = (f"to-mac={self.host.mac('up0')}", f"from-mac={self.ext.mac('eth0')}")

    def inventory(self):
        return f"""
networks:
  - {{ name: front, bridge: br-front, subnets: [198.18.10.0/24, "fd77:10::/64"] }}
endpoints:
  - {{ container: box, interface: {OUTER}, network: front, addresses: ["{V4}", "{V6}", "{GHOST4}", "{GHOST6}"], mac: "{self.mac}" }}
"""

    def iptables(self, *lines, command="iptables"):
        """Rules of the host's FORWARD chain, in order; it ends in DROP as ours does in deny."""
        for line in lines:
            self.host.run(command, "-w", "-A", "FORWARD", *line.split())
        self.host.run(command, "-w", "-P", "FORWARD", "DROP")

    # --- traffic

    def launch(self, shots, cpu=0):
        """Begin to send; collect() waits and answers."""
        path = os.path.join(self.session.directory, f"shots{self.session.number('shots')}")
        with open(path, "w") as file:
            for shot in shots:
                file.write(" ".join(str(word) for word in shot) + "\n")
        counter = self.box.spawn(self.session.limitprobe, "count", "eth0")
        counter.wait_line("ready")
        sender = self.ext.spawn(self.session.limitprobe, "fire", "eth0", *self.macs, f"file={path}", f"cpu={cpu}")
        return shots, counter, sender

    def collect(self, launched):
        shots, counter, sender = launched
        sender.wait_line("end", timeout=30)
        sender.wait()
        # Everything is where it ends when the last sendto() has returned, or a moment later; the counter is ended when it has
        # told the same twice.
        seen = [-1, 0]

        def quiet():
            seen.append(len(counter.output()))
            return seen[-1] == seen[-2] == seen[-3]
        wait_until(quiet, "the counter to become quiet", 10, interval=0.25)
        counter.stop()
        end = counter.last("end")
        assert end and end[4] == "0", f"the counter itself missed packets: {end}"
        numbers = [int(line.split()[0]) for line in counter.lines() if line[0].isdigit()]
        arrived = set(numbers)
        assert len(arrived) == len(numbers), "a packet arrived twice"
        times = [tuple(map(int, line.split())) for line in sender.lines() if line[0].isdigit()]
        assert len(times) == len(shots), f"{len(times)} of {len(shots)} packets were sent"
        return [Fired(shot, before, after, number in arrived) for shot, (number, before, after) in zip(shots, times)]

    # --- connections of a person who counts them

    def dial(self, address, port, patience=8.0):
        """A TCP connection from outside over which a byte has come back, or None when nothing came."""
        client = self.ext.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(patience)
        try:
            client.connect((address, port))
            client.sendall(b"?")
            if client.recv(1) == b"?":
                return client
        except TimeoutError:
            pass
        reset(client)  # nothing of it is to come later
        return None

    def counted(self, daemon, drift=None):
        """What the kernel's buckets hold: counts (buckets), connections (their sum), rates (buckets)."""
        extra = [f"drift={drift}"] if drift else []
        words = self.host.run(self.session.limitprobe, "buckets", f"{daemon.pin}/buckets", *extra).stdout.split()
        return {words[i]: int(words[i + 1]) for i in range(1, len(words), 2)}

    def close(self):
        for place in (self.box, self.ext, self.host):
            place.delete()


def reset(client):
    """Close with a RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def accepted(fired):
    return sum(1 for one in fired if one.arrived)


def bucket_model(times, count, unit_ns, burst):
    """How many of the packets at these times an exact token bucket lets pass: whole numbers, no rounding anywhere."""
    # One token is unit_ns, and count of that unit come back each nanosecond.
    full = burst * unit_ns
    tokens, last, passed = full, times[0] if times else 0, 0
    for now in times:
        tokens = min(full, tokens + max(0, now - last) * count)
        last = max(last, now)
        if tokens >= unit_ns:
            tokens -= unit_ns
            passed += 1
    return passed


def connections_model(fired, most, group):
    """How many SYNs pass when the connections of a group stay open: the first @most of them, and their retransmissions."""
    opened, passed = collections.defaultdict(set), 0
    for one in fired:
        flows, flow = opened[group(one.shot.source)], (one.shot.source, one.shot.source_port)
        if flow in flows or len(flows) < most:
            flows.add(flow)
            passed += 1
    return passed
