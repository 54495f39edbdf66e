# SPDX-License-Identifier: GPL-2.0
"""`policy explain`, `policy show`, `policy test` and `flows`: what they say is what happens (lib/cases.py), live and offline."""

import json
import os
import shutil
import tempfile
import textwrap

import pytest

from lib.cases import CASES, POLICY
from lib.closing import Closing
from lib.daemon import parse_metrics
from lib.dockerhost import EXT_OTHER_V4, EXT_OTHER_V6, EXT_V4
from lib.shell import run, wait_until
from lib.worlds import NetWorld

DECIDED = ("verdict", "reason", "layer", "policy", "rule", "origin", "container", "direction", "network")
HOST_RULES = """
host:
  rules: [ "deny 97/tcp from 198.18.77.3 as never", "deny 70/tcp from iface:up0 as by-uplink" ]
"""
OWN_LABELS = {"free": {"dnetbpf.egress": "allow 1-96/tcp, 98-99/tcp, udp, icmp, icmpv6 to any as own"}}


@pytest.fixture(scope="module")
def world(session):
    world = NetWorld(session)
    for end in world.endpoints:
        end["labels"].update(OWN_LABELS.get(end["container"], {}))
    yield world
    world.close()


@pytest.fixture(scope="module")
def daemon(world, session):
    closing = Closing(session)
    daemon = closing.daemon(world.host, policy=POLICY + HOST_RULES, inventory=world.inventory())
    try:
        daemon.start()
        for name, count in (("web", 2), ("db", 1), ("mon", 1), ("free", 1)):
            daemon.wait_state(name, "enforced", count=count)
        yield daemon
    finally:
        closing.close()


def explain(daemon, packet):
    return daemon.json("policy explain", packet)


def offline(daemon, packet, **options):
    done = run(daemon.session.dnetbpf, "policy", "explain", packet, "--offline", daemon.policy_path, "--inventory",
               f"static:{daemon.inventory_path}", "--json", **options)
    return json.loads(done.stdout)


def decided(explanation):
    return {key: explanation[key] for key in DECIDED}


def end(address, port=None):
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def packet_of(world, case, family):
    source = world.address(case.source, case.network, family) if case.source != "ext" else world.address("ext", family=family)
    if case.other_source:
        source = EXT_OTHER_V4 if family == 4 else EXT_OTHER_V6
    target = world.address(case.target, case.network, family)
    if case.proto == "icmp":
        return f"{'icmp' if family == 4 else 'icmpv6'} {source} -> {target}"
    return f"{case.proto} {end(source)} -> {end(target, case.port)}"


@pytest.mark.parametrize("name", CASES)
def test_an_explanation_is_what_happens_and_the_same_offline(world, daemon, name):
    for case in CASES[name]:
        for family in case.families:
            packet = packet_of(world, case, family)
            live = explain(daemon, packet)
            if case.denied_by:
                wanted = {"verdict": "deny", "container": case.denied_by, "reason": case.reason, "layer": "file",
                          "direction": "ingress" if case.denied_by == case.target else "egress", "network": case.network}
                if case.rule:
                    wanted["rule"] = case.rule
            else:
                wanted = {"verdict": "pass"}
            assert {key: live[key] for key in wanted} == wanted, f"{case}: {packet}: {live}"
            assert live["sentence"] and live["checks"]
            for check in live["checks"]:
                *earlier, last = check["rules"] or [{"lacks": ""}]
                assert all(rule["lacks"] for rule in earlier), f"{packet}: {check}"
                assert bool(last["lacks"]) == (check["rule"] == "default" and bool(check["rules"])), f"{packet}: {check}"
            if case.target == "uplink":  # the files do not say which other addresses the host has
                continue
            other = offline(daemon, packet)
            assert [decided(check) for check in other["checks"]] == [decided(check) for check in live["checks"]], packet
            assert [check["rules"] for check in other["checks"]] == [check["rules"] for check in live["checks"]], packet


@pytest.mark.parametrize("packet,wanted", [
    ("tcp 198.18.77.3 -> free:97", {"verdict": "deny", "layer": "host", "policy": "host", "rule": "never", "reason": "policy_denied"}),
    ("tcp 198.18.77.3 -> web:97", {"verdict": "deny", "layer": "host", "rule": "never"}),
    ("tcp free -> mon:97", {"verdict": "deny", "layer": "labels", "policy": "labels", "rule": "default", "reason": "default_denied"}),
    ("tcp free -> mon:96", {"verdict": "pass", "container": "mon", "reason": "unselected"}),
    ("tcp service:mon/prometheus -> service:shop/web:82", {"verdict": "pass", "rule": "by-container", "container": "web"}),
    ("udp outside -> web:80", {"verdict": "pass", "rule": "public"}),
    ("sctp host -> web:80", {"verdict": "deny", "reason": "default_denied", "proto": "sctp"}),
    ("icmpv6:packet-too-big outside -> web", {"verdict": "deny", "reason": "icmp_unrelated"}),
    ("proto:47 web -> mon", {"verdict": "pass", "container": "mon"}),
])
def test_names_layers_and_protocols(daemon, packet, wanted):
    live = explain(daemon, packet)
    assert {key: live[key] for key in wanted} == wanted, live
    other = offline(daemon, packet)
    assert [decided(check) for check in other["checks"]] == [decided(check) for check in live["checks"]]


def test_outside_comes_in_by_the_interface_that_leads_there(daemon):
    for packet in (f"tcp {EXT_V4} -> web:70", "tcp outside -> web:70"):
        assert explain(daemon, packet)["rule"] == "by-uplink", packet
    live = explain(daemon, "tcp mon -> web:70")
    assert live["layer"] == "file" and live["rule"] == "default", live


def test_the_text_is_for_people(daemon):
    text = daemon.command("policy explain", "tcp", "198.18.77.2:4444", "->", "web:85").stdout
    assert text.startswith("PASS  tcp 198.18.77.2:4444 -> 198.18.10.11:85   (outside -> web)"), text
    for part in ("by-outside", "the port is 85, not 80", "matches: allow", f"{daemon.policy_path}:"):
        assert part in text, text
    denied = daemon.command("policy explain", "tcp web -> db:80").stdout
    assert denied.startswith("DENY") and "there are no rules in policy db" in denied, denied


def test_it_asks_and_changes_nothing(daemon):
    def numbers():
        # What the rules and the policy of web decided: the namespaces' own chatter (IPv6) decides nothing of it.
        counted = [sample for sample in parse_metrics(daemon.metrics())
                   if sample[0] == "dnetbpf_rule_hits_total" or sample[1].get("reason") in ("policy_allowed", "established")]
        return counted, daemon.events(container="web", dst_port=99), daemon.json("flows", "--container", "web")["flows"]
    before = numbers()
    for _ in range(3):
        assert explain(daemon, "udp outside -> web:80")["reason"] == "policy_allowed"
        assert explain(daemon, "tcp outside -> web:99")["reason"] == "default_denied"
    assert numbers() == before


def test_a_connection_that_exists_decides_and_is_listed(world, daemon):
    lines = world.places["ext"].lines(world.address("web"), 80)
    try:
        def found():
            return [flow for flow in daemon.json("flows", "--container", "web")["flows"] if flow["src"] == EXT_V4
                    and flow["dst_port"] == 80 and flow["proto"] == "tcp" and flow["state"] == "established"]
        flow = wait_until(found, lambda: f"the connection: {daemon.json('flows')}")[0]
        assert flow["dst"] == world.address("web") and flow["dst_container"] == "web" and flow["src_container"] == ""
        assert flow["dst_verdict"] == "current" and flow["src_verdict"] == "" and flow["initiator"] == "src"
        assert 0 <= flow["idle_seconds"] < 10
        live = explain(daemon, f"tcp {EXT_V4}:{flow['src_port']} -> web:80")
        assert live["verdict"] == "pass" and live["reason"] == "established" and "exists" in live["sentence"]
        assert explain(daemon, f"tcp {EXT_V4}:1 -> web:80")["reason"] == "policy_allowed"
        text = daemon.command("flows", "--container", "we*").stdout
        assert f"web ({world.address('web')}:80)" in text and "established" in text, text
        assert daemon.json("flows", "--container", "nobody")["flows"] == []
        assert len(daemon.json("flows", "-n", "1")["flows"]) <= 1
    finally:
        lines.finish()


def test_show_lists_the_rules_in_their_order_with_hits(world, daemon):
    def rules(direction="ingress", layer="file"):
        shown = daemon.json("policy show", "web")["endpoints"]
        assert sorted(endpoint["network"] for endpoint in shown) == ["back", "front"]
        front = next(endpoint for endpoint in shown if endpoint["network"] == "front")
        assert front["mode"] == "enforce" and front["problems"] == []
        layers = {one["layer"]: one for one in front["directions"][direction]["layers"]}
        assert layers[layer]["ends"] == ("pass" if layer == "host" else "deny")
        return layers[layer]["rules"]
    names = [rule["rule"] for rule in rules()]
    assert names[:4] == ["public", "one-less", "near", "by-container"] and names[-1] == "ping"
    assert rules()[0]["text"] == "allow 80/tcp, 80/udp from any as public" and rules()[0]["policy"] == "web"
    assert rules()[0]["origin"].startswith(daemon.policy_path + ":") and rules()[0]["action"] == "allow"
    assert [rule["rule"] for rule in rules(layer="host")] == ["never", "by-uplink"]
    before = {rule["rule"]: rule["hits"] for rule in rules()}
    assert world.places["ext"].try_proto("tcp", world.address("web"), 85) == "open"
    after = {rule["rule"]: rule["hits"] for rule in rules()}
    assert after["by-outside"] == before["by-outside"] + 1 and after["near"] == before["near"]
    egress = next(e for e in daemon.json("policy show", "web")["endpoints"] if e["network"] == "front")["directions"]["egress"]
    assert egress == {"layers": [], "ends": "defaults.unselected: allow"}
    text = daemon.command("policy show").stdout
    assert "by-outside" in text and "own" in text and "(all else: deny)" in text and "(not governed" in text, text


def test_flows_of_an_older_policy_are_stale(world, daemon):
    assert world.places["ext"].try_proto("udp", world.address("web"), 80) == "open"

    def verdict():
        return [flow["dst_verdict"] for flow in daemon.json("flows", "--container", "web")["flows"] if flow["proto"] == "udp"
                and flow["src"] == EXT_V4][:1]
    assert verdict() == ["current"]
    daemon.write_policy(POLICY + "  - { name: other, select: \"container:other\", ingress: [] }\n" + HOST_RULES)
    daemon.command("policy reload")
    wait_until(lambda: verdict() == ["stale"], lambda: f"the connection to be stale: {verdict()}")


def test_names_that_do_not_exist(daemon):
    for words in (("policy show", "wbe"), ("policy explain", "tcp outside -> wbe:80")):
        done = daemon.command(*words, check=False)
        assert done.returncode == 1 and 'did you mean "web"?' in done.stderr, done
    done = daemon.command("policy explain", "tcp outside -> web", check=False)
    assert done.returncode == 2 and "column 16" in done.stderr and "port is missing" in done.stderr, done


CASES_FILE = """
    version: 1
    policy: policy.yaml
    inventory: inventory.yaml
    cases:
      - allow tcp 198.18.77.2:4444 -> web:85
      - {{ packet: "tcp 198.18.77.3 -> web:97", expect: deny, rule: never, reason: policy_denied, name: "the enemy" }}
      - {last}
"""


@pytest.fixture
def open_directory():
    """One that everybody may read, as a test's own folders are not."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield directory


@pytest.mark.parametrize("last,code,parts", [
    ("deny tcp outside -> web:99", 0, ["3 passed, 0 failed"]),
    ("allow tcp outside -> web:99", 1, ["2 passed, 1 failed", "cases.yaml:7: tcp outside -> web:99: expected allow, came deny",
                                       "none of the rules of policy web matches"]),
    ("{ packet: tcp outside -> web:80, expect: allow, rule: near }", 1, ['expected allow by rule "near", came allow by rule "public"']),
    ("allow tcp outside -> wbe:99", 2, ["cases.yaml:7:26: ", 'did you mean "web"?']),
    ("alow tcp outside -> web:99", 2, ["cases.yaml:7:5: "]),
])
def test_policy_test_needs_neither_root_nor_docker(daemon, session, open_directory, last, code, parts):
    shutil.copy(daemon.policy_path, os.path.join(open_directory, "policy.yaml"))
    shutil.copy(daemon.inventory_path, os.path.join(open_directory, "inventory.yaml"))
    program = shutil.copy(session.dnetbpf, open_directory)
    path = os.path.join(open_directory, "cases.yaml")
    with open(path, "w") as file:
        file.write(textwrap.dedent(CASES_FILE.format(last=last)).lstrip())
    done = run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program, "policy", "test", path, check=False)
    assert done.returncode == code, done
    for part in parts:
        assert part in done.stdout + done.stderr, done
    if code < 2:
        body = json.loads(run(session.dnetbpf, "policy", "test", path, "--json", check=False).stdout)
        assert body["passed"] + body["failed"] == 3 and (body["failed"] == 0) == (code == 0)
        assert [one["passed"] for one in body["cases"]][:2] == [True, True]
