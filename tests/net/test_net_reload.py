# SPDX-License-Identifier: GPL-2.0
"""A policy that changes: by SIGHUP, by its files, by request, for a while, by hand; and what becomes of open connections."""

import http.client
import json
import os
import signal
import socket
import textwrap

import pytest

from lib.daemon import allowed, denied
from lib.place import DENY_MS
from lib.shell import wait_until
from lib.worlds import NetWorld

WEB = """
version: 1
policies:
  - name: web
    select: "container:web"
    ingress: [ "allow {ports}/tcp from any as open" ]
"""


def policy(ports, name="web"):
    return WEB.format(ports=ports).replace("name: web", f"name: {name}")


@pytest.fixture(scope="module")
def world(session):
    world = NetWorld(session)
    yield world
    world.close()


def request(daemon, method, path, body=None):
    """One request to the control socket: (status, answer)."""
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(30)
    connection.sock.connect(daemon.control)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def post(daemon, path, body=None, status=200):
    got, answer = request(daemon, "POST", path, body or {})
    assert got == status, f"POST {path}: {got} {answer}\n{daemon.log()[-1500:]}"
    return answer


def state(daemon):
    return daemon.status()["policy"]


def start(daemon, world, text, attach="auto", **options):
    daemon = daemon(world.host, attach=attach, policy=text, inventory=world.inventory(), **options).start()
    daemon.wait_state("web", "enforced" if text != "version: 1\n" else "unselected", count=2)
    return daemon


def expect(world, open_port, closed_port):
    web = world.address("web")
    assert world.ext.connect(web, open_port) == "open", open_port
    assert world.ext.connect(web, closed_port, DENY_MS) == "timeout", closed_port


def denied_packets(daemon, container, **labels):
    """What the kernel counted, whether it was reported or not. (Retransmissions alone also come from a machine that is busy.)"""
    return daemon.metric("dnetbpf_packets_total", container=container, verdict="deny", **labels) or 0


def wait_open(world, port):
    wait_until(lambda: world.ext.connect(world.address("web"), port, DENY_MS) == "open", f"port {port} of web to open", 10)


def replace(path, text):
    """As editors do it: a new file takes the place of the old one."""
    with open(path + ".new", "w") as file:
        file.write(textwrap.dedent(text))
    os.rename(path + ".new", path)


# --- ways to change it

def test_sighup(world, daemon, attach):
    daemon = start(daemon, world, policy(80), attach)
    expect(world, 80, 81)
    before = state(daemon)
    # Nothing is seen of a file that somebody still has open: what changes it here is the signal.
    descriptor = os.open(daemon.policy_path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, policy(81).encode(), 0)
        assert state(daemon)["reloads"] == before["reloads"]
        expect(world, 80, 81)
        daemon.process.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: state(daemon)["reloads"] == before["reloads"] + 1, lambda: f"a reload: {state(daemon)}")
        expect(world, 81, 80)
    finally:
        os.close(descriptor)


def test_a_file_in_the_place_of_the_old_one(world, daemon):
    daemon = start(daemon, world, policy(80))
    for port, other in ((81, 80), (82, 81), (80, 82)):
        replace(daemon.policy_path, policy(port))
        wait_open(world, port)
        expect(world, port, other)
    daemon.write_policy(policy(83))
    wait_open(world, 83)
    expect(world, 83, 80)


def test_reload_by_request(world, daemon):
    daemon = start(daemon, world, policy(80))
    assert post(daemon, "/v1/policy/reload")["changed"] is False
    before = state(daemon)
    descriptor = os.open(daemon.policy_path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, policy("80,81").encode(), 0)
        answer = post(daemon, "/v1/policy/reload")
        assert answer["changed"] is True and answer["policies"] == 1 and answer["rules"] == 1
        assert answer["memory"]["kernel"] > 0 and answer["memory"]["daemon"] > 0 and answer["warnings"] == []
        assert state(daemon)["reloads"] == before["reloads"] + 1
        expect(world, 81, 82)
        assert post(daemon, "/v1/policy/reload")["changed"] is False
    finally:
        os.close(descriptor)


def test_files_of_an_include(world, daemon):
    daemon = daemon(world.host, policy="version: 1\ninclude: more.d/*.yaml\n", inventory=world.inventory())
    folder = os.path.join(daemon.directory, "more.d")
    os.mkdir(folder)
    daemon.start()
    daemon.wait_state("web", "unselected", count=2)
    replace(os.path.join(folder, "web.yaml"), policy(80))
    daemon.wait_state("web", "enforced", count=2)
    expect(world, 80, 81)
    replace(os.path.join(folder, "another.yaml"), policy(81, name="another"))
    wait_open(world, 81)
    assert {name for end in daemon.ps("web") for name in end["policies"]} == {"web", "another"}
    os.unlink(os.path.join(folder, "web.yaml"))
    wait_until(lambda: world.ext.connect(world.address("web"), 80, DENY_MS) == "timeout", "port 80 to close")
    os.unlink(os.path.join(folder, "another.yaml"))
    daemon.wait_state("web", "unselected", count=2)


def test_a_set_file_that_changes(world, daemon):
    daemon = daemon(world.host, policy="""
        version: 1
        sets: { near: { file: near.netset } }
        policies:
          - name: web
            select: "container:web"
            ingress: [ "allow 80/tcp from set:near" ]
        """, inventory=world.inventory())
    path = os.path.join(daemon.directory, "near.netset")
    replace(path, "192.0.2.0/24\n")
    daemon.start()
    daemon.wait_state("web", "enforced", count=2)
    denied(daemon, world.ext, world.address("web"), 80, container="web", reason="default_denied")
    replace(path, "192.0.2.0/24\n198.18.77.0/24\n")
    wait_open(world, 80)
    replace(path, "192.0.2.0/24\n")
    wait_until(lambda: world.ext.connect(world.address("web"), 80, DENY_MS) == "timeout", "port 80 to close")


# --- what cannot be read changes nothing

@pytest.mark.parametrize("broken, where", [
    (policy(80).replace("allow", "alow"), ":6:"),
    (policy(80) + "  - [\n", ":"),
    (policy(80) + "sets: { a: [ 1.2.3.4.5 ] }\n", ":7:"),
    (policy(81) + "geo: { database: nowhere }\n", ":7:18:"),
    ("", ":"),
])
def test_a_broken_file_keeps_the_old_policy(world, daemon, broken, where):
    daemon = start(daemon, world, policy(80))
    replace(daemon.policy_path, broken)
    wait_until(lambda: state(daemon)["failed_reloads"] > 0, lambda: f"a failed reload: {state(daemon)}")
    assert state(daemon)["last_error"].startswith(daemon.policy_path + where), state(daemon)
    assert any(daemon.policy_path in problem for problem in daemon.status()["problems"])
    answer = post(daemon, "/v1/policy/reload", status=400)
    assert answer["error"].startswith(daemon.policy_path + where), answer
    assert daemon.log().count("the policy in force stays") == 2
    expect(world, 80, 81)
    # A new container is still judged by it, and the old text again is no error any more.
    replace(daemon.policy_path, policy(80))
    wait_until(lambda: not state(daemon)["last_error"], lambda: f"no error any more: {state(daemon)}")
    assert state(daemon)["reloads"] == 0
    expect(world, 80, 81)


def test_a_file_that_disappears_keeps_the_old_policy(world, daemon):
    daemon = start(daemon, world, policy(80))
    os.unlink(daemon.policy_path)
    wait_until(lambda: state(daemon)["failed_reloads"] > 0, lambda: f"a failed reload: {state(daemon)}")
    expect(world, 80, 81)
    replace(daemon.policy_path, policy(81))
    wait_open(world, 81)


def test_too_many_rules_are_refused_with_the_number(world, daemon):
    daemon = start(daemon, world, policy(80))
    rules = ", ".join(f'"allow {port}/tcp from any"' for port in range(1, 1102))
    replace(daemon.policy_path, f"version: 1\npolicies:\n  - {{ name: web, select: all, ingress: [ {rules} ] }}\n")
    wait_until(lambda: state(daemon)["failed_reloads"] > 0, lambda: f"a failed reload: {state(daemon)}")
    assert "1024" in state(daemon)["last_error"].replace(",", ""), state(daemon)
    expect(world, 80, 81)


# --- for a while

def test_apply_comes_back_unless_it_is_confirmed(world, daemon):
    daemon = start(daemon, world, policy(80))
    other = os.path.join(daemon.directory, "other.yaml")
    replace(other, policy(81))
    answer = post(daemon, "/v1/policy/apply", {"path": other, "confirm_seconds": 3})
    assert answer["changed"] and answer["file"] == other and answer["confirm_until"]
    expect(world, 81, 80)
    assert state(daemon)["confirm_until"] and state(daemon)["file"] == other
    busy = post(daemon, "/v1/policy/reload", status=409)
    assert "policy confirm" in busy["error"]
    post(daemon, "/v1/rules", {"container": "web", "rule": "allow 82/tcp from any"}, status=409)
    wait_open(world, 80)
    expect(world, 80, 81)
    assert state(daemon)["file"] == daemon.policy_path and not state(daemon)["confirm_until"]
    gone = post(daemon, "/v1/policy/confirm", status=404)
    assert "came back" in gone["error"]


def test_apply_stays_when_it_is_confirmed(world, daemon):
    daemon = start(daemon, world, policy(80))
    other = os.path.join(daemon.directory, "other.yaml")
    replace(other, policy(81))
    post(daemon, "/v1/policy/apply", {"path": other, "confirm_seconds": 600})
    post(daemon, "/v1/policy/confirm")
    assert not state(daemon)["confirm_until"]
    expect(world, 81, 80)
    # The configured file is what a reload reads, although it has not changed.
    assert post(daemon, "/v1/policy/reload")["changed"] is True
    expect(world, 80, 81)


def test_apply_without_a_confirmation_lasts_until_the_next_reload(world, daemon):
    daemon = start(daemon, world, policy(80))
    other = os.path.join(daemon.directory, "other.yaml")
    replace(other, policy(81))
    post(daemon, "/v1/policy/apply", {"path": other, "confirm_seconds": 0})
    expect(world, 81, 80)
    daemon.process.popen.send_signal(signal.SIGHUP)
    wait_open(world, 80)
    replace(other, policy(80).replace("allow", "alow"))
    bad = post(daemon, "/v1/policy/apply", {"path": other, "confirm_seconds": 5}, status=400)
    assert bad["error"].startswith(other + ":6:")
    post(daemon, "/v1/policy/apply", {"path": "other.yaml"}, status=400)
    expect(world, 80, 81)


# --- by hand

def test_rules_by_hand_come_and_go(world, daemon):
    daemon = start(daemon, world, policy(80))
    path = os.path.join(daemon.directory, "policy.d", "by-hand.yaml")
    answer = post(daemon, "/v1/rules", {"container": "web", "rule": "allow 90/tcp from any"})
    assert answer["changed"] and os.path.exists(path)
    expect(world, 90, 91)
    post(daemon, "/v1/rules", {"container": "web", "rule": "deny 80/tcp from any"})
    event = denied(daemon, world.ext, world.address("web"), 80, container="web", reason="policy_denied")
    assert event["origin"].startswith(path), event
    # They outlive the daemon, and a reload of the rest.
    replace(daemon.policy_path, policy("80,81"))
    wait_open(world, 81)
    expect(world, 90, 80)
    daemon.stop()
    daemon.start()
    daemon.wait_state("web", "enforced", count=2)
    expect(world, 90, 80)
    post(daemon, "/v1/rules", {"container": "web", "rule": "deny 80/tcp from any", "remove": True})
    post(daemon, "/v1/rules", {"container": "web", "rule": "allow 90/tcp from any", "remove": True})
    expect(world, 80, 90)
    post(daemon, "/v1/rules", {"container": "web", "rule": "allow 90/tcp from any", "remove": True}, status=404)


def test_rules_by_hand_are_for_a_time(world, daemon):
    daemon = start(daemon, world, policy(80))
    post(daemon, "/v1/rules", {"container": "web", "rule": "allow 90/tcp from any", "seconds": 3})
    line = world.ext.lines(world.address("web"), 90)
    line.wait_more("echoed", 3)
    path = os.path.join(daemon.directory, "policy.d", "by-hand.yaml")
    assert "90/tcp" in open(path).read()
    event = daemon.expect_event(reason="flow_revoked", container="web")
    assert event["verdict"] == "deny"
    expect(world, 80, 90)
    wait_until(lambda: "90/tcp" not in open(path).read(), "the file to be cleaned")
    line.process.kill()


def test_a_rule_by_hand_that_cannot_be_read(world, daemon):
    daemon = start(daemon, world, policy(80))
    path = os.path.join(daemon.directory, "policy.d", "by-hand.yaml")
    for rule in ("allow 90/tpc from any", "allow 90/tcp from set:nowhere", "allow 90/tcp from geo:ED"):
        post(daemon, "/v1/rules", {"container": "web", "rule": rule}, status=400)
        assert not os.path.exists(path), rule
    post(daemon, "/v1/rules", {"container": "web"}, status=400)
    answer = post(daemon, "/v1/rules", {"container": "later", "rule": "deny 80/tcp from any"})
    assert "later" in answer["note"]
    expect(world, 80, 90)
    # Somebody wrote into the file: it is not overwritten.
    with open(path, "a") as file:
        file.write("defaults: { unselected: deny }\n")
    text = open(path).read()
    post(daemon, "/v1/rules", {"container": "web", "rule": "deny 81/tcp from any"}, status=400)
    assert open(path).read() == text
    expect(world, 80, 90)


def test_a_rule_by_hand_for_a_container_without_a_policy(world, daemon):
    daemon = start(daemon, world, "version: 1\n")
    post(daemon, "/v1/rules", {"container": "web", "rule": "deny 80/tcp from outside"})
    denied(daemon, world.ext, world.address("web"), 80, container="web", reason="policy_denied")
    allowed(world.ext, world.address("web"), 81)


# --- open connections

def test_open_connections(world, daemon, attach):
    """The forbidden one stops at its next packet and is reported as such; the allowed one loses nothing."""
    daemon = start(daemon, world, policy("80,81"), attach)
    web = world.address("web")
    stays, goes = world.ext.lines(web, 80), world.ext.lines(web, 81)
    stays.wait_more("echoed", 3)
    goes.wait_more("echoed", 3)
    after = daemon.mark()
    replace(daemon.policy_path, policy(80))
    daemon.expect_event(after, verdict="deny", reason="flow_revoked", container="web", dst_port=81)
    count = goes.count("echoed")
    stays.wait_more("echoed", 10)
    assert goes.count("echoed") == count
    for port in ("80,82", "80,83", "80", "80,84"):
        before = state(daemon)["reloads"]
        replace(daemon.policy_path, policy(port))
        wait_until(lambda: state(daemon)["reloads"] > before, "a reload")
        stays.wait_more("echoed", 3)
    stays.finish()
    assert denied_packets(daemon, "web") == denied_packets(daemon, "web", reason="flow_revoked")
    assert not daemon.events(container="web", verdict="deny", dst_port=80)
    # Allowed again, it goes on: TCP sends once more what was denied.
    replace(daemon.policy_path, policy("80,81"))
    goes.wait_more("echoed", 3)
    goes.process.kill()


def test_many_changes_under_traffic(world, daemon, attach):
    """Each version lets the connection pass by another rule: whatever mixes them denies it."""
    daemon = start(daemon, world, policy("80"), attach)
    lines = [world.ext.lines(world.address("web"), 80, interval=1), world.places["mon"].lines(world.address("web"), 80, interval=1)]
    versions = [policy("80"), policy("90").replace("]", ', "allow 80/tcp from any as second" ]'),
                policy("91").replace("]", ', "deny 92/tcp from any", "allow 80/tcp from any as third" ]')]
    other = os.path.join(daemon.directory, "other.yaml")
    for number in range(60):
        replace(other, versions[number % 3])
        post(daemon, "/v1/policy/apply", {"path": other})
    for line in lines:
        line.wait_more("echoed", 3)
        line.finish()
    assert denied_packets(daemon, "web") == 0, daemon.events(container="web", verdict="deny")
