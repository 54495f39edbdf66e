# SPDX-License-Identifier: GPL-2.0
"""The daemon ends, is killed, comes back, meets a live host, is unloaded."""

import os

import pytest

from lib.daemon import allowed, denied, programs
from lib.dockerhost import EXT_V4, web_and_client
from lib.shell import wait_until

POLICY = f"""
    version: 1
    policies:
      - name: web
        select: "service:shop/web"
        ingress: [ "allow 80/tcp from any as public" ]
        egress: [ "allow 90/tcp to {EXT_V4} as upstream" ]
"""


def denied_silently(place, target, port):
    """Without a daemon there is no event: what does not arrive is counted at the target instead."""
    sniffer = target.sniff("eth0")
    assert place.connect(target.address(), port, 400) == "timeout"
    # An allowed connection comes after the forbidden one; its SYN closes the count.
    allowed(place, target.address(), 80)
    wait_until(lambda: sniffer.count("SYN", 80), "the SYN of the allowed connection")
    assert sniffer.count("SYN", port) == 0
    sniffer.stop()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_the_end_of_the_daemon_changes_nothing_and_the_next_one_adopts(docker, daemon, session, attach, how):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    server = docker.ext.serve("tcp:90-91")
    incoming = docker.ext.lines(web.address(), 80)
    outgoing = web.lines(EXT_V4, 90)
    neighbour = client.lines(web.address(), 80)
    every = (incoming, outgoing, neighbour)
    for line in every:
        line.wait_more("echoed", 5)
    for _ in range(3):
        denied(daemon, client, web.address(), 81, container="web")
    passed = daemon.ps("web")[0]["packets_passed"]
    dropped = daemon.ps("web")[0]["packets_denied"]
    assert passed > 20 and dropped >= 3
    wait_until(lambda: daemon.status()["flows"]["entries"] >= 3, lambda: f"three flows: {daemon.status()['flows']}", 15, 0.2)

    daemon.stop() if how == "SIGTERM" else daemon.kill()
    assert os.path.isdir(daemon.pin) and programs(docker.host), "programs and pins stay"
    denied_silently(client, web, 81)
    allowed(client, web.address(), 80)
    assert web.connect(EXT_V4, 91, 300) == "timeout"
    for line in every:
        line.wait_more("echoed", 5)

    daemon.start()
    daemon.wait_state("web", "enforced")
    now = daemon.ps("web")[0]
    assert now["packets_passed"] >= passed and now["packets_denied"] > dropped, (now, passed, dropped)
    wait_until(lambda: daemon.status()["flows"]["entries"] >= 3, lambda: f"three flows: {daemon.status()['flows']}", 15, 0.2)
    for line in every:
        line.wait_more("echoed", 5)
    allowed(client, web.address(), 80)
    denied(daemon, client, web.address(), 81, container="web", reason="default_denied")
    results = [line.finish() for line in every]
    session.figure(f"{how} and restart, {attach}: 3 connections, retransmitted: {[r['retransmitted'] for r in results]}, "
                   f"longest gap: {max(r['longest-gap-ms'] for r in results)} ms")
    for result in results:
        assert result["retransmitted"] == 0 and result["sent"] - result["echoed"] <= 1, results
    server.stop()


def test_what_happened_while_it_was_dead_is_put_right(docker, daemon, attach):
    """Containers come, go and move while no daemon runs; other attach modes and policies come with the next one."""
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    gone = docker.run("gone", network="front", service="shop/web")
    daemon.wait_state("gone", "enforced")
    daemon.kill()
    gone.remove()
    web.docker("restart", "--time", "2")
    late = docker.run("late", network="front", service="shop/web")
    daemon.write_policy(POLICY.replace("allow 80/tcp", "allow 82/tcp"))
    daemon.start()
    for name in ("web", "late"):
        daemon.wait_state(name, "enforced")
    assert not daemon.ps("gone")
    for container in (web, late):
        allowed(client, container.address(), 82)
        denied(daemon, client, container.address(), 80, container=container.name, reason="default_denied")


def test_a_changed_policy_at_restart_ends_what_it_forbids(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    line = client.lines(web.address(), 80)
    line.wait_more("echoed", 3)
    daemon.stop()
    line.wait_more("echoed", 3)
    daemon.write_policy(POLICY.replace("allow 80/tcp", "allow 82/tcp"))
    daemon.start()
    daemon.expect_event(container="web", verdict="deny", src=client.address(), dst=web.address(), dst_port=80)
    stands_still(line)


def stands_still(line):
    """Nothing comes through any more, while the client goes on sending."""
    line.wait_more("sent", 3)
    echoed = line.count("echoed")
    line.wait_more("sent", 10)
    assert line.count("echoed") == echoed, line.process.lines()[-5:]
    line.process.kill()


def test_first_attach_on_a_live_host(docker, daemon, session, attach):
    """What is allowed lives on without a loss, in either orientation; what is forbidden stops."""
    web, client = web_and_client(docker)
    server = docker.ext.serve("tcp:90-91")
    good = [docker.ext.lines(web.address(), 80), web.lines(EXT_V4, 90), client.lines(web.address(), 80)]
    bad = [docker.ext.lines(web.address(), 81), web.lines(EXT_V4, 91), client.lines(web.address(), 82)]
    untouched = client.lines(EXT_V4, 91)
    for line in (*good, *bad, untouched):
        line.wait_more("echoed", 3)
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    daemon.wait_state("web", "enforced")
    for port in (81, 91, 82):
        # Either end may be the first to be heard, so the port is on either side.
        wait_until(lambda p=port: [event for event in daemon.events(container="web", verdict="deny")
                                   if p in (event["src_port"], event["dst_port"])],
                   lambda p=port: f"a deny event for port {p}: {daemon.events()[-4:]}", 10)
    for line in bad:
        stands_still(line)
    results = []
    for line in (*good, untouched):
        line.wait_more("echoed", 10)
        results.append(line.finish())
    session.figure(f"first attach, {attach}: 4 allowed connections, retransmitted: {[r['retransmitted'] for r in results]}, "
                   f"longest gap: {max(r['longest-gap-ms'] for r in results)} ms; 3 forbidden ones stopped")
    assert all(r["retransmitted"] == 0 for r in results), results
    server.stop()


def test_a_second_daemon_on_the_same_pins_is_refused(docker, daemon):
    first = daemon(docker.host, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    second = daemon(docker.host, docker=docker, policy="version: 1\n", pin=first.pin, port=9470)
    process = second.launch()
    assert process.wait(20) == 1, second.log()
    said = process.errors() + process.output()
    assert first.pin in said and "another" in said.lower(), said
    second.process = None  # the pins are the first one's to unload
    denied(first, client, web.address(), 81, container="web", reason="default_denied")


@pytest.mark.parametrize("alive", [True, False], ids=["with-a-daemon", "without-a-daemon"])
def test_unload_leaves_nothing_behind(docker, daemon, attach, alive):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    denied(daemon, client, web.address(), 81, container="web")
    assert programs(docker.host) and os.path.isdir(daemon.pin)
    # TCX links take the place of clsact filters when no link has moved for a moment.
    wait_until(lambda: {line.split()[0] for line in programs(docker.host)} == {"TCX" if attach == "tcx" else "qdisc"},
               lambda: f"the programs to be attached by {attach}: {programs(docker.host)}", 20)
    if not alive:
        daemon.kill()
    daemon.unload()
    if alive:
        wait_until(lambda: not daemon.running(), "the daemon to end after unload", 10)
        assert daemon.process.popen.returncode == 0, daemon.log()
    assert daemon.leftovers() == []
    allowed(client, web.address(), 81)
    again = daemon.unload()
    assert again.returncode == 0, "nothing there is no failure"
