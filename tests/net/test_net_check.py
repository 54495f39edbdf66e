# SPDX-License-Identifier: GPL-2.0
"""`policy check` and `init` as programs: exit codes, what is printed, --json, and the daemon's containers to compare names with."""

import json
import os

import pytest

from lib.cases import POLICY
from lib.shell import run
from lib.worlds import NetWorld

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOBODY = "/nonexistent/control.sock"

INVENTORY = """
networks: [ { name: dmz, bridge: br-dmz, subnets: [198.18.10.0/24] } ]
endpoints: [ { container: web-1, interface: v-web, network: dmz, addresses: [198.18.10.2], ports: ["8080:80"] } ]
"""
ALLOW = "version: 1\npolicies:\n  - name: web\n    select: container:web-1\n    ingress: [ \"{}\" ]\n"


@pytest.fixture
def files(session):
    directory = os.path.join(session.directory, f"check{session.number('check')}")
    os.mkdir(directory)

    def write(name, text):
        path = os.path.join(directory, name)
        with open(path, "w") as file:
            file.write(text)
        return path
    return write


def check(session, *words, code=0):
    """Without a daemon, unless the words name one."""
    if "--control" not in words:
        words += ("--control", NOBODY)
    done = run(session.dnetbpf, "policy", "check", *words, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_good_and_bad(session, files):
    good = files("good.yaml", ALLOW.format("allow 80/tcp from any"))
    bad = files("bad.yaml", ALLOW.format("alow 80/tcp from any"))
    text = check(session, good)
    assert f"{good}: good, 1 policy, 1 rule" in text and "kernel's tables" in text and "compared with no containers" in text
    text = check(session, good, bad, code=1)
    assert f"{good}: good" in text, "every file is checked"
    assert f"{bad}:5:17: error: " in text and "did you mean \"allow\"?" in text
    assert '        ingress: [ "alow 80/tcp from any" ]\n                    ^~~~\n' in text
    assert f"{bad}: 1 error, 0 warnings" in text


def test_warnings_are_no_errors(session, files):
    policy = files("policy.yaml", ALLOW.format("allow 8080/tcp from any"))
    inventory = files("inventory.yaml", INVENTORY)
    assert ": good, 1 policy" in check(session, policy)
    text = check(session, policy, "--inventory", f"static:{inventory}")
    assert "[host-port]" in text and '  fix: - "allow 80/tcp from any"\n' in text and "good, with 1 warning" in text
    assert "compared with no containers" not in text


def test_usage(session, files):
    good = files("good.yaml", "version: 1\n")
    check(session, code=2)
    check(session, "/nonexistent/policy.yaml", code=2)
    check(session, good, "--inventory", "docker", code=2)
    check(session, good, "--inventory", "static:/nonexistent/inventory.yaml", code=2)
    check(session, good, "--inventory", "static:" + files("inventory.yaml", "networks: 7\n"), code=2)
    assert f"{good}: good" in check(session, "/nonexistent/policy.yaml", good, code=2), "the others are checked"


def test_json(session, files):
    good = files("good.yaml", ALLOW.format("allow 80/tcp from any"))
    bad = files("bad.yaml", ALLOW.format("allow 80/tcp form any"))
    compose = files("compose.yaml", "services:\n  web: { labels: [ \"dnetbpf.egress=deny to metadata\" ] }\n")
    results = json.loads(check(session, "--json", good, bad, compose, code=1))
    assert [(result["kind"], result["errors"], result["warnings"], result["policies"], result["rules"]) for result in results] == \
        [("policy", 0, 0, 1, 1), ("policy", 1, 0, 0, 0), ("compose", 0, 1, 1, 1)]
    assert results[0]["kernel_bytes"] > 0 and results[0]["daemon_bytes"] > 0 and results[0]["compared"] is False
    error, = results[1]["diagnostics"]
    assert (error["kind"], error["file"], error["line"], error["column"], error["length"]) == ("error", bad, 5, 30, 4)
    assert "from" in error["message"] and error["source"].endswith('[ "allow 80/tcp form any" ]') and error["fix"] is None
    warning, = results[2]["diagnostics"]
    assert (warning["kind"], warning["name"], warning["line"], warning["column"]) == ("warning", "only-denies", 2, 36)
    assert warning["fix"] == 'dnetbpf.egress: "deny to metadata; allow to any"'


def test_standard_input(session, files):
    done = run(session.dnetbpf, "policy", "check", "/dev/stdin", "--control", NOBODY, check=False,
               stdin="services:\n  web:\n    labels: { dnetbpf.ingress: allow from anny }\n")
    assert done.returncode == 1 and "/dev/stdin:3:43: error: " in done.stdout, done.stdout


def test_examples_are_clean(session):
    directory = os.path.join(ROOT, "examples")
    for name in sorted(os.listdir(directory)):
        if name.endswith(".yaml"):
            result, = json.loads(check(session, "--json", os.path.join(directory, name)))
            assert result["diagnostics"] == [] and result["rules"] > 0, name


def test_the_daemons_containers(session, files, closing, daemon):
    """The names of the policy are compared with what runs, and `init` writes a policy of it that is clean."""
    world = closing.add(NetWorld(session))
    daemon = daemon(world.host, policy=POLICY.replace("policies:", "defaults: { unselected: allow }\npolicies:"),
                    inventory=world.inventory()).start()
    daemon.wait_state("web", "enforced", count=2)
    result, = json.loads(check(session, "--json", daemon.policy_path, "--control", daemon.control))
    assert result["compared"] is True and result["diagnostics"] == [], result
    wrong = files("wrong.yaml", POLICY.replace("container:free", "container:fre"))
    text = check(session, wrong, "--control", daemon.control)
    assert text.count("[matches-nothing]") == 2 and 'did you mean "container:free"?' in text, text

    for case, address, port in (("mon", "web", 80), ("db", "web", 89), ("ext", "web", 80)):
        network = "back" if case == "db" else "front"
        target = world.address(address, network)
        assert world.places[case].try_proto("tcp", target, port, 8000, None) == "open"
    text = daemon.command("init").stdout
    for part in ('select: "service:shop/web"', 'allow 89/tcp from service:db"', 'allow 80/tcp from service:mon/prometheus"',
                 'allow 80/tcp to service:shop/web"', 'allow 89/tcp to service:web"', 'select: "container:free"', "1 connection seen"):
        assert part in text, (part, text)
    assert text.count("mode: audit\n") == 4
    starter = files("starter.yaml", text)
    result, = json.loads(check(session, "--json", starter, "--control", daemon.control))
    assert result["compared"] is True and result["diagnostics"] == [], (text, result)
    assert json.loads(daemon.command("init", "--json").stdout)["text"].startswith("# A starter policy")

    # Put in force, it says what it would deny and stops nothing.
    daemon.write_policy(text)
    daemon.command("policy reload")
    after = daemon.mark()
    assert world.places["free"].try_proto("tcp", world.address("web"), 99, 8000, None) == "open"
    daemon.expect_event(after, verdict="would_deny", container="web", policy="shop-web", dst_port=99)
