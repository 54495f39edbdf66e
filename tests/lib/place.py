# SPDX-License-Identifier: GPL-2.0
"""A place is a network namespace in which something happens: one that a test makes, or a container's."""

import ctypes
import os
import re
import socket
import threading

from lib.shell import Process, run, wait_until

# Long enough that a connection which is allowed is never given up on a busy machine ...
PATIENCE_MS = 8000
# ... and short for those that are to be denied: that they were is then shown by the event, not by the time.
DENY_MS = 250
CLONE_NEWNET = 0x40000000  # linux/sched.h


def _socket_in(net_path, family, kind, protocol):
    """A thread of its own enters the namespace: sockets stay where they were made, and the thread ends."""
    made, libc = [], ctypes.CDLL(None, use_errno=True)

    def make():
        with open(net_path) as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                made.append(OSError(ctypes.get_errno(), f"setns({net_path})"))
                return
        try:
            made.append(socket.socket(family, kind, protocol))
        except OSError as problem:
            made.append(problem)
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[0], Exception):
        raise made[0]
    return made[0]


class Place:
    """Base of Namespace and Container: who has net_path(), session and tools can do all of this."""

    name = ""
    session = None

    def net_path(self):
        raise NotImplementedError

    def inside(self, *argv):
        # Not "ip netns exec": it would hide bpffs and cgroups behind a fresh /sys.
        return ["nsenter", f"--net={self.net_path()}", *[str(word) for word in argv]]

    def run(self, *argv, **options):
        return run(*self.inside(*argv), env=self.session.env, **options)

    def spawn(self, *argv):
        name = f"{os.path.basename(str(argv[0]))}-{self.session.number('process')}"
        process = Process(self.inside(*argv), self.session.directory, name, env=self.session.env)
        self.session.processes.append(process)
        return process

    def _ask(self, mode, *words, timeout_ms, source=None):
        extra = [f"source={source}"] if source else []
        done = self.run(self.session.netprobe, mode, *words, f"timeout={timeout_ms}", *extra, check=False,
                        timeout=timeout_ms / 1000 + 20)
        answer = done.stdout.strip()
        assert answer, f"netprobe {mode} {words} in {self.name} said nothing: {done.stderr}"
        return answer

    def connect(self, address, port, timeout_ms=PATIENCE_MS, source=None):
        """TCP: connect and one byte there and back. Returns open, refused, timeout, unreachable, mute or closed."""
        return self._ask("connect", address, port, timeout_ms=timeout_ms, source=source)

    def ask(self, address, port, timeout_ms=PATIENCE_MS, source=None):
        """UDP: a datagram and its echo."""
        return self._ask("ask", address, port, timeout_ms=timeout_ms, source=source)

    def ping(self, address, timeout_ms=PATIENCE_MS):
        return self._ask("ping", address, timeout_ms=timeout_ms)

    def try_proto(self, proto, address, port, timeout_ms=PATIENCE_MS, source=None):
        if proto == "icmp":
            return self.ping(address, timeout_ms)
        return (self.connect if proto == "tcp" else self.ask)(address, port, timeout_ms, source)

    def serve(self, *specs):
        server = self.spawn(self.session.netprobe, "serve", *specs)
        server.wait_line("ready")
        return server

    def lines(self, address, port, interval=50):
        """A long-lived TCP connection that sends a byte each interval; returns once it is open."""
        client = self.spawn(self.session.netprobe, "lines", address, port, f"interval={interval}")
        client.wait_line("open")
        return Lines(client)

    def burst(self, *targets, tag, count=5, gap=500):
        """UDP datagrams of that tag to each ADDRESS:PORT; returns how many left."""
        done = self.run(self.session.netprobe, "burst", f"tag={tag}", f"count={count}", f"gap={gap}", *targets)
        return int(done.stdout.split()[1])

    def spoof(self, interface, **options):
        words = [f"{key.replace('_', '-')}={value}" for key, value in options.items()]
        return self.run(self.session.packetprobe, "spoof", interface, *words)

    def socket(self, family, kind, protocol=0):
        """A socket of this place for the test itself."""
        return _socket_in(self.net_path(), family, kind, protocol)

    def sniff(self, interface):
        return Sniffer(self, interface)

    def sysctl(self, name, value):
        """Of this namespace. A missing one is fine: what is not there need not be switched off."""
        path = "/proc/sys/" + name.replace(".", "/")
        self.run("sh", "-c", f"[ ! -e {path} ] || echo {value} > {path}")

    def mac(self, interface):
        text = self.run("ip", "-o", "link", "show", "dev", interface).stdout
        return re.search(r"link/ether (\S+)", text).group(1)


class Namespace(Place):
    """A namespace of our own, by name; gone with delete()."""

    def __init__(self, session, short_name):
        self.session = session
        self.name = short_name
        self.full_name = f"{session.name}-{short_name}"
        run("ip", "netns", "add", self.full_name)
        self.ip("link", "set", "lo", "up")
        self.sysctl("net.ipv6.conf.all.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        # New namespaces may take this from the machine; a default modern Docker has 0.
        self.no_bridge_netfilter()

    def net_path(self):
        return f"/run/netns/{self.full_name}"

    def no_bridge_netfilter(self):
        for name in ("iptables", "ip6tables", "arptables"):
            self.sysctl(f"net.bridge.bridge-nf-call-{name}", 0)

    def ip(self, *words, **options):
        return run("ip", "-n", self.full_name, *words, **options)

    def address(self, interface, *addresses):
        for address in addresses:
            self.ip("address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))

    def delete(self):
        run("ip", "netns", "delete", self.full_name, check=False)


def join(left, left_interface, right, right_interface):
    """A veth pair between two namespaces; both ends are up."""
    left.ip("link", "add", left_interface, "type", "veth", "peer", "name", right_interface, "netns", right.full_name)
    left.ip("link", "set", left_interface, "up")
    right.ip("link", "set", right_interface, "up")


class Lines:
    """The client end of a long-lived TCP connection (netprobe lines)."""

    def __init__(self, process):
        self.process = process

    def count(self, word):
        line = self.process.last(word)
        return int(line[1]) if line else 0

    def wait_more(self, word, more, timeout=20.0):
        start = self.count(word)
        self.process_alive()
        wait_until(lambda: self.count(word) >= start + more, lambda: f"{more} more '{word}': {self.process.lines()[-3:]}",
                   timeout)

    def process_alive(self):
        assert self.process.running(), f"the connection is gone: {self.process.lines()[-3:]}"

    def finish(self):
        """End it; what it counted, as a dictionary: sent, echoed, retransmitted, longest-gap-ms."""
        self.process.stop()
        words = self.process.last("end")
        assert words, f"the connection broke: {self.process.lines()[-3:]}"
        return {words[i]: int(words[i + 1]) for i in range(1, len(words), 2)}


class Sniffer:
    """Counts the marked datagrams and TCP SYNs that arrive on an interface, by tag and port."""

    def __init__(self, place, interface):
        self.process = place.spawn(place.session.packetprobe, "sniff", interface)
        self.process.wait_line("ready")

    def packets(self):
        """(tag, source, source port, destination, destination port) of everything seen so far."""
        return parse_sniffed(self.process.output())

    def count(self, tag=None, port=None):
        return count_sniffed(self.packets(), tag, port)

    def barrier(self, send):
        """Wait until everything that arrived before has been counted: what send(tag) sends here comes last."""
        tag = f"barrier{len(self.process.output())}"
        send(tag)
        wait_until(lambda: self.count(tag=tag), "the packet that closes the count")

    def stop(self):
        self.process.stop()
        end = self.process.last("end")
        assert end and end[4] == "0", f"the sniffer itself missed packets: {end}"
        return self.packets()


def parse_sniffed(text):
    packets = []
    for line in text[:text.rfind("\n") + 1].splitlines():
        words = line.split()
        if len(words) == 5 and ":" in words[0]:
            packets.append((words[0].rsplit(":", 1)[0], words[1], int(words[2]), words[3], int(words[4])))
    return packets


def count_sniffed(packets, tag=None, port=None):
    """tag: a whole tag, or its beginning with a trailing '*'."""
    def fits(packet):
        if tag and tag.endswith("*") and not packet[0].startswith(tag[:-1]):
            return False
        if tag and not tag.endswith("*") and packet[0] != tag:
            return False
        return port is None or packet[4] == port
    return sum(1 for packet in packets if fits(packet))
