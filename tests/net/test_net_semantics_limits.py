# SPDX-License-Identifier: GPL-2.0
"""
The sixth semantic of policies, limits, and what the commands and the metrics say of it, on live traffic in namespaces. How exact
they are, and beside iptables: test_net_limits.py.
"""

import contextlib
import re

import pytest

from lib.dockerhost import EXT_OTHER_V4
from lib.scene import of_web, rule_of_web
from lib.shell import wait_until
from test_net_semantics import check, scene, world  # noqa: F401 (the last two are fixtures)


@contextlib.contextmanager
def open_connection(s, source, target, port):
    """Open, and a packet each 50 ms, until the end of the block."""
    lines = s.world.places[source].lines(s.world.address(target, "front", 4), port)
    try:
        yield
    finally:
        lines.process.stop()


LIMITS = {
    "rate": ("rate 1/h per src burst 1", "rate_limited"),
    "conns": ("conns 1 per src", "too_many_connections"),
    "packets": ("packets 1/h per src burst 10", "packet_rate"),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_semantic_06_a_limit_that_is_exceeded_denies_and_is_counted(scene, session, kind):
    limit, reason = LIMITS[kind]
    text = of_web([f"allow 80/tcp from any {limit} as limited", "allow 81/tcp from any as free"])
    code, said = check(session, text)
    assert code == 0 and "not enforced" not in said, said
    s = scene(text).start()
    assert rule_of_web(s)["text"].startswith(f"allow 80/tcp from any {limit}") and "exceeded" not in rule_of_web(s)
    # A second connection at once, or packets of the one that there is.
    with open_connection(s, "ext", "web", 80):
        if kind == "packets":
            s.daemon.expect_event(verdict="deny", reason=reason, container="web")  # of a known connection: nobody asked a rule
        s.denies("ext", "web", 80, reason=reason, rule="limited", policy="web")
        # Of this source alone, and of this rule alone.
        s.opens("mon", "web", 80)
        s.opens("ext", "web", 81)
        exceeded = rule_of_web(s)["exceeded"]  # may grow with what is sent again
        assert exceeded >= 1 and "exceeded" not in rule_of_web(s, number=1)
        shown = re.search(r"as limited .* (\d+) over its limits", s.daemon.command("policy show", "web").stdout)
        assert shown and int(shown[1]) >= exceeded
        series = {"container": "web", "policy": "web", "rule": "limited", "limit": limit}
        assert s.daemon.metric("dnetbpf_limit_exceeded_total", **series) >= exceeded
        # They are counted twice a second at most. `mon` has closed its connection.
        least = 1 if kind == "conns" else 2
        wait_until(lambda: s.daemon.status()["limits"]["buckets"] >= least, lambda: f"buckets: {s.daemon.status()['limits']}", 5)
        status = s.daemon.status()["limits"]
        assert status["evictions"] == 0 and status["capacity"] == 262144, status
        assert s.daemon.metric("dnetbpf_map_entries", map="buckets") >= least
        assert s.daemon.metric("dnetbpf_limit_evictions_total") == 0
    # What is as it was keeps its state over a reload and a restart; what is another limit begins anew.
    if kind == "rate":
        s.reload(text.replace("81", "82"))
        s.denies("ext", "web", 80, reason=reason)
        s.daemon.stop()
        s.start()
        s.denies("ext", "web", 80, reason=reason)
        s.reload(text.replace("rate 1/h", "rate 2/h"))
        s.opens("ext", "web", 80)


def test_semantic_06_a_limit_is_charged_only_when_every_layer_allows(scene):
    labels = {"web": {"dnetbpf.ingress": f"deny from {EXT_OTHER_V4}; allow from any rate 1/h burst 2 as own"}}
    s = scene(of_web(["allow 80,81/tcp from any rate 1/h burst 3 as file"]), labels=labels).start()
    for _ in range(3):
        s.denies("ext", "web", 80, own=EXT_OTHER_V4, reason="policy_denied")
    s.opens("ext", "web", 80)
    s.opens("ext", "web", 80)
    # The labels' limit refuses, and the file's is not charged for it.
    s.denies("ext", "web", 80, reason="rate_limited", rule="own")
    assert "exceeded" not in rule_of_web(s) and rule_of_web(s, "labels", 1)["exceeded"] >= 1
    s.denies("ext", "web", 80, reason="rate_limited", rule="own")


def test_semantic_06_a_limit_in_audit_mode_is_reported_and_refuses_nothing(scene):
    s = scene(of_web(["allow 80/tcp from any rate 1/h burst 1 as limited"], more="    mode: audit\n")).start()
    s.opens("ext", "web", 80)
    s.opens("ext", "web", 80)
    s.daemon.expect_event(verdict="would_deny", reason="rate_limited", rule="limited")
    assert rule_of_web(s)["exceeded"] >= 1


def test_semantic_06_limits_of_a_policy_and_of_the_host_hold_for_rules_without_their_own(scene, session):
    labels = {"mon": {"dnetbpf.ingress": "allow 80/tcp from any rate 9/h per src burst 9 as own"}}
    rules = ["allow 80/tcp from any as limited", "allow 81/tcp from any rate none as counted", "allow 82/tcp from any rate none conns none as free"]
    host = 'host: { limits: { ingress: "conns 1 per src" } }'
    text = of_web(rules, head=host, more='    limits: { ingress: "rate 1/h per src burst 1" }\n')
    code, said = check(session, text)
    assert code == 0 and "warning" not in said, said
    s = scene(text, labels=labels).start()
    s.opens("ext", "web", 80)
    s.denies("ext", "web", 80, reason="rate_limited", rule="limited", policy="web")
    series = {"container": "web", "policy": "web", "rule": "limited", "limit": "rate 1/h per src burst 1"}
    assert s.daemon.metric("dnetbpf_limit_exceeded_total", **series) >= 1
    # Each rule has buckets of its own.
    with open_connection(s, "ext", "web", 81):
        s.denies("ext", "web", 81, reason="too_many_connections", rule="counted", policy="web")
        for _ in range(2):
            s.opens("ext", "web", 82)
    # Labels have the host's, not the policy's.
    with open_connection(s, "ext", "mon", 80):
        s.denies("ext", "mon", 80, reason="too_many_connections", rule="own", policy="labels")
    assert [limit["text"] for limit in rule_of_web(s)["defaults"]] == ["rate 1/h per src burst 1", "conns 1 per src"]
    assert "defaults" not in rule_of_web(s, number=2)
    shown = s.daemon.command("policy show", "web").stdout
    assert re.search(r"\+ rate 1/h per src burst 1 +from limits of policy web", shown), shown
    assert len(re.findall(r"\+ conns 1 per src +from host limits", shown)) == 4, shown  # two rules at two interfaces
    s.reload(of_web(rules, head=host))
    assert "changed: web" in s.daemon.log(), s.daemon.log()
    s.opens("ext", "web", 80)
    assert [limit["text"] for limit in rule_of_web(s)["defaults"]] == ["conns 1 per src"]
