# SPDX-License-Identifier: GPL-2.0
"""
Semantic 4: labels that come from the image are ignored and reported; they match no selector and no peer either. Docker shows an
image's labels among its containers' own, and whoever builds an image can write anything there.
"""

import pytest

from lib.daemon import allowed, denied
from lib.dockerhost import EXT_OTHER_V4, EXT_V4, web_and_client
from lib.shell import wait_until

COMPOSE = "com.docker.compose"
CLAIMS = {"dnetbpf.ingress": "", "dnetbpf.mode": "audit", "app": "web", f"{COMPOSE}.project": "shop", f"{COMPOSE}.service": "web"}
SELECTS = """
    version: 1
    policies:
      - { name: by-label, select: "label:app=web", ingress: [ "allow 80/tcp from any" ] }
      - { name: by-service, select: "service:shop/web", ingress: [ "allow 80/tcp from any" ] }
"""


@pytest.fixture
def image(docker):
    """image(labels) makes one with them; they go with the test."""
    names = []

    def make(labels):
        names.append(f"claims{len(names)}")
        docker.make_image(labels=labels, name=names[-1])
        return names[-1]
    yield make
    if names:
        every = docker.docker("ps", "--all", "--quiet").stdout.split()
        docker.docker("rm", "--force", *(every or ["none"]), check=False)
        docker.docker("rmi", "--force", *names, check=False)


def net_and_client(docker):
    docker.network("front", subnets=("198.18.10.0/24",))
    return docker.run("client", network="front", address="198.18.10.12")


def test_4_labels_of_the_image_are_no_policy(docker, daemon, image, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker).start()
    client = net_and_client(docker)
    name = image(CLAIMS)
    web = docker.run("web", network="front", image=name)
    allowed(client, web.address(), 80)
    allowed(client, web.address(), 81)
    assert daemon.state("web") == "unselected"
    assert daemon.ps("web")[0].get("service") in (None, ""), f"it is no service: {daemon.ps('web')}"
    wait_until(lambda: "dnetbpf.ingress" in daemon.log(), lambda: f"the claim to be reported:\n{daemon.log()}", 10)
    assert name in daemon.log()
    # What is given to the container counts, also where the image says something else.
    own = docker.run("own", network="front", image=name,
                     labels={"dnetbpf.ingress": "allow 80/tcp from any", "dnetbpf.mode": "enforce"})
    allowed(client, own.address(), 80)
    denied(daemon, client, own.address(), 81, container="own", reason="default_denied", direction="ingress")
    # Said once for the image, not for each of its containers.
    assert daemon.log().count(f"the image {name} claims") == 1


def test_4_labels_of_the_image_match_no_selector(docker, daemon, image):
    daemon = daemon(docker.host, docker=docker, policy=SELECTS).start()
    client = net_and_client(docker)
    claims = docker.run("claims", network="front", image=image({"app": "web"}))
    service = docker.run("service", network="front", image=image({f"{COMPOSE}.project": "shop", f"{COMPOSE}.service": "web"}))
    for place in (claims, service):
        allowed(client, place.address(), 80)
        allowed(client, place.address(), 81)
        assert daemon.state(place.name) == "unselected"
    given = docker.run("given", network="front", labels={"app": "web"})
    of_service = docker.run("of-service", network="front", service="shop/web")
    for place in (given, of_service):
        allowed(client, place.address(), 80)
        denied(daemon, client, place.address(), 81, container=place.name, reason="default_denied", direction="ingress")


def test_4_labels_of_the_image_are_no_peer(docker, daemon, image):
    daemon = daemon(docker.host, docker=docker, policy="""
        version: 1
        policies:
          - { name: web, select: "container:web", ingress: [ "allow 80/tcp from label:app=web, service:shop/*" ] }
    """).start()
    web, client = web_and_client(docker, service=None)
    liar = docker.run("liar", network="front", image=image({"app": "web", f"{COMPOSE}.project": "shop", f"{COMPOSE}.service": "db"}))
    given = docker.run("given", network="front", labels={"app": "web"})
    of_service = docker.run("of-service", network="front", service="shop/db")
    for place in (given, of_service):
        allowed(place, web.address(), 80)
    for place in (liar, client):
        denied(daemon, place, web.address(), 80, container="web", src=place.address(), reason="default_denied")
    # The same after a restart, from the list alone.
    daemon.stop()
    daemon.start()
    denied(daemon, liar, web.address(), 80, container="web", src=liar.address(), reason="default_denied")
    allowed(given, web.address(), 80)


def test_4_compose_labels_its_own_images(docker, daemon, image):
    daemon = daemon(docker.host, docker=docker, policy=SELECTS).start()
    client = net_and_client(docker)
    labels = {f"{COMPOSE}.project": "shop", f"{COMPOSE}.service": "web", f"{COMPOSE}.version": "2.20.1"}
    # Compose writes to images that it builds what it writes to containers, and the configuration's hash to containers alone.
    built = docker.run("shop-web-1", network="front", image=image(labels), service="shop/web",
                       labels={f"{COMPOSE}.version": "2.20.1", f"{COMPOSE}.config-hash": "7" * 64})
    allowed(client, built.address(), 80)
    denied(daemon, client, built.address(), 81, container="shop-web-1", reason="default_denied", direction="ingress")
    # An image that claims that, too, claims nothing more.
    liar = docker.run("liar", network="front", image=image({**labels, f"{COMPOSE}.config-hash": "7" * 64}))
    allowed(client, liar.address(), 81)
    assert daemon.state("liar") == "unselected"


def test_4_an_image_that_is_gone_opens_nothing(docker, daemon, image):
    name = image({"app": "web"})
    client = net_and_client(docker)
    web = docker.create("web", network="front", image=name, labels={"tier": "front"})
    plain = docker.create("plain", network="front")
    docker.docker("rmi", "--force", name)
    # It has never seen the image, and cannot know any more which labels are the container's own.
    daemon = daemon(docker.host, docker=docker, policy="""
        version: 1
        policies:
          - { name: front, select: "label:tier=front", ingress: [ "allow 80/tcp from any" ] }
    """).start()
    web.docker("start")
    plain.docker("start")
    denied(daemon, client, web.address(), 80, container="web", reason="policy_invalid", direction="ingress")
    assert daemon.state("web") == "invalid"
    assert "image" in str(daemon.ps("web")[0]), f"ps says why: {daemon.ps('web')}"
    allowed(client, plain.address(), 80)


def test_a_containers_own_resolvers(docker, daemon):
    """`dns` is what the container was told to ask; Docker says so only when the container runs."""
    daemon = daemon(docker.host, docker=docker, policy="""
        version: 1
        policies:
          - { name: asks, select: "label:asks=dns", egress: [ "allow 80/tcp to dns" ] }
    """).start()
    docker.network("front", subnets=("198.18.10.0/24",))
    server = docker.ext.serve("tcp:80")
    asker = docker.run("asker", network="front", labels={"asks": "dns"}, options=("--dns", EXT_OTHER_V4))
    # It takes a moment after the start until the answer is in force.
    wait_until(lambda: asker.connect(EXT_OTHER_V4, 80, 250) == "open", lambda: f"its resolver to be allowed:\n{daemon.log()}", 10)
    denied(daemon, asker, EXT_V4, 80, container="asker", reason="default_denied", direction="egress")
    server.stop()
