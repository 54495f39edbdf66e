/* SPDX-License-Identifier: GPL-2.0 */
/* Images' labels and what is a container's own; and the answers about images, ports and resolvers (Docker 20.10's, 28's, Podman's). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "docker/images.h"
#include "docker/parse.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define COMPOSE "com.docker.compose."

/* "key=value key=value", sorted by key, to labels. */
static size_t make_labels(const char *text, struct label **ret)
{
	struct label *labels = calloc(16, sizeof(*labels));
	char *copy = strdup(text), *rest = copy, *word;
	size_t count = 0;

	while ((word = strsep(&rest, " "))) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		labels[count++] = (struct label) { strdup(word), strdup(equals + 1) };
		assert_true(count == 1 || strcmp(labels[count - 2].key, labels[count - 1].key) < 0);
	}
	free(copy);
	*ret = labels;
	return count;
}

static struct container make_container(const char *labels)
{
	struct container container = { .id = strdup("c") };
	const char *project, *service;

	container.label_count = make_labels(labels, &container.labels);
	project = container_label(&container, COMPOSE "project");
	service = container_label(&container, COMPOSE "service");
	container.project = project ? strdup(project) : NULL;
	container.service = service ? strdup(service) : NULL;
	return container;
}

/* "key=value ... | names of the image's | project/service", so that a difference is easy to see. */
static void describe(const struct container *container, char *text, size_t size)
{
	int n = 0;

	*text = '\0';
	for (size_t i = 0; i < container->label_count; i++)
		n += snprintf(text + n, size - n, "%s=%s ", container->labels[i].key, container->labels[i].value);
	n += snprintf(text + n, size - n, "|");
	for (char **name = container->image_labels; name && *name; name++)
		n += snprintf(text + n, size - n, " %s", *name);
	snprintf(text + n, size - n, " | %s/%s%s", container->project ? container->project : "-",
		 container->service ? container->service : "-", container->labels_unknown ? " unknown" : "");
}

static const struct {
	const char *name;
	const char *image;	/* NULL: gone */
	const char *container;	/* as the engine shows it: the image's labels, and over them those that it was given */
	const char *expected;
} strip_cases[] = {
	{ "no labels", "a=1", "", "| | -/-" },
	{ "an image without labels", "", "a=1 dnetbpf.ingress=x", "a=1 dnetbpf.ingress=x | | -/-" },
	{ "the image's", "app=web dnetbpf.ingress=x", "app=web dnetbpf.ingress=x", "| app dnetbpf.ingress | -/-" },
	{ "own ones stay", "app=web", "app=web dnetbpf.ingress=x", "dnetbpf.ingress=x | app | -/-" },
	{ "another value is the container's own", "app=web dnetbpf.ingress=x", "app=web dnetbpf.ingress=y", "dnetbpf.ingress=y | app | -/-" },
	{ "an empty value", "a=", "a= b=", "b= | a | -/-" },
	{ "prefixes of keys are other keys", "app=1", "ap=1 appl=1", "ap=1 appl=1 | | -/-" },
	{ "an image says that it is a service", COMPOSE "project=shop " COMPOSE "service=db", COMPOSE "project=shop " COMPOSE "service=db",
	  "| " COMPOSE "project " COMPOSE "service | -/-" },
	{ "the service alone", COMPOSE "service=db", COMPOSE "project=shop " COMPOSE "service=db",
	  COMPOSE "project=shop | " COMPOSE "service | shop/-" },
	{ "Compose built the image and started the container",
	  "app=x " COMPOSE "project=shop " COMPOSE "service=db " COMPOSE "version=2.20.1",
	  "app=x " COMPOSE "config-hash=77 " COMPOSE "oneoff=False " COMPOSE "project=shop " COMPOSE "service=db " COMPOSE "version=2.20.1",
	  COMPOSE "config-hash=77 " COMPOSE "oneoff=False " COMPOSE "project=shop " COMPOSE "service=db " COMPOSE "version=2.20.1 "
	  "| app | shop/db" },
	{ "the image claims Compose's sign as well", COMPOSE "config-hash=77 " COMPOSE "project=shop " COMPOSE "service=db",
	  COMPOSE "config-hash=77 " COMPOSE "project=shop " COMPOSE "service=db",
	  "| " COMPOSE "config-hash " COMPOSE "project " COMPOSE "service | -/-" },
	{ "and Compose started it all the same", COMPOSE "config-hash=77 " COMPOSE "project=shop " COMPOSE "service=db",
	  COMPOSE "config-hash=78 " COMPOSE "project=shop " COMPOSE "service=db",
	  COMPOSE "config-hash=78 " COMPOSE "project=shop " COMPOSE "service=db | | shop/db" },
	{ "Compose started it, and other labels of Compose are the image's", COMPOSE "oneoff=True", COMPOSE "config-hash=77 " COMPOSE "oneoff=True",
	  COMPOSE "config-hash=77 | " COMPOSE "oneoff | -/-" },
	{ "gone: nobody knows", NULL, "app=web " COMPOSE "project=shop " COMPOSE "service=db dnetbpf.ingress=x",
	  "| app " COMPOSE "project " COMPOSE "service dnetbpf.ingress | -/- unknown" },
	{ "gone, with Compose's sign", NULL, COMPOSE "config-hash=77 " COMPOSE "service=db", "| " COMPOSE "config-hash " COMPOSE "service | -/- unknown" },
	{ "gone, and only what describes images", NULL, "maintainer=me org.label-schema.name=x org.opencontainers.image.title=x",
	  "| maintainer org.label-schema.name org.opencontainers.image.title | -/-" },
	{ "gone, no labels", NULL, "", "| | -/-" },
};

static void test_strip(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(strip_cases); i++) {
		struct container container = make_container(strip_cases[i].container), again = make_container(strip_cases[i].container);
		struct image image = { .gone = !strip_cases[i].image };
		char text[1024];

		image.label_count = make_labels(strip_cases[i].image ? strip_cases[i].image : "", &image.labels);
		assert_int_equal(container_strip_image(&container, &image), 0);
		describe(&container, text, sizeof(text));
		if (strcmp(text, strip_cases[i].expected) != 0)
			fail_msg("%s:\n  want %s\n  have %s", strip_cases[i].name, strip_cases[i].expected, text);
		/* The same from memory, without the image. */
		assert_int_equal(container_strip_again(&again, &container), 0);
		describe(&again, text, sizeof(text));
		if (strcmp(text, strip_cases[i].expected) != 0)
			fail_msg("%s, again:\n  want %s\n  have %s", strip_cases[i].name, strip_cases[i].expected, text);
		labels_free(image.labels, image.label_count);
		container_clear(&container);
		container_clear(&again);
	}
}

static void test_claims(void **state)
{
	static const struct { const char *key; bool is; } keys[] = {
		{ "dnetbpf.ingress", true }, { "dnetbpf.", true }, { "dnetbpf", false }, { "app", false }, { COMPOSE "service", true },
		{ "com.docker.composer", false }, { "x.dnetbpf.ingress", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++)
		assert_int_equal(label_is_claim(keys[i].key), keys[i].is);
}

static void put(struct images *images, const char *id, const char *text)
{
	struct label *labels;
	size_t count = make_labels(text, &labels);

	assert_int_equal(images_put(images, id, labels, count, false), 0);
}

static void test_cache(void **state)
{
	struct images images = { 0 };
	char id[16], name[16];

	(void)state;
	assert_null(images_find(&images, "1"));
	put(&images, "1", "a=1");
	put(&images, "1", "a=2");
	assert_int_equal(images.count, 1);
	assert_string_equal(images_find(&images, "1")->labels[0].value, "2");
	assert_int_equal(images_put_name(&images, "web", "1"), 0);
	assert_int_equal(images_put_name(&images, "web:latest", "1"), 0);
	assert_ptr_equal(images_find(&images, "web"), images_find(&images, "1"));
	put(&images, "2", "");
	assert_int_equal(images_put_name(&images, "web", "2"), 0);
	assert_ptr_equal(images_find(&images, "web"), images_find(&images, "2"));
	images_forget_names(&images);
	assert_null(images_find(&images, "web"));
	assert_non_null(images_find(&images, "2"));
	/* Bounded, whatever comes: the oldest goes. */
	for (int i = 0; i < IMAGES_MAX; i++) {
		snprintf(id, sizeof(id), "x%d", i);
		snprintf(name, sizeof(name), "name%d", i);
		put(&images, id, "a=1");
		assert_int_equal(images_put_name(&images, name, id), 0);
	}
	assert_int_equal(images.count, IMAGES_MAX);
	assert_true(images.name_count <= IMAGES_MAX);
	assert_null(images_find(&images, "2"));
	assert_non_null(images_find(&images, "x0"));
	put(&images, "last", "");
	assert_null(images_find(&images, "x0"));
	/* A name of one that was forgotten leads nowhere. */
	assert_null(images_find(&images, "name0"));
	assert_string_equal(images_find(&images, "name1")->id, "x1");
	images_clear(&images);
	assert_null(images_find(&images, "last"));
}

static const struct {
	const char *name, *json;
	int code;
	const char *expected;
} image_cases[] = {
	{ "Docker 20.10", "{\"Id\":\"sha256:2547aa\",\"RepoTags\":[\"bb:latest\"],\"Parent\":\"\",\"ContainerConfig\":{\"Labels\":{\"no\":\"1\"}},"
	  "\"Config\":{\"Env\":null,\"Labels\":{\"z\":\"1\",\"app\":\"web\"}},\"Size\":1}", 0, "2547aa app=web z=1" },
	{ "Podman", "{\"Id\":\"2547aa\",\"Config\":{\"Labels\":{\"a\":\"b\"}}}", 0, "2547aa a=b" },
	{ "no labels", "{\"Id\":\"sha256:2547aa\",\"Config\":{\"Labels\":null}}", 0, "2547aa" },
	{ "no config", "{\"Id\":\"sha256:2547aa\",\"Config\":null}", 0, "2547aa" },
	{ "a NUL becomes what it becomes in a container", "{\"Id\":\"1\",\"Config\":{\"Labels\":{\"a\\u0000b\":\"c\"}}}", 0, "1 a?b=c" },
	{ "no ID", "{\"Config\":{}}", -EINVAL, NULL },
	{ "an empty ID", "{\"Id\":\"sha256:\"}", -EINVAL, NULL },
	{ "a label is a number", "{\"Id\":\"1\",\"Config\":{\"Labels\":{\"a\":1}}}", -EINVAL, NULL },
	{ "labels are a list", "{\"Id\":\"1\",\"Config\":{\"Labels\":[\"a=b\"]}}", -EINVAL, NULL },
	{ "config is a text", "{\"Id\":\"1\",\"Config\":\"x\"}", -EINVAL, NULL },
	{ "a list", "[]", -EINVAL, NULL },
	{ "no JSON", "{\"Id\":", -EINVAL, NULL },
};

static void test_image_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(image_cases); i++) {
		struct label *labels = NULL;
		size_t count = 0;
		char *id = NULL, text[256] = "";
		int r = docker_parse_image(image_cases[i].json, strlen(image_cases[i].json), &id, &labels, &count);

		if (r != image_cases[i].code)
			fail_msg("%s: returned %d, not %d", image_cases[i].name, r, image_cases[i].code);
		if (r < 0) {
			assert_null(id);
			assert_null(labels);
			continue;
		}
		snprintf(text, sizeof(text), "%s", id);
		for (size_t k = 0; k < count; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s=%s", labels[k].key, labels[k].value);
		if (strcmp(text, image_cases[i].expected) != 0)
			fail_msg("%s: want %s, have %s", image_cases[i].name, image_cases[i].expected, text);
		labels_free(labels, count);
		free(id);
	}
}

static const struct {
	const char *json;
	int code;
	const char *expected;
} resolver_cases[] = {
	{ "{\"Id\":\"a\",\"HostConfig\":{\"Dns\":[]}}", 0, "" },
	{ "{\"HostConfig\":{\"Dns\":null}}", 0, "" },
	{ "{}", 0, "" },
	{ "{\"HostConfig\":{\"Dns\":[\"198.18.0.53\",\"2001:db8::53\",\"127.0.0.1\"]}}", 0, "198.18.0.53 2001:db8::53 127.0.0.1 " },
	{ "{\"HostConfig\":{\"Dns\":[\"none\",\"fe80::1%eth0\",\"198.18.0.53\"]}}", 0, "198.18.0.53 " },
	{ "{\"HostConfig\":{\"Dns\":[1]}}", -EINVAL, NULL },
	{ "{\"HostConfig\":{\"Dns\":\"198.18.0.53\"}}", -EINVAL, NULL },
	{ "[]", -EINVAL, NULL },
};

static void test_resolver_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(resolver_cases); i++) {
		struct dnet_addr *resolvers = NULL;
		char text[256] = "", address[TEXT_ADDR_SIZE];
		size_t count = 0;
		int r = docker_parse_resolvers(resolver_cases[i].json, strlen(resolver_cases[i].json), &resolvers, &count);

		if (r != resolver_cases[i].code)
			fail_msg("%s: returned %d", resolver_cases[i].json, r);
		for (size_t k = 0; k < count; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", text_addr(&resolvers[k], address));
		if (r == 0)
			assert_string_equal(text, resolver_cases[i].expected);
		free(resolvers);
	}
}

#define PORT(ip, inside, outside, type) \
	"{\"IP\":\"" ip "\",\"PrivatePort\":" #inside ",\"PublicPort\":" #outside ",\"Type\":\"" type "\"}"

static const struct {
	const char *json;
	const char *expected;
} port_cases[] = {
	{ "[]", "" },
	{ "null", "" },
	{ "[{\"PrivatePort\":80,\"Type\":\"tcp\"}]", "" },	/* exposed, not published */
	{ "[" PORT("::", 80, 8080, "tcp") "," PORT("0.0.0.0", 80, 8080, "tcp") "]", ":::8080:80/6 0.0.0.0:8080:80/6 " },
	/* A range comes port by port, in no order. */
	{ "[" PORT("198.18.0.1", 5002, 6002, "udp") "," PORT("198.18.0.1", 5000, 6000, "udp") "," PORT("198.18.0.1", 5001, 6001, "udp") "]",
	  "198.18.0.1:6000:5000/17 198.18.0.1:6001:5001/17 198.18.0.1:6002:5002/17 " },
	{ "[" PORT("0.0.0.0", 36412, 36412, "sctp") "]", "0.0.0.0:36412:36412/132 " },
	{ "[" PORT("", 80, 8080, "tcp") "]", ":::8080:80/6 " },	/* Podman: every address */
	{ "[" PORT("0.0.0.0", 80, 8080, "dccp") "," PORT("x", 80, 8080, "tcp") "," PORT("0.0.0.0", 65536, 1, "tcp") ",1,null,"
	  "{\"PublicPort\":1.5,\"PrivatePort\":2,\"Type\":7}]", "" },
};

static void test_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(port_cases); i++) {
		struct inventory list = { 0 };
		char json[1024], text[512] = "", address[TEXT_ADDR_SIZE];

		snprintf(json, sizeof(json), "[{\"Id\":\"a\",\"Names\":[\"/a\"],\"ImageID\":\"sha256:2547\",\"State\":\"running\",\"Ports\":%s}]",
			 port_cases[i].json);
		assert_int_equal(docker_parse_containers(json, strlen(json), &list.containers, &list.container_count), 0);
		assert_string_equal(list.containers[0].image_id, "2547");
		for (size_t k = 0; k < list.containers[0].port_count; k++) {
			const struct published_port *port = &list.containers[0].ports[k];

			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s:%u:%u/%u ", text_addr(&port->host_addr, address),
				 port->host_port, port->port, port->proto);
		}
		if (strcmp(text, port_cases[i].expected) != 0)
			fail_msg("%s: want %s, have %s", port_cases[i].json, port_cases[i].expected, text);
		inventory_clear(&list);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strip), cmocka_unit_test(test_claims), cmocka_unit_test(test_cache),
		cmocka_unit_test(test_image_answers), cmocka_unit_test(test_resolver_answers), cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
