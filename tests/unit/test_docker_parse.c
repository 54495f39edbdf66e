/* SPDX-License-Identifier: GPL-2.0 */
/* Docker's JSON to the model, and merging it. The fixtures are cut from answers of Docker 20.10 and Podman 5.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "docker/parse.h"
#include "docker/pending.h"
#include "docker/store.h"

#define ID_A "2a877943ec2ba9f7c80938101af0afd9d315966eb507cb7954efccb18807da79"
#define ID_B "5d3b4a38b0a007f839ea9398b7b043ba3c8bb524889b26c56547c560ac657c05"
#define NET_A "400bd41cdefb86a91e00355c14c3da3ff05d8e18c5be06d94c371674d45482d8"
#define NET_B "1e24218768882140848f9e626f30f997c64b6d7404595898610d062664a8d657"

/* One line that says everything, so that a case is one string and a difference is easy to see. */
static void describe_container(const struct container *container, char *text, size_t size)
{
	int n = snprintf(text, size, "%.6s %s image=%s project=%s service=%s state=%d mode=%s", container->id, container->name,
			 container->image, container->project ? container->project : "-",
			 container->service ? container->service : "-", container->state,
			 container->network_mode ? container->network_mode : "-");

	for (size_t i = 0; i < container->label_count; i++)
		n += snprintf(text + n, size - (size_t)n, " %s=%s", container->labels[i].key, container->labels[i].value);
}

static void describe_network(const struct network *network, char *text, size_t size)
{
	char prefix[TEXT_PREFIX_SIZE];
	int n = snprintf(text, size, "%.6s %s %s bridge=%s%s", network->id, network->name, network->driver,
			 network->bridge ? network->bridge : "-", network->internal ? " internal" : "");

	for (size_t i = 0; i < network->subnet_count; i++)
		n += snprintf(text + n, size - (size_t)n, " %s", text_prefix(&network->subnets[i].addr,
			      network->subnets[i].prefix_len, prefix));
}

static void describe_attachment(const struct attachment *attachment, char *text, size_t size)
{
	char address[TEXT_ADDR_SIZE];
	int n = snprintf(text, size, "%.6s@%.6s mac=", attachment->container_id, attachment->network_id);

	for (size_t i = 0; attachment->has_mac && i < sizeof(attachment->mac); i++)
		n += snprintf(text + n, size - (size_t)n, "%02x", attachment->mac[i]);
	for (size_t i = 0; i < attachment->address_count; i++)
		n += snprintf(text + n, size - (size_t)n, " %s", text_addr(&attachment->addresses[i], address));
}

static void check(const char *name, const char *want, const char *have)
{
	if (strcmp(want, have) != 0)
		fail_msg("%s:\n  want %s\n  have %s", name, want, have);
}

/* ---- events ---- */

#define CONTAINER_EVENT(action, id, attributes) \
	"{\"status\":\"" action "\",\"id\":\"" id "\",\"from\":\"bb\",\"Type\":\"container\",\"Action\":\"" action "\"," \
	"\"Actor\":{\"ID\":\"" id "\",\"Attributes\":{" attributes "}},\"scope\":\"local\",\"time\":1795290546,\"timeNano\":1795290546601107563}"
#define NETWORK_EVENT(action, id, attributes) \
	"{\"Type\":\"network\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id "\",\"Attributes\":{" attributes "}}," \
	"\"scope\":\"local\",\"time\":1795290546,\"timeNano\":1795290546613032380}"

static const struct event_case {
	const char *name, *json;
	int code;
	enum docker_event_kind kind;
	const char *container_id, *network_id, *container;	/* container: described; NULL: not filled */
	int has_state;
} event_cases[] = {
	{ "create has everything",
	  CONTAINER_EVENT("create", ID_A, "\"app\":\"web\",\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\","
			  "\"dnetbpf.ingress\":\"allow 80/tcp from any; deny any from any\",\"image\":\"bb\",\"name\":\"web1\""),
	  0, DOCKER_EVENT_CONTAINER, ID_A, NULL,
	  "2a8779 web1 image=bb project=shop service=web state=0 mode=- app=web com.docker.compose.project=shop "
	  "com.docker.compose.service=web dnetbpf.ingress=allow 80/tcp from any; deny any from any", 0 },
	{ "start runs", CONTAINER_EVENT("start", ID_A, "\"image\":\"bb\",\"name\":\"web1\""), 0, DOCKER_EVENT_CONTAINER, ID_A, NULL,
	  "2a8779 web1 image=bb project=- service=- state=1 mode=-", 1 },
	{ "die: its exit code is no label", CONTAINER_EVENT("die", ID_A, "\"app\":\"web\",\"execDuration\":\"3\",\"exitCode\":\"137\","
							    "\"image\":\"bb\",\"name\":\"side\""),
	  0, DOCKER_EVENT_CONTAINER, ID_A, NULL, "2a8779 side image=bb project=- service=- state=0 mode=- app=web", 1 },
	{ "Podman's die", CONTAINER_EVENT("died", ID_A, "\"app\":\"web\",\"containerExitCode\":\"0\",\"image\":\"localhost/bb:latest\","
					  "\"name\":\"side\",\"podId\":\"\""),
	  0, DOCKER_EVENT_CONTAINER, ID_A, NULL,
	  "2a8779 side image=localhost/bb:latest project=- service=- state=0 mode=- app=web", 1 },
	{ "rename: the new name", CONTAINER_EVENT("rename", ID_B, "\"image\":\"bb\",\"name\":\"api2\",\"oldName\":\"/api\""), 0,
	  DOCKER_EVENT_CONTAINER, ID_B, NULL, "5d3b4a api2 image=bb project=- service=- state=0 mode=-", 0 },
	{ "a label may be called exitCode on create", CONTAINER_EVENT("create", ID_A, "\"exitCode\":\"1\",\"image\":\"bb\",\"name\":\"x1\""),
	  0, DOCKER_EVENT_CONTAINER, ID_A, NULL, "2a8779 x1 image=bb project=- service=- state=0 mode=- exitCode=1", 0 },
	{ "no name: the short ID", CONTAINER_EVENT("create", ID_A, "\"image\":\"bb\""), 0, DOCKER_EVENT_CONTAINER, ID_A, NULL,
	  "2a8779 2a877943ec2b image=bb project=- service=- state=0 mode=-", 0 },
	{ "destroy", CONTAINER_EVENT("destroy", ID_A, "\"image\":\"bb\",\"name\":\"side\""), 0, DOCKER_EVENT_CONTAINER_GONE, ID_A, NULL,
	  NULL, 0 },
	{ "Podman's remove", CONTAINER_EVENT("remove", ID_A, "\"image\":\"bb\",\"name\":\"side\""), 0, DOCKER_EVENT_CONTAINER_GONE, ID_A,
	  NULL, NULL, 0 },
	{ "an exec is nothing to us", CONTAINER_EVENT("exec_start: /bin/sleep 0", ID_A, "\"execID\":\"c9aac3\",\"image\":\"bb\""), 0,
	  DOCKER_EVENT_OTHER, NULL, NULL, NULL, 0 },
	{ "health is nothing to us", CONTAINER_EVENT("health_status: healthy", ID_A, "\"image\":\"bb\""), 0, DOCKER_EVENT_OTHER, NULL,
	  NULL, NULL, 0 },
	{ "network create", NETWORK_EVENT("create", NET_A, "\"name\":\"dmz\",\"type\":\"bridge\""), 0, DOCKER_EVENT_NETWORK, NULL, NET_A,
	  NULL, 0 },
	{ "network destroy", NETWORK_EVENT("destroy", NET_A, "\"name\":\"dmz\",\"type\":\"bridge\""), 0, DOCKER_EVENT_NETWORK, NULL, NET_A,
	  NULL, 0 },
	{ "prune has no network", NETWORK_EVENT("prune", "", "\"reclaimed\":\"0\""), 0, DOCKER_EVENT_OTHER, NULL, NULL, NULL, 0 },
	{ "connect", NETWORK_EVENT("connect", NET_A, "\"container\":\"" ID_A "\",\"name\":\"dmz\",\"type\":\"bridge\""), 0,
	  DOCKER_EVENT_ATTACH, ID_A, NET_A, NULL, 0 },
	{ "disconnect", NETWORK_EVENT("disconnect", NET_A, "\"container\":\"" ID_A "\",\"name\":\"dmz\",\"type\":\"bridge\""), 0,
	  DOCKER_EVENT_ATTACH, ID_A, NET_A, NULL, 0 },
	{ "Podman's connect: the actor is the container", NETWORK_EVENT("connect", ID_A, "\"image\":\"\",\"name\":\"\",\"network\":\"dmz\""),
	  0, DOCKER_EVENT_ATTACH, ID_A, "dmz", NULL, 0 },
	{ "an image", "{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"bb\",\"Attributes\":{\"name\":\"bb\"}}}", 0,
	  DOCKER_EVENT_IMAGE, NULL, NULL, NULL, 0 },
	{ "unknown fields, null attributes", "{\"Type\":\"network\",\"Action\":\"create\",\"x\":[{}],\"Actor\":{\"ID\":\"" NET_A
	  "\",\"Attributes\":null}}", 0, DOCKER_EVENT_NETWORK, NULL, NET_A, NULL, 0 },
	{ "an empty object", "{}", 0, DOCKER_EVENT_OTHER, NULL, NULL, NULL, 0 },
	{ "a NUL in a label's key and value becomes a question mark",
	  CONTAINER_EVENT("create", ID_A, "\"a\\u0000b\":\"c\\u0000d\",\"e\":\"\\\\u0000\",\"image\":\"bb\",\"name\":\"x1\""), 0,
	  DOCKER_EVENT_CONTAINER, ID_A, NULL, "2a8779 x1 image=bb project=- service=- state=0 mode=- a?b=c?d e=\\u0000", 0 },
	{ "no JSON", "{\"Type\":\"container\"", -EINVAL, 0, NULL, NULL, NULL, 0 },
	{ "nothing", "", -EINVAL, 0, NULL, NULL, NULL, 0 },
	{ "a list", "[]", -EINVAL, 0, NULL, NULL, NULL, 0 },
	{ "a number as action", "{\"Type\":\"container\",\"Action\":1,\"Actor\":{\"ID\":\"" ID_A "\"}}", -EINVAL, 0, NULL, NULL, NULL, 0 },
	{ "a number as label", CONTAINER_EVENT("create", ID_A, "\"app\":1,\"image\":\"bb\""), -EINVAL, 0, NULL, NULL, NULL, 0 },
	{ "a number as name", CONTAINER_EVENT("create", ID_A, "\"name\":1"), -EINVAL, 0, NULL, NULL, NULL, 0 },
	{ "a container without ID", CONTAINER_EVENT("create", "", "\"image\":\"bb\""), -EINVAL, 0, NULL, NULL, NULL, 0 },
	{ "a list as actor", "{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":[]}", -EINVAL, 0, NULL, NULL, NULL, 0 },
};

static void test_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(event_cases) / sizeof(event_cases[0]); i++) {
		const struct event_case *c = &event_cases[i];
		struct docker_event event = { 0 };
		/* Exactly as long as it is, so that reading beyond it is seen. */
		size_t length = strlen(c->json);
		_cleanup_free_ char *json = malloc(length + !length);
		char text[1024] = "-";
		int r;

		memcpy(json, c->json, length);
		r = docker_parse_event(json, length, &event);
		if (r != c->code)
			fail_msg("%s: returned %d, not %d", c->name, r, c->code);
		if (r < 0) {
			assert_null(event.container_id);
			continue;
		}
		if (event.kind != c->kind || event.has_container != !!c->container || event.has_state != c->has_state)
			fail_msg("%s: kind %d, has_container %d, has_state %d", c->name, event.kind, event.has_container, event.has_state);
		check(c->name, c->container_id ? c->container_id : "-", event.container_id ? event.container_id : "-");
		check(c->name, c->network_id ? c->network_id : "-", event.network_id ? event.network_id : "-");
		if (event.has_container)
			describe_container(&event.container, text, sizeof(text));
		check(c->name, c->container ? c->container : "-", text);
		docker_event_clear(&event);
	}
}

/* ---- lists; each expected line ends in a newline ---- */

struct list_case {
	const char *name, *json;
	int code;
	const char *expected;
};

#define LISTED(id, names, state, more) \
	"{\"Id\":\"" id "\",\"Names\":[" names "],\"Image\":\"bb\",\"ImageID\":\"sha256:2547\",\"Command\":\"/bin/sleep 1000\"," \
	"\"Created\":1795290546,\"Ports\":[],\"State\":\"" state "\",\"Status\":\"Up 2 seconds\"," more "\"Mounts\":[]}"
#define MODE(mode) "\"HostConfig\":{\"NetworkMode\":\"" mode "\"},"

static const struct list_case container_cases[] = {
	{ "none", "[]", 0, "" },
	{ "two", "[" LISTED(ID_A, "\"/web1\"", "running", MODE("default") "\"Labels\":{\"z\":\"1\",\"app\":\"web\"},") ","
	  LISTED(ID_B, "\"/made\"", "created", MODE("inner") "\"Labels\":{},") "]", 0,
	  "2a8779 web1 image=bb project=- service=- state=1 mode=bridge app=web z=1\n"
	  "5d3b4a made image=bb project=- service=- state=0 mode=inner\n" },
	{ "links show under other names", "[" LISTED(ID_A, "\"/api/db\",\"/database\"", "running", "") "]", 0,
	  "2a8779 database image=bb project=- service=- state=1 mode=-\n" },
	{ "only links", "[" LISTED(ID_A, "\"/api/db\"", "running", "") "]", 0,
	  "2a8779 2a877943ec2b image=bb project=- service=- state=1 mode=-\n" },
	{ "paused still is on the network", "[" LISTED(ID_A, "\"/web\"", "paused", MODE("host")) "]", 0,
	  "2a8779 web image=bb project=- service=- state=1 mode=host\n" },
	{ "restarting does not run", "[" LISTED(ID_A, "\"/web\"", "restarting", MODE("container:" ID_B)) "]", 0,
	  "2a8779 web image=bb project=- service=- state=0 mode=container:" ID_B "\n" },
	{ "compose", "[" LISTED(ID_A, "\"/shop-web-1\"", "exited", "\"Labels\":{\"com.docker.compose.project\":\"shop\","
				"\"com.docker.compose.service\":\"web\"},") "]", 0,
	  "2a8779 shop-web-1 image=bb project=shop service=web state=0 mode=- com.docker.compose.project=shop "
	  "com.docker.compose.service=web\n" },
	{ "null for what is missing", "[{\"Id\":\"" ID_A "\",\"Names\":null,\"Labels\":null,\"HostConfig\":null,\"State\":null}]", 0,
	  "2a8779 2a877943ec2b image= project=- service=- state=0 mode=-\n" },
	{ "an object", "{\"message\":\"no\"}", -EINVAL, NULL },
	{ "cut off", "[" LISTED(ID_A, "\"/web\"", "running", ""), -EINVAL, NULL },
	{ "no ID", "[" LISTED("", "\"/web\"", "running", "") "]", -EINVAL, NULL },
	{ "the second is bad", "[" LISTED(ID_A, "\"/web\"", "running", "") ",1]", -EINVAL, NULL },
	{ "names is no list", "[{\"Id\":\"" ID_A "\",\"Names\":\"/web\"}]", -EINVAL, NULL },
	{ "a name is no string", "[" LISTED(ID_A, "1", "running", "") "]", -EINVAL, NULL },
	{ "labels are a list", "[" LISTED(ID_A, "\"/web\"", "running", "\"Labels\":[\"a=b\"],") "]", -EINVAL, NULL },
	{ "a label is null", "[" LISTED(ID_A, "\"/web\"", "running", "\"Labels\":{\"a\":null},") "]", -EINVAL, NULL },
	{ "state is a number", "[{\"Id\":\"" ID_A "\",\"State\":1}]", -EINVAL, NULL },
	{ "mode is a number", "[{\"Id\":\"" ID_A "\",\"HostConfig\":{\"NetworkMode\":1}}]", -EINVAL, NULL },
};

static void test_containers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(container_cases) / sizeof(container_cases[0]); i++) {
		const struct list_case *c = &container_cases[i];
		struct inventory list = { 0 };
		char text[4096] = "";
		int r = docker_parse_containers(c->json, strlen(c->json), &list.containers, &list.container_count);

		if (r != c->code)
			fail_msg("%s: returned %d, not %d", c->name, r, c->code);
		for (size_t k = 0; k < list.container_count; k++) {
			describe_container(&list.containers[k], text + strlen(text), sizeof(text) - strlen(text) - 1);
			strcat(text, "\n");
		}
		if (r == 0)
			check(c->name, c->expected, text);
		else
			assert_null(list.containers);
		inventory_clear(&list);
	}
}

#define NETWORK(name, id, driver, internal, config, options, more) \
	"{\"Name\":\"" name "\",\"Id\":\"" id "\",\"Created\":\"2026-11-21T19:49:07.134306706Z\",\"Scope\":\"local\",\"Driver\":\"" driver "\"," \
	"\"EnableIPv6\":false,\"IPAM\":{\"Driver\":\"default\",\"Options\":{},\"Config\":" config "},\"Internal\":" internal "," \
	"\"Attachable\":false,\"ConfigFrom\":{\"Network\":\"\"},\"Options\":" options "," more "\"Labels\":{}}"
#define STANDARD "{\"com.docker.network.bridge.default_bridge\":\"true\",\"com.docker.network.driver.mtu\":\"1500\"}"

static const struct list_case network_cases[] = {
	{ "none", "[]", 0, "" },
	{ "the bridge's name: from the ID, by option, the default's, no bridge at all",
	  "[" NETWORK("dmz", NET_A, "bridge", "false", "[{\"Subnet\":\"198.18.92.0/24\"},{\"Subnet\":\"fd77:92::/64\",\"Gateway\":\"fd77:92::1\"}]", "{}", "") ","
	  NETWORK("inner", NET_B, "bridge", "true", "[{\"Subnet\":\"172.18.0.0/16\",\"Gateway\":\"172.18.0.1\"}]",
		  "{\"com.docker.network.bridge.name\":\"br-int0\"}", "\"Containers\":{},") ","
	  NETWORK("bridge", "3333333333333333", "bridge", "false", "[{\"Subnet\":\"172.17.0.0/16\"}]", STANDARD, "") ","
	  NETWORK("mv", "4444444444444444", "macvlan", "false", "[{\"Subnet\":\"198.18.93.0/24\"}]",
		  "{\"parent\":\"up0\",\"com.docker.network.bridge.name\":\"no\"}", "") ","
	  NETWORK("host", "5555555555555555", "host", "false", "[]", "null", "") ","
	  NETWORK("none", "6666666666666666", "null", "false", "null", "{}", "") "]", 0,
	  "400bd4 dmz bridge bridge=br-400bd41cdefb 198.18.92.0/24 fd77:92::/64\n"
	  "1e2421 inner bridge bridge=br-int0 internal 172.18.0.0/16\n"
	  "333333 bridge bridge bridge=docker0 172.17.0.0/16\n"
	  "444444 mv macvlan bridge=- 198.18.93.0/24\n"
	  "555555 host host bridge=-\n"
	  "666666 none null bridge=-\n" },
	{ "an own name for the default bridge", "[" NETWORK("bridge", NET_B, "bridge", "false", "[]",
	  "{\"com.docker.network.bridge.default_bridge\":\"true\",\"com.docker.network.bridge.name\":\"lan0\"}", "") "]", 0,
	  "1e2421 bridge bridge bridge=lan0\n" },
	{ "an empty subnet is none", "[" NETWORK("x", NET_A, "bridge", "false", "[{\"Subnet\":\"\"}]", "{}", "") "]", 0,
	  "400bd4 x bridge bridge=br-400bd41cdefb\n" },
	{ "an object", "{}", -EINVAL, NULL },
	{ "no ID", "[{\"Name\":\"x\",\"Driver\":\"bridge\"}]", -EINVAL, NULL },
	{ "subnet is no prefix", "[" NETWORK("x", NET_A, "bridge", "false", "[{\"Subnet\":\"198.18.0.0/33\"}]", "{}", "") "]", -EINVAL, NULL },
	{ "subnet is no string", "[" NETWORK("x", NET_A, "bridge", "false", "[{\"Subnet\":1}]", "{}", "") "]", -EINVAL, NULL },
	{ "config is no list of objects", "[" NETWORK("x", NET_A, "bridge", "false", "[\"198.18.0.0/24\"]", "{}", "") "]", -EINVAL, NULL },
	{ "internal is a string", "[" NETWORK("x", NET_A, "bridge", "\"yes\"", "[]", "{}", "") "]", -EINVAL, NULL },
	{ "options is a list", "[" NETWORK("x", NET_A, "bridge", "false", "[]", "[]", "") "]", -EINVAL, NULL },
	{ "option is a number", "[" NETWORK("x", NET_A, "bridge", "false", "[]", "{\"com.docker.network.bridge.name\":1}", "") "]", -EINVAL, NULL },
};

static void test_networks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(network_cases) / sizeof(network_cases[0]); i++) {
		const struct list_case *c = &network_cases[i];
		struct inventory list = { 0 };
		char text[4096] = "";
		int r = docker_parse_networks(c->json, strlen(c->json), &list.networks, &list.network_count);

		if (r != c->code)
			fail_msg("%s: returned %d, not %d", c->name, r, c->code);
		for (size_t k = 0; k < list.network_count; k++) {
			describe_network(&list.networks[k], text + strlen(text), sizeof(text) - strlen(text) - 1);
			strcat(text, "\n");
		}
		if (r == 0)
			check(c->name, c->expected, text);
		inventory_clear(&list);
	}
}

#define DETAIL(containers) NETWORK("dmz", NET_A, "bridge", "false", "[{\"Subnet\":\"198.18.92.0/24\"}]", "{}", "\"Containers\":" containers ",")
#define ENDPOINT(key, name, mac, v4, v6) \
	"\"" key "\":{\"Name\":\"" name "\",\"EndpointID\":\"\",\"MacAddress\":\"" mac "\",\"IPv4Address\":\"" v4 "\",\"IPv6Address\":\"" v6 "\"}"

static const struct list_case detail_cases[] = {
	{ "nobody", DETAIL("{}"), 0, "" },
	{ "no list", DETAIL("null"), 0, "" },
	{ "two", DETAIL("{" ENDPOINT(ID_A, "web1", "02:42:c6:12:5c:02", "198.18.92.2/24", "fd77:92::2/64") ","
			ENDPOINT(ID_B, "api", "02:42:c6:12:5c:03", "198.18.92.3/24", "") "}"), 0,
	  "2a8779@400bd4 mac=0242c6125c02 198.18.92.2 fd77:92::2\n5d3b4a@400bd4 mac=0242c6125c03 198.18.92.3\n" },
	{ "being connected: the container's name; Swarm's own are left out",
	  DETAIL("{" ENDPOINT("ep-defc10717b26", "web", "02:42:c6:12:5c:02", "198.18.92.2/24", "") ","
		 ENDPOINT("lb-dmz", "dmz-endpoint", "02:42:c6:12:5c:09", "198.18.92.9/24", "") ","
		 ENDPOINT("ep-nobody", "", "02:42:c6:12:5c:08", "198.18.92.8/24", "") "}"), 0,
	  "/web@400bd4 mac=0242c6125c02 198.18.92.2\n" },
	{ "IPv6 only, no MAC yet", DETAIL("{" ENDPOINT(ID_A, "web1", "", "", "fd77:92::2/64") "}"), 0, "2a8779@400bd4 mac= fd77:92::2\n" },
	{ "a list of containers", DETAIL("[]"), -EINVAL, NULL },
	{ "an endpoint is a string", DETAIL("{\"" ID_A "\":\"x\"}"), -EINVAL, NULL },
	{ "MAC is none", DETAIL("{" ENDPOINT(ID_A, "web1", "02:42", "198.18.92.2/24", "") "}"), -EINVAL, NULL },
	{ "address is none", DETAIL("{" ENDPOINT(ID_A, "web1", "", "198.18.92/24", "") "}"), -EINVAL, NULL },
	{ "address is a number", DETAIL("{\"" ID_A "\":{\"IPv4Address\":1}}"), -EINVAL, NULL },
	{ "not a network", "[]", -EINVAL, NULL },
};

static void test_network(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(detail_cases) / sizeof(detail_cases[0]); i++) {
		const struct list_case *c = &detail_cases[i];
		struct inventory list = { 0 };
		struct network network = { 0 };
		char text[4096] = "";
		int r = docker_parse_network(c->json, strlen(c->json), &network, &list.attachments, &list.attachment_count);

		if (r != c->code)
			fail_msg("%s: returned %d, not %d", c->name, r, c->code);
		for (size_t k = 0; k < list.attachment_count; k++) {
			describe_attachment(&list.attachments[k], text + strlen(text), sizeof(text) - strlen(text) - 1);
			strcat(text, "\n");
		}
		if (r == 0)
			check(c->name, c->expected, text);
		network_clear(&network);
		inventory_clear(&list);
	}
}

/* Every prefix of a good answer is a bad one, and none may be read beyond its end or leak. */
static void test_cut_off(void **state)
{
	static const char text[] = DETAIL("{" ENDPOINT(ID_A, "w\\u0000b", "02:42:c6:12:5c:02", "198.18.92.2/24", "fd77:92::2/64") "}");

	(void)state;
	for (size_t length = 0; length < strlen(text); length++) {
		_cleanup_free_ char *copy = malloc(length + 1);
		struct attachment *attachments;
		struct network network;
		size_t count;

		memcpy(copy, text, length);
		assert_int_equal(docker_parse_network(copy, length, &network, &attachments, &count), -EINVAL);
	}
}

/* ---- merging ---- */

static struct container make_container(const char *id, const char *name)
{
	struct container container = { .id = strdup(id), .name = strdup(name), .image = strdup("") };

	return container;
}

static struct network make_network(const char *id)
{
	struct network network = { .id = strdup(id), .name = strdup(id), .driver = strdup("bridge"), .bridge = strdup(id) };

	return network;
}

static bool put(struct inventory *inventory, const char *id, const char *name)
{
	struct container container = make_container(id, name);
	bool changed = false;

	assert_int_equal(store_put_container(inventory, &container, &changed), 0);
	assert_null(container.id);
	return changed;
}

/* @containers: one letter each. */
static bool attach(struct inventory *inventory, const char *network_id, const char *containers)
{
	size_t count = strlen(containers);
	struct attachment *attachments = calloc(count + 1, sizeof(*attachments));
	bool changed = false;

	for (size_t i = 0; i < count; i++) {
		attachments[i].container_id = strndup(containers + i, 1);
		attachments[i].network_id = strdup(network_id);
	}
	assert_int_equal(store_put_attachments(inventory, network_id, attachments, count, &changed), 0);
	return changed;
}

static void check_inventory(const struct inventory *inventory, const char *want)
{
	char text[1024] = "";

	for (size_t i = 0; i < inventory->container_count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s:%s ", inventory->containers[i].id,
			 inventory->containers[i].name);
	for (size_t i = 0; i < inventory->network_count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%s] ", inventory->networks[i].id);
	for (size_t i = 0; i < inventory->attachment_count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s@%s ", inventory->attachments[i].container_id,
			 inventory->attachments[i].network_id);
	check("inventory", want, text);
}

static void test_merge(void **state)
{
	struct inventory inventory = { 0 };
	struct container *containers;
	struct network *networks;
	struct network network;
	bool changed = false;
	size_t count;

	(void)state;
	assert_true(put(&inventory, "c", "three"));
	assert_true(put(&inventory, "a", "one"));
	assert_true(put(&inventory, "b", "two"));
	assert_false(put(&inventory, "b", "two"));
	assert_true(put(&inventory, "b", "second"));
	check_inventory(&inventory, "a:one b:second c:three ");
	assert_string_equal(store_container(&inventory, "c")->name, "three");
	assert_null(store_container(&inventory, "d"));

	networks = calloc(2, sizeof(*networks));
	networks[0] = make_network("n2");
	networks[1] = make_network("n1");
	store_set_networks(&inventory, networks, 2, &changed);
	assert_true(changed);
	assert_true(attach(&inventory, "n2", "ba"));
	assert_true(attach(&inventory, "n1", "cab"));
	assert_false(attach(&inventory, "n1", "abc"));
	check_inventory(&inventory, "a:one b:second c:three [n1] [n2] a@n1 b@n1 c@n1 a@n2 b@n2 ");
	assert_non_null(store_attachments(&inventory, "n2", &count));
	assert_int_equal(count, 2);
	/* The newer answer replaces all of the older, and nothing of the other network. */
	assert_true(attach(&inventory, "n1", "d"));
	check_inventory(&inventory, "a:one b:second c:three [n1] [n2] d@n1 a@n2 b@n2 ");
	assert_true(attach(&inventory, "n1", ""));
	assert_null(store_attachments(&inventory, "n1", &count));

	changed = false;
	store_remove_container(&inventory, "x", &changed);
	assert_false(changed);
	store_remove_container(&inventory, "b", &changed);
	assert_true(changed);
	check_inventory(&inventory, "a:one c:three [n1] [n2] a@n2 ");

	network = make_network("n3");
	changed = false;
	assert_int_equal(store_put_network(&inventory, &network, &changed), 0);
	assert_true(changed);
	attach(&inventory, "n3", "c");
	networks = calloc(2, sizeof(*networks));
	networks[0] = make_network("n3");
	networks[1] = make_network("n1");
	changed = false;
	store_set_networks(&inventory, networks, 2, &changed);
	assert_true(changed);
	check_inventory(&inventory, "a:one c:three [n1] [n3] c@n3 ");
	networks = calloc(2, sizeof(*networks));
	networks[0] = make_network("n1");
	networks[1] = make_network("n3");
	changed = false;
	store_set_networks(&inventory, networks, 2, &changed);
	assert_false(changed);
	store_remove_network(&inventory, "n3", &changed);
	assert_true(changed);
	check_inventory(&inventory, "a:one c:three [n1] ");
	containers = calloc(2, sizeof(*containers));
	containers[0] = make_container("c", "three");
	containers[1] = make_container("a", "one");
	changed = false;
	store_set_containers(&inventory, containers, 2, &changed);
	assert_false(changed);
	store_set_containers(&inventory, NULL, 0, &changed);
	assert_true(changed);
	check_inventory(&inventory, "[n1] ");
	inventory_clear(&inventory);
}

/* The list may say "running" for a while after the event has said that the container died. */
static void test_settle(void **state)
{
	struct container listed = { .id = (char *)"a", .state = CONTAINER_RUNNING };
	struct settling settling = { 0 };

	(void)state;
	settle_add(&settling, "a");
	settle_add(&settling, "a");
	assert_int_equal(settling.count, 1);
	settle(&settling, &listed);
	assert_int_equal(listed.state, CONTAINER_CREATED);
	assert_int_equal(settling.count, 1);
	settle(&settling, &listed);	/* the list agrees */
	assert_int_equal(settling.count, 0);
	listed.state = CONTAINER_RUNNING;
	settle(&settling, &listed);
	assert_int_equal(listed.state, CONTAINER_RUNNING);
	settle_add(&settling, "a");
	for (unsigned int i = 0; i <= SETTLE_TRIES; i++)
		settle_tick(&settling);
	assert_int_equal(settling.count, 0);
	settle_add(&settling, "b");
	settle_clear(&settling);
}

static void test_ids(void **state)
{
	struct id_list pending = { 0 }, asked = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		char id[2] = { (char)('a' + i), '\0' };

		assert_int_equal(ids_add(&pending, id), 0);
		assert_int_equal(ids_add(&pending, id), 0);
	}
	assert_int_equal(pending.count, 5);
	assert_int_equal(ids_move(&pending, &asked, 3), 0);
	assert_int_equal(asked.count, 3);
	assert_true(ids_contain(&asked, "c"));
	assert_false(ids_contain(&pending, "c"));
	assert_true(ids_contain(&pending, "d"));
	ids_clear(&asked);
	assert_int_equal(ids_move(&pending, &asked, 3), 0);
	assert_int_equal(asked.count, 2);
	assert_int_equal(pending.count, 0);
	ids_clear(&pending);
	ids_clear(&asked);
}

/* In the middle of a rename Docker lists both names, and links of others show as paths. */
static void test_two_names(void **state)
{
	static const char list[] = "[{\"Id\":\"0123456789012345678901234567890123456789012345678901234567890123\","
				   "\"Names\":[\"/db/alias\",\"/name19\",\"/name20\"],\"State\":\"running\"}]";
	struct container *containers;
	size_t count;

	(void)state;
	assert_int_equal(docker_parse_containers(list, sizeof(list) - 1, &containers, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(containers[0].name, "name19");
	assert_string_equal(containers[0].other_name, "name20");
	container_clear(&containers[0]);
	free(containers);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_two_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
