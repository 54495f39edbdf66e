# SPDX-License-Identifier: GPL-2.0
"""Policy in container labels: alone, beside a file, and labels that cannot be read."""

import os

from lib.daemon import allowed, denied
from lib.dockerhost import EXT_OTHER_V4, EXT_V4, web_and_client


def test_labels_alone_without_any_file(docker, daemon, attach):
    assert not os.path.exists("/etc/dnetbpf/dnetbpf.yaml"), "this test wants a machine without a policy file"
    daemon = daemon(docker.host, attach=attach, docker=docker, config=False).start()
    web, client = web_and_client(docker, labels={
        "dnetbpf.ingress": f"allow 80/tcp from container:client; deny 81/tcp from {EXT_OTHER_V4}; "
                           "allow 81/tcp from outside as out",
        "dnetbpf.egress": ""})
    server = docker.ext.serve("tcp:80-81")
    allowed(client, web.address(), 80)
    denied(daemon, docker.ext, web.address(), 80, container="web", reason="default_denied", direction="ingress")
    allowed(docker.ext, web.address(), 81)
    assert docker.ext.connect(web.address(), 81, 250, source=EXT_OTHER_V4) == "timeout"
    daemon.expect_event(container="web", reason="policy_denied", src=EXT_OTHER_V4, dst_port=81)
    denied(daemon, web, EXT_V4, 80, container="web", reason="default_denied", direction="egress")
    # The client has no labels: nothing of it is filtered.
    allowed(client, EXT_V4, 80)
    assert daemon.state("web") == "enforced" and daemon.state("client") == "unselected"
    server.stop()


def test_labels_narrow_the_file_and_never_widen_it(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker, policy="""
        version: 1
        policies:
          - { name: web, select: "service:shop/web", ingress: [ "allow 80-82/tcp from any as some" ] }
    """).start()
    web, client = web_and_client(docker, labels={"dnetbpf.ingress": "deny 81/tcp from any as mine; allow 80-90/tcp from any"})
    allowed(client, web.address(), 80)
    denied(daemon, client, web.address(), 81, container="web", reason="policy_denied", rule="mine")
    allowed(client, web.address(), 82)
    denied(daemon, client, web.address(), 83, container="web", reason="default_denied")


def test_a_label_names_a_policy_of_the_file(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy="""
        version: 1
        policies:
          - { name: strict, select: "container:nobody", ingress: [ "allow 80/tcp from any" ] }
    """).start()
    web, client = web_and_client(docker, labels={"dnetbpf.policy": "strict"})
    allowed(client, web.address(), 80)
    denied(daemon, client, web.address(), 81, container="web", reason="default_denied")


def test_a_bare_service_is_one_of_the_own_project(docker, daemon):
    daemon = daemon(docker.host, docker=docker).start()
    web, client = web_and_client(docker, labels={"dnetbpf.ingress": "allow 80/tcp from service:worker; "
                                                                     "allow 81/tcp from service:*/worker; "
                                                                     "allow 82/tcp from service:other/worker"})
    own = docker.run("own", network="front", service="shop/worker")
    other = docker.run("other", network="front", service="other/worker")
    for place, ports in ((own, {80, 81}), (other, {81, 82}), (client, set())):
        for port in (80, 81, 82):
            if port in ports:
                allowed(place, web.address(), port)
            else:
                denied(daemon, place, web.address(), port, container="web", src=place.address())


def test_audit_by_label_reports_and_passes(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker).start()
    web, client = web_and_client(docker, labels={"dnetbpf.ingress": "allow 80/tcp from any", "dnetbpf.mode": "audit"})
    allowed(client, web.address(), 80)
    allowed(client, web.address(), 81)
    daemon.expect_event(container="web", verdict="would_deny", reason="default_denied", dst_port=81)
    assert daemon.state("web") == "audit"


def test_a_bad_label_denies_that_container_and_says_why(docker, daemon, attach):
    daemon = daemon(docker.host, attach=attach, docker=docker).start()
    web, client = web_and_client(docker, labels={"dnetbpf.ingress": "allow 80/tcp form any"})
    server = docker.ext.serve("tcp:80")
    denied(daemon, client, web.address(), 80, container="web", reason="policy_invalid", direction="ingress")
    denied(daemon, web, EXT_V4, 80, container="web", reason="policy_invalid", direction="egress")
    assert daemon.state("web") == "invalid"
    why = daemon.ps("web")[0]
    assert "dnetbpf.ingress" in str(why) and "form" in str(why), f"ps says why: {why}"
    assert "dnetbpf.ingress" in daemon.command("ps").stdout
    assert "dnetbpf.ingress" in daemon.log(), "and so does the log, loudly"
    # A typo in the label's own name must not open the container either.
    typo = docker.run("typo", network="front", labels={"dnetbpf.ingres": "allow 80/tcp from any"})
    denied(daemon, client, typo.address(), 80, container="typo", reason="policy_invalid")
    allowed(client, EXT_V4, 80)
    server.stop()
