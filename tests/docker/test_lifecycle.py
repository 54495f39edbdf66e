# SPDX-License-Identifier: GPL-2.0
"""A container's life: restart, rename, --rm, and what a rule that names it makes of that."""

from lib.daemon import allowed, denied
from lib.dockerhost import EXT_V4, web_and_client
from lib.place import DENY_MS
from lib.shell import wait_until

POLICY = """
    version: 1
    policies:
      - name: web
        select: "service:shop/web"
        ingress: [ "allow 80/tcp from any", "allow 82/tcp from container:friend" ]
"""


def test_restart_has_the_same_policy_on_a_new_veth(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    denied(daemon, client, web.address(), 81, container="web")
    before = daemon.ps("web")[0]["interface"]
    web.docker("restart", "--time", "2")
    allowed(client, web.address(), 80)
    denied(daemon, client, web.address(), 81, container="web", reason="default_denied")
    wait_until(lambda: [e["interface"] for e in daemon.ps("web")] == [web.veth()],
               lambda: f"ps to name the new veth: {daemon.ps('web')}")
    assert daemon.ps("web")[0]["interface"] != before


BANS = """
    version: 1
    policies:
      - name: web
        select: "service:shop/web"
        ingress: [ "allow 80/tcp from any rate 1/h per src burst 1 ban 10m as public", "allow 82/tcp from any" ]
"""


def test_a_ban_outlives_a_restart_of_its_container(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=BANS).start()
    web, client = web_and_client(docker)
    allowed(docker.ext, web.address(), 80)
    denied(daemon, docker.ext, web.address(), 80, container="web", reason="rate_limited")
    denied(daemon, docker.ext, web.address(), 82, container="web", reason="banned")
    web.docker("stop", "--time", "2")
    wait_until(lambda: not daemon.ps("web"), lambda: f"ps to forget it: {daemon.ps('web')}")
    block, = daemon.json("blocks")["blocks"]
    assert (block["prefix"], block["container"], block["running"]) == (EXT_V4, "web", False)
    web.docker("start")
    allowed(client, web.address(), 82)
    denied(daemon, docker.ext, web.address(), 82, container="web", reason="banned")
    block, = daemon.json("blocks")["blocks"]
    assert (block["container"], block["running"]) == ("web", True)
    # A container that is removed does not come back: another one is another one, whatever its name and address.
    address = web.address()
    web.remove()
    wait_until(lambda: daemon.json("blocks")["entries"] == 0, lambda: f"the ban to end with it: {daemon.json('blocks')}", 15)
    heir = docker.run("web", network="front", address=address, service="shop/web")
    assert docker.ext.connect(heir.address(), 82, 4 * DENY_MS) == "open"


def test_rename_is_followed(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    denied(daemon, client, web.address(), 82, container="web")
    client.docker_host.docker("rename", "client", "friend")
    wait_until(lambda: daemon.ps("friend") and not daemon.ps("client"), lambda: f"ps to follow: {daemon.ps()}")
    allowed(client, web.address(), 82)
    docker.docker("rename", "web", "shop-front")
    wait_until(lambda: daemon.ps("shop-front"), lambda: f"ps to follow: {daemon.ps()}")
    denied(daemon, client, web.address(), 81, container="shop-front")
    docker.docker("rename", "friend", "stranger")
    wait_until(lambda: daemon.ps("stranger"), lambda: f"ps to follow: {daemon.ps()}")
    denied(daemon, client, web.address(), 82, container="shop-front")


def test_a_rule_waits_for_a_container_that_comes_later(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=POLICY).start()
    web, _ = web_and_client(docker)
    friend = docker.run("friend", network="front")
    allowed(friend, web.address(), 82)
    # Its address goes to another one: that one is not the friend.
    address = friend.address()
    friend.remove()
    wait_until(lambda: not daemon.ps("friend"), "ps to forget it")
    heir = docker.run("heir", network="front", address=address)
    denied(daemon, heir, web.address(), 82, container="web", src=address)


def test_rm_leaves_no_trace_in_ps_metrics_and_pins(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    guest = docker.run("guest", network="front", service="shop/web", options=("--rm",))
    denied(daemon, client, guest.address(), 81, container="guest")
    wait_until(lambda: daemon.metric("dnetbpf_packets_total", container="guest", verdict="deny"), "its counter", 5)
    guest.docker("stop", "--time", "2")
    wait_until(lambda: not daemon.ps("guest"), lambda: f"ps to forget it: {daemon.ps('guest')}")
    assert daemon.metric("dnetbpf_packets_total", container="guest") is None
    assert daemon.metric("dnetbpf_packets_total", container="client") is not None
    # Ten that live for a moment: nothing of them may stay behind.
    for i in range(10):
        docker.docker("run", "--rm", "--network", "front", "--label", "com.docker.compose.project=shop", "--label",
                      "com.docker.compose.service=web", "--name", f"short-{i}", "probe", "/netprobe", "burst", "count=1",
                      f"{web.address()}:9")
    wait_until(lambda: {e["container"] for e in daemon.ps()} == {"web", "client"}, lambda: f"ps: {daemon.ps()}")
    assert sum(daemon.status()["endpoints"].values()) == 2
    allowed(client, web.address(), 80)


def test_stop_kill_and_pause(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=POLICY).start()
    web, client = web_and_client(docker)
    address = web.address()
    web.docker("pause")
    web.docker("unpause")
    denied(daemon, client, address, 81, container="web")
    web.docker("kill")
    wait_until(lambda: not daemon.ps("web"), lambda: f"ps to forget it: {daemon.ps('web')}")
    web.docker("start")
    allowed(client, web.address(), 80)
    denied(daemon, client, web.address(), 81, container="web")
