# SPDX-License-Identifier: GPL-2.0
"""
Bans on live traffic in namespaces: the seventh semantic of policies (who is never banned), what a banned source is refused and for
how long, and what sets, spares and lifts a ban. The commands' own words: test_net_blocks.py.
"""

import itertools
import socket
import struct
import time

import pytest

from lib.cases import BACK_V4, FRONT_V4, FRONT_V6
from lib.daemon import allowed
from lib.dockerhost import EXT_OTHER_V4, EXT_OTHER_V6, EXT_V4, EXT_V6, HOST_V4
from lib.place import DENY_MS
from lib.scene import of_web
from lib.shell import run, wait_until
from test_net_semantics import scene, world  # noqa: F401 (fixtures)

BURST = 2
RATE = f"rate 1/h per src burst {BURST}"
# The limit is on port 80 alone: what is refused elsewhere is refused by the ban.
RULES = [f"allow 80/tcp from any {RATE} {{ban}} as public", "allow 81-83/tcp, 80/udp, icmp, icmpv6 from any as rest"]
WEB4, WEB6 = FRONT_V4 + "11", FRONT_V6 + "11"
HOST4 = FRONT_V4 + "1"  # the host's address on the bridge, the containers' gateway
PORTS = itertools.count(2000)  # of forged segments: each is a connection of its own
SYN, RST, ACK = 0x02, 0x04, 0x10


def rules(ban="ban 10m", limit=RATE):
    return [rule.format(ban=ban).replace(RATE, limit) for rule in RULES]


def bans(s):
    return s.daemon.json("blocks")["blocks"]


def prefixes(s):
    return sorted(block["prefix"] for block in bans(s))


def exceed(s, source="ext", target="web", own=None, family=4, port=80, policy="web", network="front"):
    """The connections that are allowed, with whole handshakes, and one more."""
    for _ in range(BURST):
        s.opens(source, target, port, own=own, family=family, network=network)
    return s.denies(source, target, port, own=own, family=family, network=network, reason="rate_limited", rule="public", policy=policy)


def refuses(s, source, target, port=81, **wanted):
    return s.denies(source, target, port, reason="banned", **wanted)


# --- forged segments

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


class Forger:
    """Who sends TCP segments in any name from outside, and hears what comes back there only where a test lets him."""

    def __init__(self, place):
        self.raw = place.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.ear = place.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.ear.settimeout(10)

    def send(self, source, target, port, flags=SYN, source_port=None, sequence=7, acknowledged=0):
        source_port = source_port or next(PORTS)
        ends = socket.inet_aton(source) + socket.inet_aton(target)

        def tcp(check):
            return struct.pack("!HHIIBBHHH", source_port, port, sequence, acknowledged, 5 << 4, flags, 1 << 13, check, 0)
        # The kernel adds the length and the header's own sum.
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
        self.raw.sendto(ip + tcp(checksum(ends + struct.pack("!HH", socket.IPPROTO_TCP, 20) + tcp(0))), (target, 0))
        return source_port

    def answer(self, to, port):
        """The sequence number of the SYN-ACK to that end, which its owner alone would get."""
        while True:
            packet = self.ear.recv(2048)
            source_port, target_port, sequence = struct.unpack("!HHI", packet[20:28])
            fits = packet[9] == socket.IPPROTO_TCP and packet[16:20] == socket.inet_aton(to) and target_port == port
            if fits and packet[33] == SYN | ACK:
                return sequence

    def close(self):
        self.raw.close()
        self.ear.close()


@pytest.fixture
def forger(world, closing):
    return closing.add(Forger(world.places["ext"]))


# --- who is never banned

def test_semantic_07_a_flood_of_forged_syns_bans_nobody(scene, forger):
    s = scene(of_web(rules())).start()
    # One of them is alive and answers what it did not ask for with RST.
    victims = [EXT_OTHER_V4] + [f"198.19.0.{number}" for number in range(1, 10)]
    for _ in range(20):
        for victim in victims:
            forger.send(victim, WEB4, 80)
    for victim in victims:
        s.daemon.expect_event(reason="rate_limited", rule="public", src=victim)
    # He guesses, too: a handshake that is completed blindly is none.
    for _ in range(BURST):
        port = forger.send("198.19.0.10", WEB4, 80)
        for guess in range(0, 1 << 32, 1 << 24):
            forger.send("198.19.0.10", WEB4, 80, ACK, port, 8, guess)
        forger.send("198.19.0.10", WEB4, 80, RST | ACK, port, 8, 1)
    for _ in range(BURST + 1):
        forger.send("198.19.0.10", WEB4, 80)
    s.daemon.expect_event(reason="rate_limited", rule="public", src="198.19.0.10")
    assert bans(s) == [] and s.daemon.metric("dnetbpf_bans_total") == 0
    # The real one has its whole allowance; whose name was used up is refused there, and there alone.
    exceed(s)
    s.denies("ext", "web", 80, own=EXT_OTHER_V4, reason="rate_limited")
    s.opens("ext", "web", 81, own=EXT_OTHER_V4)
    assert prefixes(s) == [EXT_V4]


def test_semantic_07_who_answers_the_handshake_is_banned_from_then_on(scene, forger):
    """The same segments but for one number, so that the test above shows something. And it counts at that container alone."""
    policy = of_web(rules(), select="container:web or container:mon")
    s = scene(policy).start()
    name = "198.19.1.1"
    port = forger.send(name, WEB4, 81)
    forger.send(name, WEB4, 81, ACK, port, 8, forger.answer(name, port) + 1 & 0xffffffff)
    for container in ("mon", "web"):
        for _ in range(BURST + 1):
            forger.send(name, s.world.address(container, "front", 4), 80)
        s.daemon.expect_event(reason="rate_limited", rule="public", src=name, container=container)
    assert [(block["prefix"], block["container"]) for block in bans(s)] == [(name, "web")]


BOTH = ("ban 10m", "ban host 10m")


def test_semantic_07_the_host_its_gateways_and_containers_are_never_banned(scene):
    s = scene(of_web(rules())).start()
    for number, ban in enumerate(BOTH):
        # Other numbers are another limit, with buckets that are full.
        s.reload(of_web(rules(ban, f"rate {number + 1}/h per src burst {BURST}")))
        for source, own, family in (("host", None, 4), ("host", HOST_V4, 4), ("mon", None, 4), ("host", None, 6)):
            exceed(s, source, own=own, family=family)
        # It is in the /64 of the host's address there.
        s.denies("mon", "web", 80, family=6, reason="rate_limited")
        s.opens("mon", "web", 81, family=6)
        s.denies("mon", "web", 80, family=6, reason="rate_limited")
        assert bans(s) == []
    assert s.daemon.metric("dnetbpf_bans_total") == 0


def test_semantic_07_a_ban_of_a_prefix_spares_the_host_and_the_containers_in_it(scene):
    s = scene(of_web(rules())).start()
    for number, ban in enumerate(BOTH):
        # 198.0.0.0/8 is all that there is here.
        s.reload(of_web(rules(ban, f"rate {number + 1}/h per src/8 burst {BURST}")))
        exceed(s)
        assert prefixes(s) == ["198.0.0.0/8"]
        for own in (None, EXT_OTHER_V4):
            refuses(s, "ext", "web", own=own)
        for own in (None, HOST_V4):
            s.opens("host", "web", 81, own=own)
        for source in ("mon", "free"):
            s.opens(source, "web", 81)
        for source, target in (("web", HOST4), ("web", "mon"), ("host", "mon"), ("free", "mon")):
            s.opens(source, target, 90)
        s.opens("web", "db", 90, network="back")
        s.daemon.command("unblock", "--all")
        s.opens("ext", "web", 81)


def test_semantic_07_never_block_peers_are_never_banned_and_never_hit(scene):
    def text(peer):
        return of_web(rules(limit=f"rate 1/h per src/24 burst {BURST}"), head=f'host: {{ never-block: ["{peer}"] }}')
    s = scene(text(EXT_OTHER_V4)).start()
    lines = s.world.places["ext"].lines(WEB4, 81)
    exceed(s, own=EXT_OTHER_V4)
    assert bans(s) == []
    # Their neighbor is, and their /24 with it.
    s.opens("ext", "web", 81)
    s.denies("ext", "web", 80, reason="rate_limited")
    assert prefixes(s) == ["198.18.77.0/24"]
    refuses(s, "ext", "web")
    s.opens("ext", "web", 81, own=EXT_OTHER_V4)
    # Who is put there later is free at once, and who is not there any more is not.
    s.reload(text(EXT_V4))
    s.opens("ext", "web", 81)
    lines.wait_more("echoed", 2)
    refuses(s, "ext", "web", own=EXT_OTHER_V4)
    s.reload(text(EXT_OTHER_V4))
    stalled = lines.count("echoed")
    refuses(s, "ext", "web")
    assert lines.count("echoed") <= stalled + 1


def test_who_speaks_udp_alone_is_never_banned(scene):
    s = scene(of_web([f"allow 80/udp from any {RATE} ban 10m as public", "allow 81/tcp from any as rest"])).start()

    def ask_too_much():
        for _ in range(BURST + 1):
            s.world.places["ext"].ask(WEB4, 80, DENY_MS)  # each from another port
    ask_too_much()
    s.daemon.expect_event(reason="rate_limited", rule="public", src=EXT_V4, proto="udp")
    assert bans(s) == []
    # The same with a handshake, whose port does not matter.
    s.opens("ext", "web", 81)
    ask_too_much()
    assert prefixes(s) == [EXT_V4]


@pytest.mark.parametrize("how", ["policy", "run"])
def test_in_audit_mode_nobody_is_banned(scene, how):
    more, extra = ("    mode: audit\n", []) if how == "policy" else ("", ["--audit"])
    s = scene(of_web(rules(), more=more), extra=extra).start()
    for _ in range(BURST + 2):
        s.opens("ext", "web", 80)
    s.daemon.expect_event(verdict="would_deny", reason="rate_limited", rule="public", src=EXT_V4)
    assert bans(s) == [] and s.daemon.metric("dnetbpf_bans_total") == 0
    assert not s.daemon.events(verdict="deny") and not s.daemon.events(reason="banned")


# --- what a ban is

@pytest.mark.parametrize("family", [4, 6])
def test_a_banned_source_is_refused_everything_at_that_container(scene, attach, family):
    s = scene(of_web(rules()), attach=attach).start()
    ext, web = s.world.places["ext"], {4: WEB4, 6: WEB6}[family]
    own, other = {4: (EXT_V4, EXT_OTHER_V4), 6: (EXT_V6, EXT_OTHER_V6)}[family]
    open_ones = [ext.lines(web, 81), s.world.places["web"].lines(own, 90)]
    for lines in open_ones:
        lines.wait_more("echoed", 2)
    exceed(s, family=family)
    stalled = [lines.count("echoed") for lines in open_ones]
    # IPv6 addresses count by their /64, in which both are.
    assert [(block["prefix"], block["container"]) for block in bans(s)] == [(EXT_V4 if family == 4 else "fd77::/64", "web")]
    event = refuses(s, "ext", "web", 82, family=family)
    assert (event["container"], event["policy"], event["rule"], event["src"]) == ("web", "web", "public", own)
    if family == 6:
        refuses(s, "ext", "web", 82, family=family, own=other, rule="public")
    else:
        s.opens("ext", "web", 82, own=other)
    s.opens("mon", "web", 82, family=family)
    s.opens("host", "web", 82, family=family)
    s.opens("ext", "mon", 82, family=family)
    # UDP, ICMP, what the container itself begins, and what is open.
    refuses(s, "ext", "web", 80, family=family, proto="udp")
    assert ext.ping(web, DENY_MS) == "timeout"
    s.daemon.expect_event(reason="banned", proto="icmp" if family == 4 else "icmpv6", src=own)
    refuses(s, "web", own, 91, direction="egress", rule="public", policy="web")
    s.daemon.expect_event(reason="banned", direction="ingress", src=own, dst_port=81, rule="public")
    s.daemon.expect_event(reason="banned", direction="egress", dst=own, dst_port=90, rule="public")
    for lines, count in zip(open_ones, stalled):
        # What was on the way when they were counted may have come.
        assert lines.count("echoed") <= count + 1, "a connection that was open goes on"
    assert s.daemon.metric("dnetbpf_bans_total") == 1 and s.daemon.metric("dnetbpf_blocks", kind="ban") == 1
    # What was refused is counted, in the list too.
    assert bans(s)[0]["packets"] >= 5
    assert s.daemon.metric("dnetbpf_packets_total", container="web", verdict="deny", reason="banned") >= 5
    checked = run("promtool", "check", "metrics", stdin=s.daemon.metrics(), check=False)
    assert checked.returncode == 0 and not checked.stderr.strip(), checked.stdout + checked.stderr
    s.daemon.command("unblock", own)
    s.opens("ext", "web", 82, family=family)
    for lines in open_ones:
        lines.wait_more("echoed", 1)


def test_the_kernel_ends_a_ban_and_what_is_tried_meanwhile_makes_it_no_longer(scene, attach):
    s = scene(of_web(rules("ban 3s") + [f"allow 90/tcp from any {RATE} ban 10m as long"]), attach=attach).start()
    ext = s.world.places["ext"]
    lines = ext.lines(WEB4, 81)
    lines.wait_more("echoed", 2)
    # Somebody else is banned for longer: that nobody at all is banned any more is not what is to be seen.
    for source, port in ((EXT_OTHER_V4, 90), (EXT_V4, 80)):
        for _ in range(BURST):
            s.opens("ext", "web", port, own=source)
    s.daemon.kill()
    assert ext.connect(WEB4, 90, DENY_MS, source=EXT_OTHER_V4) == "timeout"
    before = time.monotonic()
    assert ext.connect(WEB4, 80, DENY_MS) == "timeout"
    wait_until(lambda: [ext.connect(WEB4, port, DENY_MS) for port in (80, 82)][1] == "open", "the ban to be over", 15)
    assert time.monotonic() - before >= 3
    lines.wait_more("echoed", 1)
    assert ext.connect(WEB4, 82, DENY_MS, source=EXT_OTHER_V4) == "timeout"
    # The rate is as it was: what is over is the ban. The next excess is the next ban.
    assert ext.connect(WEB4, 80, DENY_MS) == "timeout"
    assert ext.connect(WEB4, 82, DENY_MS) == "timeout"


@pytest.fixture
def web_answers_by_back(world):
    """Its default route is by `front`."""
    web, address = world.places["web"], BACK_V4 + "11"
    web.ip("route", "replace", "default", "via", BACK_V4 + "1", "table", "100")
    web.ip("rule", "add", "from", address, "table", "100")
    yield
    web.ip("rule", "del", "from", address, "table", "100")
    web.ip("route", "flush", "table", "100")


@pytest.mark.parametrize("earned, other", [("front", "back"), ("back", "front")])
def test_a_ban_holds_in_every_network_of_its_container(scene, attach, web_answers_by_back, earned, other):
    s = scene(of_web(rules()), attach=attach).start()
    web = s.world.address("web", other, 4)
    lines = s.world.places["ext"].lines(web, 81)
    lines.wait_more("echoed", 2)
    exceed(s, network=earned)
    assert [(block["prefix"], block["container"]) for block in bans(s)] == [(EXT_V4, "web")]
    event = refuses(s, "ext", "web", 82, network=other, rule="public", policy="web")
    assert (event["container"], event["network"]) == ("web", other)
    s.daemon.expect_event(reason="banned", direction="ingress", src=EXT_V4, dst=web, dst_port=81)
    stalled = lines.count("echoed")
    refuses(s, "ext", "web", 82, network=earned)
    assert lines.count("echoed") == stalled
    assert {end["network"]: end["blocks"] for end in s.daemon.ps("web")} == {"front": 1, "back": 1}
    for network in ("front", "back"):
        s.opens("ext", "web", 82, network=network, own=EXT_OTHER_V4)
    s.opens("ext", "db", 82, network="back")
    assert s.daemon.command("unblock", EXT_V4, "--container", "web").returncode == 0
    lines.wait_more("echoed", 1)
    for network in ("front", "back"):
        s.opens("ext", "web", 82, network=network)


@pytest.mark.parametrize("select", ["container:web", "container:mon"])
def test_ban_host_holds_at_every_container(scene, select):
    """Also at those that no policy selects, whether their bridge is guarded or not: no policy is on `back` in the second case."""
    target = select.split(":")[1]
    s = scene(of_web(rules("ban host 10m"), select=select)).start()
    exceed(s, target=target)
    block = bans(s)[0]
    assert block["everywhere"] and block["exceeded_at"] == target
    for container, network in (("web", "front"), ("mon", "front"), ("free", "front"), ("web", "back"), ("db", "back")):
        event = refuses(s, "ext", container, 82, network=network, rule="public")
        assert event["container"] == container
        s.denies(container, EXT_V4, 90, reason="banned", direction="egress")
    allowed(s.world.places["ext"], BACK_V4 + "14", 82, source=EXT_OTHER_V4)
    s.daemon.command("unblock", EXT_V4)
    for container in ("web", "mon", "free"):
        s.opens("ext", container, 82)
    s.opens("ext", "db", 82, network="back")


def test_ban_host_holds_in_audit_mode_elsewhere(scene):
    audit = '  - { name: seen, select: "container:mon", mode: audit, ingress: [ "allow from any as all" ] }\n'
    s = scene(of_web(rules("ban host 10m")) + audit).start()
    s.opens("ext", "mon", 82)
    exceed(s)
    refuses(s, "ext", "mon", 82, rule="public", policy="web")


def test_unblock_lifts_at_once_and_open_connections_go_on(scene):
    s = scene(of_web(rules("ban host 10m"))).start()
    lines = s.world.places["ext"].lines(WEB4, 81)
    lines.wait_more("echoed", 2)
    exceed(s)
    s.daemon.expect_event(reason="banned", src=EXT_V4, dst_port=81)
    refuses(s, "ext", "web", 82)
    assert s.daemon.command("unblock", EXT_V4).returncode == 0
    s.opens("ext", "web", 82)
    lines.wait_more("echoed", 2)
    lines.finish()
    assert bans(s) == [] and s.daemon.command("unblock", EXT_V4, check=False).returncode == 1
    # The next excess bans again.
    s.denies("ext", "web", 80, reason="rate_limited")
    refuses(s, "ext", "web", 82)


@pytest.mark.parametrize("kind", ["conns", "packets"])
def test_every_limit_bans_and_names_its_rule(scene, kind):
    limit = {"conns": "conns 2 per src", "packets": "packets 1/h per src burst 30"}[kind]
    s = scene(of_web(rules("ban 10m", limit))).start()
    ext = s.world.places["ext"]
    first = [ext.lines(WEB4, 80, interval=20 if kind == "packets" else 50)]
    if kind == "conns":
        first.append(ext.lines(WEB4, 80))
        s.denies("ext", "web", 80, reason="too_many_connections", rule="public")
    else:
        # A known connection, for which no rule is asked any more.
        event = s.daemon.expect_event(reason="packet_rate", container="web")
        assert (event["verdict"], event["policy"], event["rule"], event["src"]) == ("deny", "web", "public", EXT_V4)
    assert [(block["prefix"], block["limit"]) for block in bans(s)] == [(EXT_V4, limit)]
    s.daemon.expect_event(reason="banned", dst_port=80, src=EXT_V4, rule="public")
    refuses(s, "ext", "web", 82, rule="public")
    counts = [lines.count("echoed") for lines in first]
    refuses(s, "ext", "web", 82)
    assert [lines.count("echoed") for lines in first] == counts


def test_a_ban_that_is_over_hides_no_longer_one(scene):
    """The entry of the address is found before that of its /24, and while no daemon runs nobody removes it."""
    s = scene(of_web(rules("ban 2s") + [f"allow 90/tcp from any rate 1/h per src/24 burst {BURST} ban 10m as wide"])).start()
    ext = s.world.places["ext"]
    for port in (80, 90):
        for _ in range(BURST):
            s.opens("ext", "web", port, own=EXT_V4 if port == 80 else EXT_OTHER_V4)
    s.daemon.kill()
    for own, port in ((EXT_V4, 80), (EXT_OTHER_V4, 90)):
        assert ext.connect(WEB4, port, DENY_MS, source=own) == "timeout"
    both = time.monotonic()
    wait_until(lambda: time.monotonic() - both > 2, "the short one to be over")
    assert ext.connect(WEB4, 82, DENY_MS) == "timeout"
    s.start()
    refuses(s, "ext", "web", rule="wide")


# --- what it outlives

def test_the_kernel_bans_without_the_daemon(scene, attach):
    s = scene(of_web(rules()), attach=attach).start()
    ext = s.world.places["ext"]
    s.daemon.kill()
    for _ in range(BURST):
        assert ext.connect(WEB4, 80) == "open"
    assert ext.connect(WEB4, 80, DENY_MS) == "timeout"
    for port in (81, 82):
        assert ext.connect(WEB4, port, DENY_MS) == "timeout"
        assert ext.connect(WEB4, port, source=EXT_OTHER_V4) == "open"
    s.start()
    assert [(block["prefix"], block["container"], block["rule"]) for block in bans(s)] == [(EXT_V4, "web", "public")]
    refuses(s, "ext", "web", rule="public")
    s.daemon.command("unblock", EXT_V4)
    s.opens("ext", "web", 81)


def test_a_ban_outlives_its_rule(scene):
    s = scene(of_web(rules())).start()
    lines = s.world.places["ext"].lines(WEB4, 81)
    lines.wait_more("echoed", 2)
    exceed(s)
    s.daemon.expect_event(reason="banned", src=EXT_V4, dst_port=81)
    s.reload(of_web(["allow 80-83/tcp from any as other"]))
    stalled = lines.count("echoed")
    refuses(s, "ext", "web")
    assert prefixes(s) == [EXT_V4] and EXT_V4 in s.daemon.command("blocks").stdout
    # Nothing bans any more.
    for _ in range(BURST + 2):
        s.opens("ext", "web", 80, own=EXT_OTHER_V4)
    assert lines.count("echoed") == stalled
    s.daemon.command("unblock", EXT_V4)
    s.opens("ext", "web", 81)
    lines.wait_more("echoed", 1)


def test_a_rule_that_begins_to_ban_bans_from_then_on(scene):
    s = scene(of_web(rules(""))).start()
    exceed(s)
    s.opens("ext", "web", 81)
    assert bans(s) == []
    s.reload(of_web(rules()))
    # The limit is the same and used up; handshakes of before were not noted.
    s.denies("ext", "web", 80, reason="rate_limited")
    assert bans(s) == []
    s.opens("ext", "web", 81)
    s.denies("ext", "web", 80, reason="rate_limited")
    assert prefixes(s) == [EXT_V4]


# --- defaults

def test_a_ban_of_the_defaults_takes_effect(scene):
    labels = {"mon": {"dnetbpf.ingress": "allow 80/tcp from any as public; allow 81/tcp from any rate none as rest"}}
    s = scene(of_web(["allow 80/tcp from any as public", f"allow 83/tcp from any {RATE} as own", "allow 84/tcp from any ban none as mild",
                      "allow 81/tcp from any rate none as rest"],
                     head=f'host: {{ limits: {{ ingress: "{RATE} ban host 10m" }} }}',
                     more=f'    limits: {{ ingress: "{RATE} ban 10m" }}\n'), labels=labels).start()
    # Its own rate, without a ban; and one that refuses the ban.
    for port, rule in ((83, "own"), (84, "mild")):
        for _ in range(BURST):
            s.opens("ext", "web", port)
        s.denies("ext", "web", port, reason="rate_limited", rule=rule)
    s.opens("ext", "web", 81)
    assert bans(s) == []
    # The policy's, at this container.
    exceed(s)
    refuses(s, "ext", "web", rule="public")
    s.opens("ext", "mon", 81)
    assert [(block["prefix"], block["container"]) for block in bans(s)] == [(EXT_V4, "web")]
    # The host's, for a rule in labels, everywhere.
    exceed(s, target="mon", own=EXT_OTHER_V4, policy="labels")
    refuses(s, "ext", "web", own=EXT_OTHER_V4, rule="public", policy="labels")
    refuses(s, "ext", "free", own=EXT_OTHER_V4)


def test_a_label_that_bans_everywhere_opens_nothing(scene):
    """A container must not decide for the others."""
    labels = {"mon": {"dnetbpf.ingress": f"allow 80/tcp from any {RATE} ban host 10m as all"}}
    s = scene(of_web(["allow 80/tcp from any"]), labels=labels).start()
    s.denies("ext", "mon", 80, reason="policy_invalid")
    s.opens("ext", "web", 80)
