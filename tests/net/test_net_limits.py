# SPDX-License-Identifier: GPL-2.0
"""
Limits beside those of the real iptables: the same traffic at the same times through two worlds that differ in the firewall
alone. Both are compared with the exact model, which is computed from the times at which the packets were really sent.
"""

import collections
import glob
import itertools
import json
import math
import random
import signal
import socket
import statistics
import threading
import time

import pytest

from lib.daemon import ATTACH_MODES, parse_metrics, programs
from lib.limitworld import (GHOST4, GHOST6, OUTER, V4, V6, LimitWorld, Shot, accepted, bucket_model, connections_model, reset)
from lib.place import DENY_MS, PATIENCE_MS
from lib.shell import wait_until

RATE, BURST, MOST = 50, 20, 20  # 50/s burst 20, conns 20
SECOND = 1_000_000_000
# Which rule is asked is a matter of the port: (rate, packets, conns) by source, and by /24.
PORTS = {32: (80, 81, 82), 24: (83, 84, 85)}
KINDS = ("rate", "packets", "conns")

POLICY = f"""
version: 1
policies:
  - name: box
    select: "container:box"
    ingress:
      - "allow 80/udp from any rate {RATE}/s per src burst {BURST} as rate"
      - "allow 81/udp from any packets {RATE}/s per src burst {BURST} as packets"
      - "allow 82/tcp from any conns {MOST} per src as conns"
      - "allow 83/udp from any rate {RATE}/s per src/24 burst {BURST} as rate24"
      - "allow 84/udp from any packets {RATE}/s per src/24 burst {BURST} as packets24"
      - "allow 85/tcp from any conns {MOST} per src/24 as conns24"
"""


def guide(length):
    """What the founding guide would say for those ports."""
    rate, packets, conns = PORTS[length]
    # htable-expire: unless told otherwise hashlimit forgets a source that was idle for one unit, a second here, and then
    # gives it the whole burst again however little of it had come back. That is the one difference which is set aside.
    hashlimit = f"--hashlimit-upto {RATE}/sec --hashlimit-burst {BURST} --hashlimit-mode srcip --hashlimit-srcmask {length} " \
                "--hashlimit-htable-size 4096 --hashlimit-htable-max 65536 --hashlimit-htable-expire 60000"
    return (f"-p udp --dport {rate} -m conntrack --ctstate NEW -m hashlimit --hashlimit-name r{length} {hashlimit} -j ACCEPT",
            f"-p udp --dport {packets} -m hashlimit --hashlimit-name p{length} {hashlimit} -j ACCEPT",
            f"-p tcp --dport {conns} --syn -m connlimit --connlimit-above {MOST} --connlimit-mask {length} -j DROP",
            f"-p tcp --dport {conns} -j ACCEPT")


# --- patterns: lists of (microseconds, source, client)

def steady(source, rate, seconds, start=0):
    return [(start + i * 1_000_000 // rate, source, None) for i in range(int(rate * seconds))]


def below(net):
    return steady(f"198.19.{net}.1", 40, 2)


def above(net):
    return steady(f"198.19.{net}.1", 150, 2)


def burst(net):
    return [(at, f"198.19.{net}.1", None) for at in (0, 500_000, 1_000_000, 1_500_000) for _ in range(60)]


def two_sources(net):
    return steady(f"198.19.{net}.1", 200, 2) + steady(f"198.19.{net}.2", 30, 2, 1700)


def aggregation(net):
    crowd = [shot for host in range(10) for shot in steady(f"198.19.{net}.{host + 1}", 20, 2, host * 4900)]
    return crowd + steady(f"198.19.{net + 100}.1", 30, 2, 1700)


def slow_leak(net):
    return steady(f"198.19.{net}.1", 64, 2.5)


def many_sources(net):
    return [(shot * 10_000 + source * 150, f"198.19.{net}.{source + 1}", None) for shot in range(40) for source in range(60)]


def reconnect_storm(net):
    """All 200 clients behind one address come back at once and ask again as TCP does, here with a first timeout of 0.25 s."""
    return [(at + client * 20, f"198.19.{net}.1", client) for at in (0, 250_000, 750_000, 1_750_000) for client in range(200)]


PATTERNS = [(below, 32), (above, 32), (burst, 32), (two_sources, 32), (aggregation, 24), (slow_leak, 32), (many_sources, 32),
            (reconnect_storm, 32)]


def shots_of(pattern, length, net):
    """Each point of a pattern is one packet for each kind of limit."""
    shots = []
    rate, packets, conns = PORTS[length]
    for number, (at, source, client) in enumerate(sorted(pattern(net), key=lambda point: point[0])):
        fresh = 1024 + number
        # `rate`: a new flow each time. `packets`: one flow for each source. `conns`: one for each client, who may ask again.
        shots.append(Shot(at, "udp", source, fresh, GHOST4, rate))
        shots.append(Shot(at, "udp", source, 1000, GHOST4, packets))
        shots.append(Shot(at, "tcp", source, fresh if client is None else 20000 + client, GHOST4, conns))
    return shots


# --- comparing

def bucket_of(source, length):
    return source.rsplit(".", 1)[0] if length == 24 else source


def by_bucket(fired, port, length):
    buckets = collections.defaultdict(list)
    for one in fired:
        if one.shot.port == port:
            buckets[bucket_of(one.shot.source, length)].append(one)
    return buckets


def expected(fired):
    """(least, most) that the exact bucket accepts, since a packet was judged somewhere between its two times."""
    both = [bucket_model([getattr(one, which) for one in fired], RATE, SECOND, BURST) for which in ("before", "after")]
    return min(both), max(both)


def outside_of(value, least, most):
    return max(least - value, value - most, 0)


class Row:
    """One pattern and one kind, in one world."""

    def __init__(self, fired, kind, length):
        port = PORTS[length][KINDS.index(kind)]
        self.buckets = by_bucket(fired, port, length)
        self.sent = sum(map(len, self.buckets.values()))
        self.accepted = sum(map(accepted, self.buckets.values()))
        if kind == "conns":
            def group(source):
                return bucket_of(source, length)
            self.models = {name: (connections_model(ones, MOST, group),) * 2 for name, ones in self.buckets.items()}
        else:
            self.models = {name: expected(ones) for name, ones in self.buckets.items()}

    def worst(self):
        """The most by which one bucket is beside the model, in packets."""
        return max(outside_of(accepted(ones), *self.models[name]) for name, ones in self.buckets.items())

    def model(self):
        return sum(low for low, _ in self.models.values()), sum(high for _, high in self.models.values())


# hashlimit counts time in jiffies, of 10 ms at the most: a bucket is ahead or behind by the tokens of one of them, and the
# packet that this decides. (Its rates are whole microseconds for each packet, which is exact for 50/s.)
HASHLIMIT_SLACK = math.ceil(RATE * 0.01) + 1


def may_differ(pattern, kind):
    """By how many packets a bucket of iptables may be beside the model, and why."""
    if kind != "conns":
        return HASHLIMIT_SLACK, HASHLIMIT_SLACK
    # connlimit keeps a refused connection in its list until it looks there again, at least a jiffy later, and at eight at a
    # time. Until then an accepted one that asks again is one too many: its retransmitted SYN is dropped, not only new ones.
    return (MOST * 3, 0) if pattern is reconnect_storm else (0, 0)


@pytest.fixture(scope="module")
def iptables_world(session):
    world = LimitWorld(session)
    world.iptables(*guide(32), *guide(24))
    yield world
    world.close()


@pytest.fixture(scope="module")
def our_world(session):
    world = LimitWorld(session)
    yield world
    world.close()


def table(session, attach, rows):
    session.figure(f"limits, {attach}: {RATE}/s burst {BURST}, {MOST} connections: packets accepted; "
                   "worst: how far one bucket is from the model")
    session.figure(f"{'pattern':16} {'kind':8} {'sent':>5} {'iptables':>8} {'its model':>11} {'worst':>5} "
                   f"{'dnetbpf':>8} {'its model':>11} {'worst':>5}")
    for pattern, kind, theirs, ours in rows:
        cells = []
        for row in (theirs, ours):
            low, high = row.model() if row else (0, 0)
            cells.append(f"{row.accepted:8} {low if low == high else f'{low}-{high}':>11} {row.worst():5}" if row else f"{'':26}")
        session.figure(f"{pattern.__name__:16} {kind:8} {theirs.sent:5} {cells[0]} {cells[1]}")


def test_side_by_side_with_iptables(session, iptables_world, our_world, daemon, attach):
    start(daemon, our_world, POLICY, attach)
    # All patterns at once: each has sources of its own. Other ones for each way to attach, because iptables has not forgotten them.
    first = 1 + ATTACH_MODES.index(attach) * len(PATTERNS)
    parts = [shots_of(pattern, length, first + number) for number, (pattern, length) in enumerate(PATTERNS)]
    order = sorted(((shot, part) for part, shots in enumerate(parts) for shot in shots), key=lambda one: one[0].at)
    # Both worlds at once, each on a CPU of its own: what disturbs the one disturbs the other.
    worlds = iptables_world, our_world
    launched = [world.launch([shot for shot, _ in order], cpu) for cpu, world in enumerate(worlds)]
    fired = [world.collect(one) for world, one in zip(worlds, launched)]
    rows, problems = [], []
    for number, (pattern, length) in enumerate(PATTERNS):
        theirs, ours = ([one for one, (_, part) in zip(ones, order) if part == number] for ones in fired)
        for kind in KINDS:
            row = Row(theirs, kind, length), Row(ours, kind, length)
            rows.append((pattern, kind, *row))
            what = f"{pattern.__name__}, {kind}"
            slack = 0 if kind == "conns" else max(1, row[1].accepted // 1000)
            if row[1].worst() > slack:
                problems.append(f"{what}: a bucket of ours is {row[1].worst()} packets beside the model")
            for name, ones in row[0].buckets.items():
                fewer, more = may_differ(pattern, kind)
                low, high = row[0].models[name]
                if not low - fewer <= accepted(ones) <= high + more:
                    problems.append(f"{what}: iptables accepts {accepted(ones)} of {name}, the model {low} to {high}")
                if not -fewer - slack <= accepted(ones) - accepted(row[1].buckets[name]) <= more + slack:
                    problems.append(f"{what}: of {name} iptables accepts {accepted(ones)}, we {accepted(row[1].buckets[name])}")
    table(session, attach, rows)
    assert not problems, "\n".join(problems)


# --- conns, with real TCP clients

CONNS = """
version: 1
timeouts: {{ tcp-established: {established}s }}
policies:
  - name: box
    select: "container:box"
    ingress:
      - "allow 90/tcp from any conns 50 as all"
      - "allow 91/tcp from any conns 50 per src as each"
      - "allow 92/tcp from any conns 300 per src as churn"
"""
REFUSED = DENY_MS / 1000


@pytest.fixture(scope="module")
def served(our_world):
    server = our_world.box.serve("tcp:90-92")
    yield our_world
    server.kill()


def start(daemon, world, policy, attach="auto"):
    daemon = daemon(world.host, attach=attach, policy=policy, inventory=world.inventory()).start()
    daemon.wait_state("box", "enforced")
    # TCX links come some time after the filters that they take the place of.
    kinds = {"tcx": {"TCX"}, "clsact": {"qdisc"}}.get(attach)
    wait_until(lambda: not kinds or {entry.split()[0] for entry in programs(world.host)} == kinds,
               lambda: f"{attach} alone: {programs(world.host)}")
    return daemon


def exceeded(daemon, rule):
    return daemon.metric("dnetbpf_limit_exceeded_total", container="box", policy="box", rule=rule) or 0


def concurrency():
    """Both ways to attach and both families; for how a connection ends otherwise than by FIN, each is there once."""
    for number, target in enumerate([(V4, 90, "all"), (V6, 91, "each")]):
        for attach in ATTACH_MODES:
            for ending in ("fin", "rst", "timeout"):
                if ending == "fin" or attach == ATTACH_MODES[number % len(ATTACH_MODES)]:
                    yield pytest.param(attach, *target, ending, id=f"v{4 + 2 * number}-{attach}-{ending}")


@pytest.mark.parametrize("attach, address, port, rule, ending", concurrency())
def test_the_51st_waits_until_one_ends(served, daemon, attach, address, port, rule, ending):
    daemon = start(daemon, served, CONNS.format(established=2 if ending == "timeout" else 600), attach)
    clients = []
    try:
        for number in range(50):
            client = served.dial(address, port)
            assert client, f"connection {number + 1} of 50 does not come about"
            clients.append(client)
            if number % 10 == 9:  # none of them is to be idle for two seconds while the others are made
                stir(clients)
        stir(clients)
        after, before = daemon.mark(), exceeded(daemon, rule)
        assert served.dial(address, port, REFUSED) is None, "the 51st connection is open"
        daemon.expect_event(after, verdict="deny", reason="too_many_connections", dst=address, dst_port=port, rule=rule)
        assert exceeded(daemon, rule) > before
        assert served.counted(daemon)["connections"] == 50
        stir(clients)

        leaver = clients.pop(20)
        if ending == "rst":
            reset(leaver)
        elif ending == "fin":
            leaver.close()

        def next_one():
            stir(clients)
            return served.dial(address, port, REFUSED)
        clients.append(wait_until(next_one, "the next one to be let in", 15))
        stir(clients)
        assert served.dial(address, port, REFUSED) is None, "one ended, and two came"
        assert served.counted(daemon)["connections"] == 50
        if ending == "timeout":
            leaver.close()
    finally:
        for client in clients:
            reset(client)
    # The last RST is on its way when the last close() returns, at most.
    wait_until(lambda: served.counted(daemon)["connections"] == 0, lambda: f"all to be given back: {served.counted(daemon)}", 10)


def stir(clients):
    """A byte there and back on each, so that none of them is idle."""
    for client in clients:
        client.sendall(b".")
    for client in clients:
        assert client.recv(1) == b"."


CLIENTS = 1000


def test_counted_is_what_is_open_after_a_churn(served, daemon, session, request):
    """Nobody repairs anything meanwhile: the daemon, which sweeps, is stopped."""
    daemon = start(daemon, served, CONNS.format(established=86400))
    daemon.process.popen.send_signal(signal.SIGSTOP)
    seconds = request.config.getoption("churn_seconds")
    kept, tally, lock, deadline = [], collections.Counter(), threading.Lock(), time.monotonic() + seconds

    def client(seed):
        choice = random.Random(seed)

        def linger():
            time.sleep(max(0, min(choice.random() * 3, deadline - time.monotonic())))
        linger()
        for turn in itertools.count():
            if time.monotonic() > deadline:
                with lock:
                    tally["clients"] += 1
                return
            connection = served.dial(choice.choice((V4, V6)), 92, REFUSED)
            how = choice.choice(("fin", "rst", "server"))
            if turn == 0 and seed % 50 == 0:
                how = "keep"
            with lock:
                tally["opened" if connection else "refused"] += 1
                if connection and how == "keep":
                    kept.append(connection)
            linger()
            if not connection or how == "keep":
                continue
            connection.settimeout(PATIENCE_MS / 1000)
            if how == "server":
                # We say that we have finished, the other side closes, and so do we: the FINs cross the other way around.
                connection.shutdown(1)
                connection.recv(1)
            if how == "rst":
                reset(connection)
            else:
                connection.close()
    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(CLIENTS)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tally["refused"] > 0 and tally["opened"] > CLIENTS and kept and tally["clients"] == CLIENTS, f"this was no churn: {tally}"
        stir(kept)
        # Only the last packets of the last connections may still be on the way.
        wait_until(lambda: served.counted(daemon)["connections"] == len(kept),
                   lambda: f"{len(kept)} are open, {served.counted(daemon)} are counted; {tally}", 3)
        session.figure(f"limits: a churn of {seconds} s, {CLIENTS} clients: {tally['opened']} opened, {tally['refused']} refused; "
                       f"open at the end {len(kept)}, counted {len(kept)}")
        # Now too many, while nobody can heal it yet: the daemon sweeps as soon as it goes on.
        assert served.counted(daemon, drift=7)["connections"] == len(kept) + 7
    finally:
        daemon.process.popen.send_signal(signal.SIGCONT)
    # What should not be there is gone with one sweep.
    wait_until(lambda: served.counted(daemon)["connections"] == len(kept), "the drift to be healed by a sweep", 8)
    stir(kept)
    for client in kept:
        reset(client)
    wait_until(lambda: served.counted(daemon)["connections"] == 0, lambda: f"all to be given back: {served.counted(daemon)}", 10)


# --- packets as on the wire

WIRE_PACKETS, SEGMENT, LARGEST = 400, 1448, 65536  # SEGMENT: 1500 bytes less the headers of IPv4 and TCP with its timestamps
WIRE = f"""
version: 1
policies:
  - name: box
    select: "container:box"
    ingress: [ "allow 93/tcp from any packets 1/h per src burst {WIRE_PACKETS} as wire" ]
"""


def sent_to_box(world):
    """How often something was handed to the container's interface, a packet of many segments once."""
    [link] = json.loads(world.host.ip("-j", "-s", "link", "show", "dev", OUTER).stdout)
    return link["stats64"]["tx"]["packets"]


def test_a_packet_of_many_segments_is_charged_as_many(our_world, daemon, attach):
    daemon = start(daemon, our_world, WIRE, attach)
    before, after, received = sent_to_box(our_world), daemon.mark(), 0
    with our_world.box.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, \
            our_world.ext.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((V4, 93))
        listener.listen()
        client.settimeout(PATIENCE_MS / 1000)
        client.connect((V4, 93))
        server, _ = listener.accept()
        with server:
            for end in (client, server):
                end.setblocking(False)

            def more():
                nonlocal received
                for act in (lambda: client.send(bytes(1 << 20)), lambda: server.recv(1 << 20)):
                    try:
                        done = act()
                    except BlockingIOError:
                        continue
                    received += len(done) if isinstance(done, bytes) else 0
                # The last packet passes when one is left in the bucket, and is paid for in full.
                assert received <= WIRE_PACKETS * SEGMENT + LARGEST, "a packet of many segments was charged as one"
                return received > WIRE_PACKETS * SEGMENT - LARGEST
            wait_until(more, lambda: f"what is allowed to arrive: {received} bytes", 20, interval=0.001)
            skbs = sent_to_box(our_world) - before
            daemon.expect_event(after, verdict="deny", reason="packet_rate", rule="wire")
            more()
            reset(client)
    assert skbs < WIRE_PACKETS / 2, f"{skbs} packets were no large ones: this test shows nothing"


# --- a flood

FLOOD = """
version: 1
timeouts: {{ tcp-new: 1s }}
policies:
  - name: box
    select: "container:box"
    ingress: [ "allow 90-99/tcp from any {limit} as flooded" ]
"""
# One packet puts a source into debt for six seconds: many more than the table can hold are in debt at a time.
SLOW, SLOW_BURST, MINUTE = 10, 20, 60 * SECOND
FLOOD_LIMIT = f"rate {SLOW}/m per src burst {SLOW_BURST}"
FLOOD_PACE = 60_000  # packets a second
MODEST, GREEDY = "2001:db8:ffff:1::1", "2001:db8:ffff:2::1"


def kernel_memory(daemon):
    """Bytes of all maps that the daemon holds, as the kernel reckons them."""
    total, seen = 0, set()
    for path in glob.glob(f"/proc/{daemon.process.pid}/fdinfo/*"):
        with open(path) as file:
            words = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
        if "map_id" in words and words["map_id"] not in seen:
            seen.add(words["map_id"])
            total += int(words["memlock"])
    return total


def throughput(pour, start, end):
    """(bytes a second, bytes a second of CPU time) between two times, CLOCK_MONOTONIC in seconds."""
    lines = [line.split() for line in pour.lines() if line.startswith("bytes")]
    inside = [tuple(map(int, line[1::2])) for line in lines if len(line) == 6 and start <= int(line[3]) / 1e6 <= end]
    assert len(inside) > 5, f"too little was written in {end - start:.1f} s: {lines[-3:]}"
    size, time_us, cpu_us = (last - first for first, last in zip(inside[0], inside[-1]))
    return size * 1e6 / time_us, size * 1e6 / cpu_us


class Flood:
    """A flood of random /64s on one CPU, for the daemon to live with."""

    def __init__(self, world, count, seed):
        self.count = count
        self.sender = world.ext.spawn(world.session.limitprobe, "flood", "eth0", GHOST6, *world.macs, "port=90", f"count={count}",
                                      f"pace={FLOOD_PACE}", f"seed={seed}", "timeout=40000", "cpu=0")
        self.sender.wait_line("ready")
        self.start = time.monotonic()

    def wait(self, daemon):
        def ended():
            # To ask is to sweep: the connections of the flood end after a second, and it is not their table that is to be full.
            daemon.status()
            return self.sender.last("end")
        end = wait_until(ended, "the flood to end", 45, interval=0.6)
        assert int(end[2]) == self.count, f"only {end[2]} packets were sent in time"
        return self.start + int(end[4]) / 1e6


def sample(daemon, name, **labels):
    return sum(value for sample, have, value in parse_metrics(daemon.metrics()) if sample == name and labels.items() <= have.items())


def test_a_flood_of_random_sources_is_bounded_and_changes_nobodys_allowance(our_world, daemon, session):
    daemon = start(daemon, our_world, FLOOD.format(limit=FLOOD_LIMIT))
    before = kernel_memory(daemon)
    # The modest one stays within its allowance. The greedy one would gain if the flood made the table forget it.
    points = sorted(steady(MODEST, 2, 8, 1000) + steady(GREEDY, 15, 8))
    known = [Shot(at, "tcp", source, 2000 + number, GHOST6, 91) for number, (at, source, _) in enumerate(points)]
    flood = Flood(our_world, 1_000_000, seed=1)
    launched = our_world.launch(known, cpu=1)
    stop = flood.wait(daemon)
    fired = our_world.collect(launched)
    used, evictions = our_world.counted(daemon)["rates"], sample(daemon, "dnetbpf_limit_evictions_total")
    after = kernel_memory(daemon)
    assert fired[-1].before / 1e9 < stop, "the flood ended before the known sources did"
    session.figure(f"limits: flood: maps {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after 1,000,000 sources; "
                   f"{used} buckets in use, {evictions:.0f} given up for others")
    for source, model in ((MODEST, 16), (GREEDY, None)):
        ones = [one for one in fired if one.shot.source == source]
        model = model or bucket_model([one.before for one in ones], SLOW, MINUTE, SLOW_BURST)
        session.figure(f"limits: flood: of a known source {accepted(ones)} of {len(ones)} accepted, the model says {model}")
        assert abs(accepted(ones) - model) <= (0 if source == MODEST else 1), f"the flood changed the allowance of {source}"
    assert after - before < 1 << 20, "the maps grew"
    capacity = sample(daemon, "dnetbpf_map_capacity", map="buckets")
    assert 0.9 * capacity < used <= capacity and evictions > 100_000, "the table was to be full"
    full = sample(daemon, "dnetbpf_packets_total", reason="flow_table_full")
    assert full == 0, f"the table of connections was full for {full:.0f} packets: this flood was to be one of limits"


def test_a_flood_against_a_limit_costs_an_established_client_nothing(our_world, daemon, session):
    """One flood and one client; the rule has its limit for a second, then for a second it has none, and so on."""
    daemon = start(daemon, our_world, FLOOD.format(limit=FLOOD_LIMIT))
    spans = {FLOOD_LIMIT: [], "": []}
    sink = our_world.box.spawn(session.limitprobe, "sink", V4, 95, "cpu=1")
    sink.wait_line("ready")
    pour = our_world.ext.spawn(session.limitprobe, "pour", V4, 95, "cpu=1")
    pour.wait_line("open")
    flood = Flood(our_world, 100_000_000, seed=2)
    for turn in range(12):
        limit = ("", FLOOD_LIMIT)[turn % 2]
        daemon.write_policy(FLOOD.format(limit=limit))
        daemon.command("policy reload")  # in force when it answers, also when the daemon has seen the file before
        assert ("rate" in daemon.command("policy show", "box").stdout) == bool(limit)
        daemon.status()
        begin = time.monotonic()
        time.sleep(1)  # what is measured is a time
        spans[limit].append((begin, time.monotonic()))
    assert flood.sender.running(), "the flood ended too early"
    for process in (flood.sender, pour):
        process.stop()
    speed = {limit: [throughput(pour, *span) for span in ones] for limit, ones in spans.items()}

    def gigabits(limit, which):
        return " ".join(f"{one[which] * 8 / 1e9:.1f}" for one in speed[limit])
    # By CPU time, because other work on this machine takes more of the time by the clock than any limit could.
    for which, unit in ((0, "s"), (1, "s of CPU time")):
        # Neighbors in time: what else the machine does changes from second to second.
        ratio = statistics.median(limited[which] / free[which] for limited, free in zip(speed[FLOOD_LIMIT], speed[""]))
        session.figure(f"limits: flood: established client, Gbit/{unit}: with the limit {gigabits(FLOOD_LIMIT, which)}, "
                       f"without {gigabits('', which)}: {ratio:.2f}")
    assert ratio >= 0.95
