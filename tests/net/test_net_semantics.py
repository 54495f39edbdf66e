# SPDX-License-Identifier: GPL-2.0
"""The twelve semantics of policies, each by its number (docs/policy.md), on live traffic; the sixth: test_net_semantics_limits.py, the
seventh: test_net_bans.py, the tenth: test_net_countries.py.

Who is where: lib/cases.py.
"""

import os
import re
import socket
import struct

import pytest

from lib.dockerhost import EXT_OTHER_V4, EXT_OTHER_V6, EXT_V4, EXT_V6
from lib.place import Namespace
from lib.scene import Scene, of_web, rule_of_web
from lib.shell import run, wait_until
from lib.worlds import NetWorld


@pytest.fixture(scope="module")
def world(session):
    world = NetWorld(session)
    yield world
    world.close()


@pytest.fixture
def scene(world, daemon):
    def make(policy, **options):
        return Scene(world, daemon, policy, **options)
    return make


def check(session, text, *words, name="check.yaml"):
    """`policy check` of a text: (exit code, the diagnostics' sentences)."""
    path = os.path.join(session.directory, name)
    with open(path, "w") as file:
        file.write(text)
    done = run(session.dnetbpf, "policy", "check", path, "--control", "/nonexistent", *words, check=False)
    return done.returncode, done.stdout + done.stderr


# --- the semantics

def test_semantic_01_first_match_wins_and_a_governed_direction_ends_in_deny(scene, attach):
    rules = [f"deny 80/tcp from {EXT_OTHER_V4}, {EXT_OTHER_V6} as not-him", "allow 80/tcp from any as others",
             "deny 80/tcp from any as too-late", "allow 81/tcp from container:mon as mon"]
    s = scene(of_web(rules), attach=attach).start()
    for family, other in ((4, EXT_OTHER_V4), (6, EXT_OTHER_V6)):
        s.opens("ext", "web", 80, family=family)
        s.denies("ext", "web", 80, family=family, own=other, rule="not-him", reason="policy_denied", direction="ingress")
        s.opens("mon", "web", 81, family=family)
        s.denies("ext", "web", 81, family=family, reason="default_denied", rule="default")
    # The other direction is absent: it is left to defaults.unselected.
    s.opens("web", EXT_V4, 90)
    s.reload(of_web(rules, head="defaults: { unselected: deny }"))
    s.denies("web", EXT_V4, 90, reason="default_denied", direction="egress")
    s.opens("ext", "web", 80)
    # An empty list is not an absent one.
    s.reload(of_web([]))
    s.denies("ext", "web", 80, reason="default_denied", direction="ingress")
    s.opens("web", EXT_V4, 90)
    s.reload(of_web(rules, []))
    s.denies("web", EXT_V4, 90, reason="default_denied", direction="egress")
    s.opens("ext", "web", 80)


TWO = """
version: 1
policies:
  - name: {names[0]}
    select: "container:web"
    mode: {modes[0]}
    ingress: [ "{rules[0]}" ]
  - name: {names[1]}
    select: "service:shop/web"
    mode: {modes[1]}
    ingress: [ "{rules[1]}" ]
"""


def two(rules, names=("one", "two"), modes=("enforce", "enforce")):
    return TWO.format(rules=rules, names=names, modes=modes)


def test_semantic_02_several_policies_are_one_list_in_file_order(scene):
    rules = ("allow 80-82/tcp from any as yes", "deny 81-83/tcp from any as no")
    s = scene(two(rules)).start()
    s.opens("ext", "web", 81)
    s.denies("ext", "web", 83, policy="two", rule="no")
    s.denies("ext", "web", 84, reason="default_denied")
    s.reload(two(rules[::-1], ("two", "one")))
    s.opens("ext", "web", 80)
    s.denies("ext", "web", 81, policy="two", rule="no")
    assert s.daemon.ps("web")[0]["policies"] == ["two", "one"]


def test_semantic_02_included_files_come_after(scene):
    s = scene("version: 1\ninclude: more.d/*.yaml\n" + of_web(["deny 80/tcp from any as main"])[len("version: 1\n"):])
    folder = os.path.join(s.daemon.directory, "more.d")
    os.mkdir(folder)
    for name, port in (("20-last.yaml", 82), ("10-first.yaml", 81)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(of_web([f"deny {port}/tcp from any as {name[:2]}", "allow 80-83/tcp from any as all"], name=f"p{name[:2]}"))
    s.start()
    s.denies("ext", "web", 80, rule="main")
    s.denies("ext", "web", 81, rule="10")
    s.opens("ext", "web", 82)  # 10-first allows it before 20-last denies it


def test_semantic_02_policies_that_disagree_on_the_mode_are_an_error_and_are_enforced(scene, session):
    text = two(("allow 80/tcp from any", "allow 81/tcp from any"), modes=("audit", "enforce"))
    s = scene(text).start()
    code, said = check(session, text, "--inventory", f"static:{s.daemon.inventory_path}")
    assert code == 1 and "one" in said and "two" in said and "mode" in said and "enforce" in said, said
    assert s.daemon.state("web") == "enforced"
    s.opens("ext", "web", 81)
    s.denies("ext", "web", 82, reason="default_denied")
    s.reload(two(("allow 80/tcp from any", "allow 81/tcp from any"), modes=("audit", "audit")))
    assert s.daemon.state("web") == "audit"
    s.opens("ext", "web", 82)


def test_semantic_03_labels_narrow_the_file_and_never_widen_it(scene, attach):
    labels = {"web": {"dnetbpf.ingress": "deny 81/tcp from any as mine; allow 80-90/tcp from any as own"}}
    s = scene(of_web(["allow 80-82/tcp from any as file"]), labels=labels, attach=attach).start()
    for family in (4, 6):
        s.opens("ext", "web", 80, family=family)
        s.denies("ext", "web", 81, family=family, rule="mine", policy="labels")
        s.denies("ext", "web", 83, family=family, reason="default_denied", policy="web")
    # Unless a policy says so: then they are appended to its list.
    s.reload(of_web(["allow 80-82/tcp from any as file"], more="    labels: add\n"))
    s.opens("ext", "web", 81)
    s.opens("ext", "web", 90)
    s.denies("ext", "web", 91, reason="default_denied")
    # And not at all when nobody trusts them.
    s.reload(of_web(["allow 80-82/tcp from any as file"], head="defaults: { labels: ignore }"))
    s.opens("ext", "web", 81)
    s.denies("ext", "web", 90, reason="default_denied", policy="web")


def test_semantic_03_labels_alone_govern(scene):
    s = scene("version: 1\n", labels={"free": {"dnetbpf.ingress": "allow 80/tcp from outside as out"}}).start()
    s.opens("ext", "free", 80)
    s.denies("mon", "free", 80, container="free", reason="default_denied", policy="labels")
    s.denies("ext", "free", 81, container="free", reason="default_denied", policy="labels")
    s.opens("free", EXT_V4, 85)


HOST = f"""
host:
  never-block: [ "{EXT_OTHER_V4}", "{EXT_OTHER_V6}" ]
  rules: [ "deny 80-89/tcp from outside as world", "deny 95/tcp to any as out" ]
"""


def test_semantic_03_the_host_layer_is_for_every_container(scene, attach):
    labels = {"mon": {"dnetbpf.ingress": "allow from any as everybody"}}
    s = scene(of_web(["allow 80,90/tcp from any as some"], head=HOST), labels=labels, attach=attach).start()
    for name in ("web", "mon", "free"):  # of the file, of labels, of nobody
        event = s.denies("ext", name, 80, container=name, policy="host", rule="world", reason="policy_denied")
        assert event["origin"].startswith(s.daemon.policy_path + ":"), event
        s.denies(name, EXT_V4, 95, container=name, rule="out", direction="egress")
    for family, other in ((4, EXT_OTHER_V4), (6, EXT_OTHER_V6)):
        for name in ("web", "mon", "free"):  # never-block comes before the host's rules, not before the container's own
            s.opens("ext", name, 80, family=family, own=other)
        s.denies("ext", "web", 81, family=family, own=other, policy="web", reason="default_denied")
        s.denies("ext", "free", 81, family=family, rule="world")
    # It ends in pass, which opens nothing that the next layer denies and selects nobody.
    s.opens("ext", "web", 90)
    s.denies("ext", "web", 91, policy="web", reason="default_denied")
    s.opens("ext", "free", 91)
    assert s.daemon.metric("dnetbpf_packets_total", container="free", reason="unselected", verdict="pass")


def test_semantic_03_what_nobody_governs_is_unselected(scene, attach):
    s = scene(of_web(["allow 80/tcp from any"]), attach=attach).start()
    before = s.daemon.metric("dnetbpf_packets_total", container="free", reason="unselected", verdict="pass") or 0
    for source, target in (("ext", "free"), ("free", EXT_V4), ("mon", "free"), ("host", "free")):
        s.opens(source, target, 85)
    assert s.daemon.state("free") == "unselected"
    assert s.daemon.metric("dnetbpf_packets_total", container="free", reason="unselected", verdict="pass") >= before + 10
    s.reload(of_web(["allow 80/tcp from any"], head="defaults: { unselected: outside }"))
    for family in (4, 6):
        s.denies("ext", "free", 85, family=family, container="free", policy="defaults", direction="ingress")
        s.opens("mon", "free", 85, family=family)
        s.opens("host", "free", 85, family=family)
        s.opens("free", EXT_V4 if family == 4 else EXT_V6, 85)
        s.opens("ext", "web", 80, family=family)
    s.reload(of_web(["allow 80/tcp from any"], head="defaults: { unselected: deny }"))
    s.denies("mon", "free", 85, container="mon", reason="default_denied", policy="defaults", direction="egress")
    s.denies("host", "free", 85, container="free", reason="default_denied", policy="defaults", direction="ingress")
    s.opens("ext", "web", 80)


def test_semantic_04_labels_of_the_image_are_ignored_and_reported(scene, session):
    """The inventory says that they are the image's. With real images: tests/docker/test_image_labels.py."""
    s = scene(of_web(["allow 80/tcp from label:dnetbpf.ingress=*"]), more={"free": {"image-labels": ["dnetbpf.ingress"]}}).start()
    assert s.daemon.state("free") == "unselected"
    s.opens("ext", "free", 90)
    s.denies("free", "web", 80, container="web", reason="default_denied")
    code, said = check(session, "version: 1\n", "--inventory", f"static:{s.daemon.inventory_path}")
    assert code == 0 and "dnetbpf.ingress" in said and "free" in said and "ignored" in said, said


def raw_tcp(place, address, port, flags, from_port=4321):
    """A segment that belongs to nothing."""
    with place.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.sendto(struct.pack("!HHIIBBHHH", from_port, port, 1, 1, 5 << 4, flags, 1024, 0, 0), (address, 0))


def raw_icmp_error(place, address, quoted):
    """A port unreachable that quotes 8 bytes of a UDP packet from address to quoted."""
    ends = socket.inet_aton(address), socket.inet_aton(quoted)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0, *ends)
    message = struct.pack("!BBHI", 3, 3, 0, 0) + header + struct.pack("!HHHH", 4000, 99, 8, 0)
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total & 0xffff) + (total >> 16)
    with place.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(message[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + message[4:], (address, 0))


def test_semantic_05_replies_and_icmp_errors_of_a_flow_pass(scene, attach):
    s = scene(of_web([], [f"allow 80-105/udp, 80-99/tcp to {EXT_V4}, {EXT_V6} as out"]), attach=attach).start()
    for family, to in ((4, EXT_V4), (6, EXT_V6)):
        s.opens("web", to, 80)
        s.opens("web", to, 80, proto="udp")
        # Nobody listens there: the ICMP error comes through the ingress that allows nothing.
        assert s.world.places["web"].ask(to, 100, 4000) == "refused"
        s.denies("ext", "web", 80, family=family, reason="default_denied")
    after = s.daemon.mark()
    raw_icmp_error(s.world.ext, s.world.address("web"), "198.18.77.99")
    s.daemon.expect_event(after, container="web", reason="icmp_unrelated", verdict="deny", proto="icmp")


def test_semantic_05_a_changed_policy_or_set_ends_what_it_forbids(scene, attach):
    rules = ["allow 80/tcp from set:near as near", "allow 81/tcp from any as all"]
    s = scene(of_web(rules, head="sets: { near: { file: near.netset } }"), attach=attach)
    path = os.path.join(s.daemon.directory, "near.netset")

    def near(*prefixes):
        with open(path + ".new", "w") as file:
            file.write("\n".join(prefixes) + "\n")
        os.rename(path + ".new", path)
    near("198.18.77.0/24", "fd77::/64")
    s.start()
    for family in (4, 6):
        to = s.world.address("web", family=family)
        near("198.18.77.0/24", "fd77::/64")
        s.daemon.command("policy reload")
        goes, stays = s.world.ext.lines(to, 80), s.world.ext.lines(to, 81)
        for line in (goes, stays):
            line.wait_more("echoed", 3)
        after = s.daemon.mark()
        near("192.0.2.0/24")
        s.daemon.command("policy reload")
        event = s.daemon.expect_event(after, container="web", reason="flow_revoked", verdict="deny", dst_port=80, dst=to)
        assert event["policy"] == "web", event
        echoed = goes.count("echoed")
        stays.wait_more("echoed", 10)
        assert goes.count("echoed") == echoed and stays.finish()["retransmitted"] == 0
        goes.process.kill()


def test_semantic_05_connections_older_than_the_daemon_have_a_grace_period(scene, attach):
    s = scene(of_web(["allow 80/tcp from any"], [f"allow 90/tcp to {EXT_V4}"]), attach=attach)
    web, ext, to = s.world.places["web"], s.world.ext, s.world.address("web")
    good, bad = [ext.lines(to, 80), web.lines(EXT_V4, 90)], [ext.lines(to, 81), web.lines(EXT_V4, 91)]
    for line in good + bad:
        line.wait_more("echoed", 3)
    s.start()
    for port in (81, 91):
        wait_until(lambda p=port: [event for event in s.daemon.events(container="web", verdict="deny")
                                   if p in (event["src_port"], event["dst_port"])], f"an event of port {port}")
    before = [line.count("echoed") for line in bad]
    for line in good:
        line.wait_more("echoed", 10)
        # The kernel takes an interface's queues away for 0.2 ms when it gets a clsact qdisc: what is sent then is lost.
        assert line.finish()["retransmitted"] <= (attach == "clsact")
    assert [line.count("echoed") for line in bad] == before
    for line in bad:
        line.process.kill()


LATER = 15  # the address of a container that comes later


@pytest.fixture
def later(session, closing, daemon, attach):
    """(scene, come): `later` stands in the inventory, and is there once come() was called."""
    world = closing.add(NetWorld(session))
    world.places["later"] = Namespace(session, f"later{session.number('place')}")
    world.places["later"].name = "later"
    end = world.plug("later", "front", LATER)
    mac = end["mac"]
    world.host.ip("link", "delete", end["interface"])
    s = Scene(world, daemon, """
        version: 1
        policies:
          - { name: web, select: "container:web", ingress: [ "allow 82/tcp from container:lat* as waits" ] }
          - { name: later, select: "container:later", ingress: [ "allow 80/tcp from any as open" ] }
        """, attach=attach)

    def come():
        world.endpoints.pop()
        address = world.plug("later", "front", LATER)["addresses"][0]
        # The inventory names its MAC address as well, and a new interface has a new one.
        world.places["later"].ip("link", "set", "to-front", "address", mac)
        s.daemon.wait_state("later", "enforced")
        world.servers.append(world.places["later"].serve("tcp:80-99"))
        return address
    s.daemon.start()
    s.daemon.wait_state("web", "enforced", count=2)
    return s, come


def test_semantic_05_tcp_without_a_flow_is_denied(later):
    s, come = later
    address = come()
    s.opens("ext", address, 80)
    for flags, name in ((0x10, "ACK"), (0x12, "SYN"), (0x04, "RST"), (0x11, "FIN")):
        after = s.daemon.mark()
        raw_tcp(s.world.ext, address, 80, flags)
        event = s.daemon.expect_event(after, container="later", verdict="deny", reason="no_flow", dst_port=80, src_port=4321)
        assert name in event["tcp_flags"], event


def test_what_is_not_enforced_yet_is_carried_and_said(scene, session):
    rule, part = "allow 80/tcp from any log", "its log is not enforced yet"
    text = of_web([rule])
    code, said = check(session, text)
    assert code == 0 and part in said, said
    s = scene(text).start()
    assert part in s.daemon.log(), s.daemon.log()
    assert any(part in problem for problem in s.daemon.status()["problems"]), s.daemon.status()["problems"]
    for _ in range(3):  # it works as if it were not there
        s.opens("ext", "web", 80)
    s.denies("ext", "web", 81, reason="default_denied")
    assert rule_of_web(s)["text"] == rule
    done = s.reload(of_web([rule, "allow 81/tcp from any"]))
    assert part in done.stderr, done
    s.opens("ext", "web", 81)
    s.reload(of_web(["allow 81/tcp from any"]))
    assert not any("not enforced" in problem for problem in s.daemon.status()["problems"])


def test_semantic_08_what_cannot_be_read_opens_nothing(scene, closing, session):
    good, bad = of_web(["allow 80/tcp from any"]), of_web(["allow 80/tcp from any", "allow 81/tcp form any"])
    s = scene(bad)
    process = s.daemon.launch()
    where = f"{s.daemon.policy_path}:5:"
    assert process.wait(20) == 2 and where in s.daemon.log() and "from" in s.daemon.log(), s.daemon.log()
    s.daemon.write_policy(good)
    s.start()
    done = s.reload(bad, check=False)
    assert done.returncode == 2 and where in done.stderr, done
    s.opens("ext", "web", 80)
    s.denies("ext", "web", 81, reason="default_denied")
    assert where in " ".join(s.daemon.status()["problems"]), s.daemon.status()["problems"]


def test_semantic_08_a_container_with_a_bad_label_is_denied_and_nobody_else(scene, attach):
    labels = {"free": {"dnetbpf.ingress": "permit everything"}, "mon": {"dnetbpf.ingress": "allow 80/tcp from any"}}
    s = scene(of_web(["allow 80/tcp from any"]), labels=labels, attach=attach).start()
    s.denies("ext", "free", 80, container="free", reason="policy_invalid")
    s.denies("free", EXT_V4, 80, container="free", reason="policy_invalid", direction="egress")
    s.opens("ext", "mon", 80)
    s.opens("ext", "web", 80)
    assert s.daemon.state("free") == "invalid" and "permit" in s.daemon.log()


def test_semantic_09_a_rule_waits_for_the_container_that_it_names(later):
    s, come = later
    s.denies("mon", "web", 82, reason="default_denied")
    come()
    s.opens("later", "web", 82)
    s.denies("mon", "web", 82, reason="default_denied")
    # A rule by hand, too, for a name that nobody has.
    done = s.daemon.command("allow", "nobody", "83/tcp from any")
    assert "nobody" in done.stdout and "waits" in done.stdout, done


def test_semantic_11_the_guard_is_on_where_anybody_is_selected(scene, attach):
    s = scene("version: 1\npolicies: [ { name: db, select: \"container:db\", ingress: [] } ]\n", attach=attach).start()
    world, free = s.world, s.world.places["free"]
    sniffer = world.places["web"].sniff("to-front")

    def lie(tag, family=4, mac=None):
        after = s.daemon.mark()
        free.spoof("to-front", to=world.address("web", family=family), to_mac=world.places["web"].mac("to-front"),
                   from_mac=mac or free.mac("to-front"), tag=tag, count=3, port=80, **{"from": world.address("mon", family=family)})
        sniffer.barrier(lambda tag: world.host.burst(f"{world.address('web')}:80", tag=tag, count=1))
        return after
    # db, the only one that is selected, is on another bridge.
    for family in (4, 6):
        lie(f"before{family}", family)
        assert sniffer.count(f"before{family}") == 3
    s.reload(of_web(["allow 80/udp from any"]))
    for family in (4, 6):
        after = lie(f"guarded{family}", family)
        s.daemon.expect_event(after, container="free", verdict="deny", direction="egress", reason="spoofed_source")
        after = lie(f"mac{family}", family, world.places["mon"].mac("to-front"))
        s.daemon.expect_event(after, container="free", verdict="deny", direction="egress", reason="spoofed_mac")
    assert sniffer.count("guarded*") == 0 and sniffer.count("mac*") == 0
    assert s.daemon.state("free") == "unselected"
    s.opens("free", "web", 80, proto="udp")
    s.opens("free", EXT_V4, 80)
    sniffer.stop()


def test_semantic_12_counters_follow_a_rules_name_or_its_text(scene, attach):
    def hits():
        return {rule: s.daemon.metric("dnetbpf_rule_hits_total", policy="web", rule=rule) for rule in ("named", text, "gone")}

    rules = ["allow 80/tcp from any as named", "allow 81/tcp from any", "allow 82/tcp from any as gone"]
    s = scene(of_web(rules), attach=attach).start()
    listed = s.daemon.json("policy show", "web")["endpoints"][0]["directions"]["ingress"]["layers"]
    text = next(one["rule"] for layer in listed for one in layer["rules"] if one["text"] == rules[1])
    assert re.fullmatch("[0-9a-f]{8}", text)
    for port, times in ((80, 3), (81, 2), (82, 1)):
        for _ in range(times):
            s.opens("ext", "web", port)
    assert hits() == {"named": 3, text: 2, "gone": 1}
    # Others before it, another text behind the name, other spaces in the text; one rule is gone.
    s.reload(of_web(["deny 70/tcp from any", "deny 71-79/tcp from outside as first", "allow  81/tcp   from any",
                     "allow 80,83/tcp from any as named"]))
    for port in (80, 81, 83):
        s.opens("ext", "web", port)
    assert hits() == {"named": 5, text: 3, "gone": None}
    s.denies("ext", "web", 70, reason="policy_denied")
    # And a restart.
    s.daemon.stop()
    s.start()
    s.opens("ext", "web", 80)
    assert hits() == {"named": 6, text: 3, "gone": None}
    s.reload(of_web(rules))
    s.opens("ext", "web", 82)
    assert hits()["named"] == 6 and hits()[text] == 3 and hits()["gone"] >= 1
