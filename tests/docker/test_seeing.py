# SPDX-License-Identifier: GPL-2.0
"""Events, metrics and status of a daemon beside Docker."""

import json
import re

from lib.daemon import allowed, denied, parse_metrics
from lib.dockerhost import EXT_V4, web_and_client
from lib.shell import run, wait_until

POLICY = """
    version: 1
    policies:
      - name: web
        select: "service:shop/web"
        ingress: [ "deny 81/tcp from any as closed", "allow 80/tcp from any as public" ]
"""
KEYS = ["time", "verdict", "reason", "direction", "container", "service", "network", "src", "src_port", "dst", "dst_port",
        "proto", "tcp_flags", "country", "policy", "rule", "bytes", "count"]
FAMILIES = ["dnetbpf_packets_total", "dnetbpf_bytes_total", "dnetbpf_rule_hits_total", "dnetbpf_flows", "dnetbpf_events_total",
            "dnetbpf_events_suppressed_total", "dnetbpf_events_lost_total", "dnetbpf_map_entries", "dnetbpf_map_capacity",
            "dnetbpf_endpoints", "dnetbpf_docker_connected", "dnetbpf_build_info"]


def test_metrics_are_clean_and_count(docker, daemon, session, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    for _ in range(3):
        denied(daemon, client, web.address(), 81, container="web", rule="closed")
    allowed(client, web.address(), 80)
    text = daemon.metrics()
    checked = run("promtool", "check", "metrics", stdin=text, check=False)
    assert checked.returncode == 0 and not checked.stderr.strip(), checked.stdout + checked.stderr
    names = {name for name, _, _ in parse_metrics(text)}
    assert not [family for family in FAMILIES if family not in names], names
    of_web = {"container": "web", "service": "shop/web", "network": "front"}
    assert daemon.metric("dnetbpf_packets_total", **of_web, direction="ingress", verdict="deny", reason="policy_denied") >= 3
    assert daemon.metric("dnetbpf_packets_total", **of_web, direction="ingress", verdict="pass") >= 3
    assert daemon.metric("dnetbpf_packets_total", **of_web, direction="egress", verdict="pass") >= 3
    assert daemon.metric("dnetbpf_rule_hits_total", policy="web", rule="closed") >= 3
    assert daemon.metric("dnetbpf_rule_hits_total", policy="web", rule="public") >= 1
    assert daemon.metric("dnetbpf_docker_connected") == 1
    states = {labels["state"]: value for name, labels, value in parse_metrics(text) if name == "dnetbpf_endpoints"}
    assert states.get("enforced") == 1 and states.get("unselected") == 1, states
    session.figure(f"metrics, {attach}: {len(text.splitlines())} lines, promtool check metrics: clean")


def test_events_follow_as_json_lines(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    denied(daemon, client, web.address(), 82, container="web")
    follower = docker.host.spawn(docker.session.dnetbpf, "events", "-f", "--json", "--control", daemon.control)

    def followed():
        return [json.loads(line) for line in follower.lines() if line.endswith("}")]

    def seen():
        # The follower says nothing when it is there, so knock until it hears.
        client.connect(web.address(), 81, 50)
        return followed()
    wait_until(seen, "an event at the follower", 10)
    event = followed()[0]
    assert [key for key in KEYS if key not in event] == [], event
    assert event["dst_port"] == 81, "without -n there is no history before it"
    assert event["verdict"] == "deny" and event["reason"] == "policy_denied" and event["rule"] == "closed"
    assert event["policy"] == "web" and event["container"] == "web" and event["service"] == "shop/web"
    assert event["src"] == client.address() and event["dst"] == web.address() and event["proto"] == "tcp"
    assert event["tcp_flags"] == "SYN" and event["count"] == 1 and event["src_port"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", event["time"]), event["time"]
    follower.stop()


def test_events_history_as_text_and_json(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    for port in (82, 83, 84):
        denied(daemon, client, web.address(), port, container="web")
    assert [event["dst_port"] for event in daemon.events(container="web")] == [82, 83, 84], "a SYN each, oldest first"
    text = daemon.command("events").stdout
    lines = [line for line in text.splitlines() if "web" in line]
    assert len(lines) == 3
    assert "default_denied" in lines[0] and client.address() in lines[0] and "82" in lines[0], lines[0]
    assert not lines[0].startswith("{")


def test_the_log_has_events_as_json_lines(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    denied(daemon, client, web.address(), 81, container="web")

    def logged():
        text = daemon.process.output() + daemon.process.errors()
        return [line for line in text.splitlines() if '"reason"' in line and '"policy_denied"' in line]
    wait_until(logged, "the event in the log", 5)
    event = json.loads(logged()[0])
    assert [key for key in KEYS if key not in event] == []
    for line in (daemon.process.output() + daemon.process.errors()).splitlines():
        assert isinstance(json.loads(line), dict), f"with --log json every line is an object: {line}"


def test_status_and_ps(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    daemon.wait_state("web", "enforced")
    daemon.wait_state("client", "unselected")
    status = daemon.status()
    assert status["attach"]["mode"] == attach and status["pin"] == daemon.pin
    assert status["inventory"]["connected"] is True and status["policy"]["file"] == daemon.policy_path
    assert status["events"]["lost"] == 0
    entry = daemon.ps("web")[0]
    assert entry["container_id"] == web.id and entry["service"] == "shop/web" and entry["network"] == "front"
    assert entry["interface"] == web.veth() and web.address() in entry["addresses"] and entry["policies"] == ["web"]
    allowed(client, web.address(), 80)
    denied(daemon, client, web.address(), 81, container="web")
    after = daemon.ps("web")[0]
    assert after["packets_passed"] > entry["packets_passed"] and after["packets_denied"] == entry["packets_denied"] + 1
    text = daemon.command("status").stdout
    assert daemon.pin in text and attach in text
    assert EXT_V4 not in text
