# SPDX-License-Identifier: GPL-2.0
"""A policy that changes under a real Docker: what becomes of open connections, rules by hand, names that come later, explain."""

import os

import pytest

from lib.daemon import allowed, denied
from lib.dockerhost import EXT_V4, HOST_V4, web_and_client
from lib.place import DENY_MS
from lib.shell import wait_until

BEFORE = f"""
    version: 1
    policies:
      - name: web
        select: "service:shop/web"
        ingress: [ "allow 80,81/tcp from any as public" ]
        egress: [ "allow 90,91/tcp to {EXT_V4} as upstream" ]
"""
AFTER = f"""
    version: 1
    policies:
      - name: web
        select: "service:shop/web"
        ingress: [ "deny 81/tcp from any as closed", "allow 80/tcp from any as open" ]
        egress: [ "allow 90/tcp to {EXT_V4} as less" ]
"""


def reload(daemon, text):
    daemon.write_policy(text)
    return daemon.command("policy reload")


def stands_still(line):
    """Nothing comes through any more, while the client goes on sending."""
    line.wait_more("sent", 3)
    echoed = line.count("echoed")
    line.wait_more("sent", 10)
    assert line.count("echoed") == echoed, line.process.lines()[-5:]


def test_open_connections(docker, daemon, session, attach):
    """The forbidden ones stop at their next packet and are reported as such, the allowed ones lose nothing."""
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=BEFORE).start()
    web, client = web_and_client(docker, options=["--publish", "8080:80", "--publish", "8081:81"])
    daemon.wait_state("web", "enforced")
    server = docker.ext.serve("tcp:90-91")
    published = wait_published(docker, 8080)
    stays = [docker.ext.lines(web.address(), 80), client.lines(web.address(), 80), docker.host.lines(web.address(), 80),
             docker.ext.lines(published, 8080), web.lines(EXT_V4, 90)]
    goes = [docker.ext.lines(web.address(), 81), client.lines(web.address(), 81), docker.ext.lines(published, 8081),
            web.lines(EXT_V4, 91)]
    for line in stays + goes:
        line.wait_more("echoed", 5)
    after = daemon.mark()
    reload(daemon, AFTER)
    for source in (EXT_V4, client.address()):
        event = daemon.expect_event(after, verdict="deny", reason="flow_revoked", container="web", direction="ingress", src=source,
                                    dst_port=81)
        assert event["rule"] == "closed" and event["policy"] == "web" and event["origin"].startswith(daemon.policy_path), event
    event = daemon.expect_event(after, verdict="deny", reason="flow_revoked", container="web", dst=EXT_V4, dst_port=91)
    assert event["direction"] == "egress" and event["rule"] == "default", event
    for line in goes:
        stands_still(line)
    # New ones are no revoked ones.
    denied(daemon, client, web.address(), 81, container="web", reason="policy_denied", rule="closed")
    for text in (BEFORE.replace("81", "82"), AFTER.replace("81", "83"), AFTER):
        reload(daemon, text)
        for line in stays:
            line.wait_more("echoed", 3)
    results = []
    for line in stays:
        line.wait_more("echoed", 10)
        results.append(line.finish())
    session.figure(f"policy change on Docker, {attach}: {len(stays)} allowed connections over 4 reloads, retransmitted: "
                   f"{[result['retransmitted'] for result in results]}, longest gap: "
                   f"{max(result['longest-gap-ms'] for result in results)} ms; {len(goes)} forbidden ones stopped")
    assert all(result["retransmitted"] == 0 and result["sent"] - result["echoed"] <= 1 for result in results), results
    # Allowed again, they go on: TCP sends once more what was denied.
    reload(daemon, BEFORE)
    for line in goes:
        line.wait_more("echoed", 3, timeout=60)
        line.process.kill()
    server.stop()


def wait_published(docker, port):
    wait_until(lambda: docker.ext.connect(HOST_V4, port, DENY_MS) == "open", f"the published port {port} to answer")
    return HOST_V4


def test_a_rule_by_hand_comes_and_goes(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=BEFORE).start()
    web, client = web_and_client(docker)
    daemon.wait_state("web", "enforced")
    line, other = client.lines(web.address(), 80), docker.ext.lines(web.address(), 80)
    line.wait_more("echoed", 3)
    after = daemon.mark()
    said = daemon.command("deny", "web", "80/tcp", "from", "container:client", "--for", "5s").stdout
    assert "In force for web for 5s" in said, said
    event = daemon.expect_event(after, verdict="deny", reason="flow_revoked", container="web", src=client.address(), dst_port=80)
    path = os.path.join(daemon.directory, "policy.d", "by-hand.yaml")
    assert event["origin"].startswith(path), event
    denied(daemon, client, web.address(), 80, container="web", reason="policy_denied")
    allowed(client, web.address(), 81)
    allowed(docker.ext, web.address(), 80)
    explained = daemon.json("policy explain", "tcp client -> web:80")
    assert explained["verdict"] == "deny" and explained["origin"].startswith(path), explained
    # Gone by itself, from what is in force and from the file; what it stopped goes on.
    wait_until(lambda: client.connect(web.address(), 80, DENY_MS) == "open", "the rule to be over", 20)
    line.wait_more("echoed", 3, timeout=30)
    wait_until(lambda: "80/tcp" not in open(path).read(), "the file to be cleaned")
    assert daemon.json("policy explain", "tcp client -> web:80")["rule"] == "public"
    assert other.finish()["retransmitted"] == 0
    line.process.kill()


def test_9_a_rule_waits_for_the_container_that_it_names(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy="""
        version: 1
        policies:
          - { name: web, select: "container:web", ingress: [ "allow 82/tcp from container:later as by-name",
              "allow 83/tcp from service:shop/worker as by-service", "allow 84/tcp from label:role=monitor as by-label" ] }
        """).start()
    web, client = web_and_client(docker)
    for port in (82, 83, 84):
        denied(daemon, client, web.address(), port, container="web", reason="default_denied")
    for _ in range(2):
        later = docker.run("later", network="front", service="shop/worker", labels={"role": "monitor"})
        for port in (82, 83, 84):
            allowed(later, web.address(), port)
        denied(daemon, later, web.address(), 85, container="web", reason="default_denied")
        later.remove()
    # Another one has its address now, and not its name.
    heir = docker.run("heir", network="front", address="198.18.10.13")
    denied(daemon, heir, web.address(), 82, container="web", reason="default_denied")


EXPLAINED = """
    version: 1
    sets: { office: [ 198.18.77.0/24 ] }
    host: { rules: [ "deny 97/tcp from outside as never" ] }
    policies:
      - name: web
        select: "service:shop/web"
        ingress:
          - "deny 81/tcp from container:client as not-client"
          - "allow 80,81/tcp, 80/udp from any as public"
          - "allow 82/tcp from set:office as office"
          - "allow 83/tcp, icmp from host as from-host"
          - "allow 84/tcp from network:front as neighbours"
          - "allow 97/tcp from any as useless"
        egress:
          - "allow 90/tcp to outside as upstream"
          - "allow 80/tcp to container:client as to-client"
"""
OWN = {"dnetbpf.ingress": "deny 84/tcp from any as mine; allow from any as all"}
# source, target, protocol, port, the rule that denies or that allows in one of the layers (None: none is asked), verdict
CONNECTIONS = [
    ("client", "web", "tcp", 80, "public", "pass"), ("client", "web", "tcp", 81, "not-client", "deny"),
    ("client", "web", "udp", 80, "public", "pass"), ("client", "web", "udp", 81, "default", "deny"),
    ("client", "web", "tcp", 82, "default", "deny"), ("client", "web", "tcp", 84, "mine", "deny"),
    ("ext", "web", "tcp", 81, "public", "pass"), ("ext", "web", "tcp", 82, "office", "pass"),
    ("ext", "web", "tcp", 83, "default", "deny"), ("ext", "web", "tcp", 97, "never", "deny"),
    ("ext", "client", "tcp", 97, "never", "deny"), ("ext", "client", "tcp", 96, None, "pass"),
    ("host", "web", "tcp", 83, "from-host", "pass"), ("host", "web", "icmp", 0, "from-host", "pass"),
    ("client", "web", "icmp", 0, "default", "deny"), ("web", "ext", "tcp", 90, "upstream", "pass"),
    ("web", "ext", "tcp", 91, "default", "deny"), ("web", "client", "tcp", 80, "to-client", "pass"),
    ("web", "client", "tcp", 81, "default", "deny"), ("client", "ext", "tcp", 90, None, "pass"),
]


def test_explain_is_what_happens(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=EXPLAINED).start()
    web, client = web_and_client(docker, labels=OWN)
    daemon.wait_state("web", "enforced")
    server = docker.ext.serve("tcp:90-91")
    places = {"web": web, "client": client, "ext": docker.ext, "host": docker.host}
    addresses = {"web": web.address(), "client": client.address(), "ext": EXT_V4, "host": docker.gateway("front")}
    names = {"web": "web", "client": "client", "ext": EXT_V4, "host": "host"}
    for source, target, proto, port, rule, verdict in CONNECTIONS:
        packet = f"{proto} {names[source]} -> {names[target]}" + (f":{port}" if port else "")
        explained = daemon.json("policy explain", packet)
        rules = {explained["rule"]}
        if verdict == "pass":
            rules = {layer["rule"] for check in explained["checks"] for layer in check["layers"]}
        assert explained["verdict"] == verdict and (rule is None or rule in rules), f"{packet}: {explained}"
        after = daemon.mark()
        answer = places[source].try_proto(proto, addresses[target], port, 8000 if verdict == "pass" else DENY_MS)
        assert answer == ("open" if verdict == "pass" else "timeout"), f"{packet}: {answer}"
        if verdict == "deny":
            event = daemon.expect_event(after, verdict="deny", src=addresses[source], dst=addresses[target], dst_port=port,
                                        proto=proto)
            for key in ("container", "direction", "network", "reason", "policy", "rule"):
                assert event[key] == explained[key], f"{packet}: {key}: {event} {explained}"
            if rule != "default":  # the end of a list has no line of its own
                assert event["origin"] == explained["origin"], f"{packet}: {event} {explained}"
    server.stop()
