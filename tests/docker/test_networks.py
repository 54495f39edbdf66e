# SPDX-License-Identifier: GPL-2.0
"""Networks: published ports, several networks of a container, connect and disconnect, --internal, what has no veth."""

from lib.daemon import allowed, denied
from lib.dockerhost import EXT_OTHER_V4, EXT_V4, HOST_V4, web_and_client
from lib.shell import wait_until

WEB = """
    version: 1
    policies:
      - name: web
        select: "service:shop/web"
        ingress: [ "allow 80/tcp from any", "allow 82/tcp from network:back" ]
"""


def test_published_port_shows_the_real_address_of_the_client(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=f"""
        version: 1
        policies:
          - name: web
            select: "service:shop/web"
            ingress: [ "deny 80/tcp from {EXT_OTHER_V4} as blocked", "allow 80/tcp from outside" ]
    """).start()
    web, _ = web_and_client(docker, options=("--publish", "8080:80", "--publish", "8081:81"))
    allowed(docker.ext, HOST_V4, 8080)
    assert docker.ext.connect(HOST_V4, 8080, 300, source=EXT_OTHER_V4) == "timeout"
    event = daemon.expect_event(container="web", reason="policy_denied", rule="blocked", src=EXT_OTHER_V4, dst_port=80)
    assert event["dst"] == web.address() and event["direction"] == "ingress" and event["network"] == "front"
    assert docker.ext.connect(HOST_V4, 8081, 300) == "timeout"
    daemon.expect_event(container="web", reason="default_denied", src=EXT_V4, dst=web.address(), dst_port=81)


def test_a_published_port_through_the_proxy_is_not_outside(docker, daemon):
    """Docker's userland proxy connects from the host: `outside` does not let it in, `host` would."""
    daemon = daemon(docker.host, docker=docker, policy="""
        version: 1
        policies:
          - { name: web, select: "service:shop/web", ingress: [ "allow 80/tcp from outside", "allow 81/tcp from host" ] }
    """).start()
    web_and_client(docker, options=("--publish", "8080:80", "--publish", "8081:81"))
    assert docker.host.connect("127.0.0.1", 8080, 400) == "mute"
    daemon.expect_event(container="web", reason="default_denied", dst_port=80, src="198.18.10.1")
    allowed(docker.host, "127.0.0.1", 8081)


def test_default_bridge(docker, daemon, attach):
    """docker0, whose name and network are special."""
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=WEB).start()
    web = docker.run("web", service="shop/web")
    client = docker.run("client")
    allowed(client, web.address(), 80)
    event = denied(daemon, client, web.address(), 81, container="web", reason="default_denied")
    assert event["network"] == "bridge"


def test_connect_and_disconnect_of_a_running_container(docker, daemon, attach):
    docker.network("back", subnets=("198.18.20.0/24",))
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=WEB).start()
    web, client = web_and_client(docker)
    inside = docker.run("inside", network="back")
    line = client.lines(web.address(), 80)
    docker.connect("back", web)
    daemon.wait_state("web", "enforced", count=2)
    address = web.address("back")
    allowed(inside, address, 80)
    allowed(inside, address, 82)
    denied(daemon, inside, address, 81, container="web", network="back", reason="default_denied")
    denied(daemon, client, web.address("front"), 82, container="web", network="front", reason="default_denied")
    docker.disconnect("back", web)
    wait_until(lambda: len(daemon.ps("web")) == 1, lambda: f"ps to forget the network: {daemon.ps('web')}", 10)
    assert daemon.ps("web")[0]["network"] == "front"
    denied(daemon, client, web.address("front"), 81, container="web", network="front", reason="default_denied")
    line.wait_more("echoed", 3)
    assert line.finish()["retransmitted"] == 0


def test_connect_of_a_container_that_a_policy_names_as_peer(docker, daemon):
    """A rule that names a container, a service or a network follows them to where they go."""
    docker.network("back", subnets=("198.18.20.0/24",))
    daemon = daemon(docker.host, docker=docker, policy="""
        version: 1
        policies:
          - name: web
            select: "container:web"
            ingress: [ "allow 80/tcp from container:guest", "allow 81/tcp from network:front" ]
    """).start()
    web, _ = web_and_client(docker)
    guest = docker.run("guest", network="back")
    docker.connect("front", guest)
    allowed(guest, web.address("front"), 80)
    allowed(guest, web.address("front"), 81)
    denied(daemon, guest, web.address("front"), 82, container="web", src=guest.address("front"))


def test_internal_network(docker, daemon, attach):
    docker.network("vault", "--internal", subnets=("198.18.30.0/24",))
    daemon = daemon(docker.host, attach=attach, docker=docker, policy=WEB).start()
    web = docker.run("web", network="vault", service="shop/web")
    client = docker.run("client", network="vault")
    allowed(client, web.address(), 80)
    denied(daemon, client, web.address(), 81, container="web", network="vault", reason="default_denied")
    # The gateway address reaches the host even from an internal network, so the host reaches the container.
    allowed(docker.host, web.address(), 80)
    denied(daemon, docker.host, web.address(), 81, container="web", network="vault")


def test_several_networks_have_one_policy_and_counters_of_their_own(docker, daemon):
    docker.network("back", subnets=("198.18.20.0/24",))
    docker.network("front", subnets=("198.18.10.0/24",))
    daemon = daemon(docker.host, docker=docker, policy=WEB).start()
    web = docker.create("web", network="front", service="shop/web")
    docker.connect("back", web)
    web.docker("start")
    front, back = docker.run("front-client", network="front"), docker.run("back-client", network="back")
    for client, network in ((front, "front"), (back, "back"), (back, "back")):
        denied(daemon, client, web.address(network), 81, container="web", network=network)
    def counters():
        return [daemon.metric("dnetbpf_packets_total", container="web", network=network, verdict="deny", reason="default_denied")
                for network in ("front", "back")]
    wait_until(lambda: counters() == [1, 2], lambda: f"one and two denials: {counters()}", 5)
    assert {e["network"] for e in daemon.ps("web")} == {"front", "back"}
    assert all(e["policies"] == ["web"] for e in daemon.ps("web"))


def test_ps_says_what_has_no_firewall_of_its_own(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=WEB).start()
    web, _ = web_and_client(docker)
    docker.run("at-host", "/netprobe", "serve", "tcp:7000", options=("--network", "host"), service="shop/web")
    docker.run("sharing", "/netprobe", "serve", "tcp:7001", options=("--network", f"container:{web.id}"))

    def unprotected():
        return {entry["container"]: entry["why"] for entry in daemon.json("ps")["unprotected"]}
    wait_until(lambda: "at-host" in unprotected(), lambda: f"at-host under unprotected: {daemon.json('ps')}", 10)
    assert "host" in unprotected()["at-host"]
    text = daemon.command("ps").stdout
    assert "at-host" in text and "web" in text and "front" in text, text
