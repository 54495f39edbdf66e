/* SPDX-License-Identifier: GPL-2.0 */
#include "config/static_entry.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/array.h"

#define MAX_LABELS	256	/* of one endpoint */
#define MAX_PORTS	4096	/* of one container */
#define MAX_RESOLVERS	16	/* of one container */

int static_copy_text(const struct document *document, const char *text, char **ret)
{
	char *copy = strdup(text);

	if (!copy)
		return document_no_memory(document);
	free(*ret);
	*ret = copy;
	return 0;
}

int static_read_word(const struct document *document, const struct node *key, const struct node *value, enum name_kind kind,
		     const char *what, char **ret)
{
	struct origin origin;
	struct place place;
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	place = node_place(document, value, &origin);
	r = name_require(&place, (struct word){ value->text, strlen(value->text) }, kind, what);
	return r < 0 ? r : static_copy_text(document, value->text, ret);
}

/* "web" or "shop/web". */
int static_read_service(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct entry *entry = target;
	struct origin origin;
	struct place place;
	struct word service, project;
	const char *slash;
	int r;

	r = node_require_text(document, key, value);
	if (r < 0)
		return r;
	place = node_place(document, value, &origin);
	service = (struct word){ value->text, strlen(value->text) };
	slash = strchr(value->text, '/');
	if (slash) {
		project = (struct word){ value->text, (size_t)(slash - value->text) };
		r = name_require(&place, project, NAME_EXACT, "a project");
		if (r < 0)
			return r;
		entry->container.project = word_copy(project);
		if (!entry->container.project)
			return document_no_memory(document);
		service = word_after(service, project.length + 1);
	}
	r = name_require(&place, service, NAME_EXACT, "a service");
	if (r < 0)
		return r;
	entry->container.service = word_copy(service);
	return entry->container.service ? 0 : document_no_memory(document);
}

int static_read_image(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct entry *entry = target;

	return static_read_word(document, key, value, NAME_VALUE, "an image", &entry->container.image);
}

int static_read_labels(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct entry *entry = target;
	struct container *container = &entry->container;

	if (value->kind != NODE_MAP)
		return node_error(document, value->null ? key : value, "\"labels\" must be a mapping, such as { app: web }");
	for (const struct node *name = value->child; name; name = name->next->next) {
		struct label label = { NULL, NULL };

		if (!*name->text)
			return node_error(document, name, "the name of a label is missing here");
		if (name->next->kind != NODE_SCALAR)
			return node_error(document, name->next, "the value of the label \"%s\" must be a text",
					  word_print((struct word){ name->text, strlen(name->text) }).text);
		if (container_label(container, name->text))
			return node_error(document, name, "the label \"%s\" is there twice",
					  word_print((struct word){ name->text, strlen(name->text) }).text);
		if (container->label_count == MAX_LABELS)
			return node_error(document, name, "more than %d labels of one endpoint", MAX_LABELS);
		if (array_grow(container->labels, container->label_count) < 0)
			return document_no_memory(document);
		label.key = strdup(name->text);
		label.value = strdup(name->next->text);
		container->labels[container->label_count++] = label;
		if (!label.key || !label.value)
			return document_no_memory(document);
	}
	return 0;
}

/* A port, or a range. */
static bool read_range(struct word word, unsigned int *first, unsigned int *last)
{
	struct word begin = word_until(word, '-');
	uint64_t low, high;

	if (!word_number(begin, UINT16_MAX, &low) || low < 1 || low > UINT16_MAX)
		return false;
	high = low;
	if (begin.length < word.length &&
	    (!word_number(word_after(word, begin.length + 1), UINT16_MAX, &high) || high < low || high > UINT16_MAX))
		return false;
	*first = (unsigned int)low;
	*last = (unsigned int)high;
	return true;
}

/* The last colon divides the container's ports from the host's, and the one before these from the address. */
bool static_parse_port(const char *text, struct published_port *port, unsigned int *ret_count)
{
	static const struct { const char *name; uint8_t proto; } protos[] = {
		{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP },
	};
	unsigned int host_first, host_last, first, last;
	struct word word = word_of(text), ports = word_until(word, '/'), host;
	const char *colon = memrchr(ports.begin, ':', ports.length), *address_end;
	char address[TEXT_ADDR_SIZE];
	size_t length;

	if (!colon)
		return false;
	port->proto = ports.length == word.length ? IPPROTO_TCP : 0;
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (ports.length < word.length && word_is(word_after(word, ports.length + 1), protos[i].name))
			port->proto = protos[i].proto;
	host = (struct word) { ports.begin, (size_t)(colon - ports.begin) };
	address_end = memrchr(host.begin, ':', host.length);
	if (!port->proto || !read_range(word_after(ports, host.length + 1), &first, &last) ||
	    !read_range(word_after(host, address_end ? (size_t)(address_end - host.begin) + 1 : 0), &host_first, &host_last) ||
	    last - first != host_last - host_first)
		return false;
	port->port = (uint16_t)first;
	port->host_port = (uint16_t)host_first;
	*ret_count = last - first + 1;
	if (!address_end)
		return true;
	length = (size_t)(address_end - host.begin);
	if (length >= 2 && *host.begin == '[' && address_end[-1] == ']') {
		host.begin++;
		length -= 2;
	}
	if (length >= sizeof(address))
		return false;
	memcpy(address, host.begin, length);
	address[length] = '\0';
	return text_parse_addr(address, &port->host_addr) == 0;
}

int static_read_ports(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct container *container = &((struct entry *)target)->container;
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		struct published_port port = { .port = 0 };
		unsigned int count;

		if (item->kind != NODE_SCALAR || !static_parse_port(item->text, &port, &count))
			return node_error(document, item, "this is not a published port: write HOST-PORT:PORT/PROTO, such as \"8080:80/tcp\", "
					  "\"198.18.0.1:5000-5010:5000-5010/udp\" or \"[2001:db8::1]:443:443\"");
		for (; count--; port.port++, port.host_port++) {
			if (container->port_count == MAX_PORTS)
				return node_error(document, item, "more than %d published ports of one container", MAX_PORTS);
			if (array_grow(container->ports, container->port_count) < 0)
				return document_no_memory(document);
			container->ports[container->port_count++] = port;
		}
	}
	return 0;
}

int static_read_resolvers(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct container *container = &((struct entry *)target)->container;
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next) {
		struct dnet_addr addr;

		if (item->kind != NODE_SCALAR || text_parse_addr(item->text, &addr) < 0)
			return node_error(document, item, "this is not a resolver: write its address, such as 198.18.0.53 or \"2001:db8::53\"");
		if (container->resolver_count == MAX_RESOLVERS)
			return node_error(document, item, "more than %d resolvers of one container", MAX_RESOLVERS);
		if (array_grow(container->resolvers, container->resolver_count) < 0)
			return document_no_memory(document);
		container->resolvers[container->resolver_count++] = addr;
	}
	return 0;
}

int static_read_image_labels(const struct document *document, const struct node *key, const struct node *value, void *target)
{
	struct container *container = &((struct entry *)target)->container;
	size_t count = 0;
	int r;

	r = node_require_list(document, key, value);
	if (r < 0)
		return r;
	for (const struct node *item = value->child; item; item = item->next)
		count++;
	if (count > MAX_LABELS)
		return node_error(document, value, "more than %d labels of one image", MAX_LABELS);
	container->image_labels = count ? calloc(count + 1, sizeof(*container->image_labels)) : NULL;
	if (count && !container->image_labels)
		return document_no_memory(document);
	count = 0;
	for (const struct node *item = value->child; item; item = item->next) {
		if (item->kind != NODE_SCALAR || !*item->text)
			return node_error(document, item, "this is not the name of a label");
		container->image_labels[count] = strdup(item->text);
		if (!container->image_labels[count++])
			return document_no_memory(document);
	}
	return 0;
}

static bool same_labels(const struct container *a, const struct container *b)
{
	if (a->label_count != b->label_count)
		return false;
	for (size_t i = 0; i < a->label_count; i++) {
		const char *value = container_label(b, a->labels[i].key);

		if (!value || strcmp(a->labels[i].value, value) != 0)
			return false;
	}
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int static_check_again(const struct document *document, const struct node *item, const struct container *known,
		       const struct container *again)
{
	const char *differs = NULL;

	if (again->service && (!same_text(known->service, again->service) || !same_text(known->project, again->project)))
		differs = "service";
	else if (again->image && !same_text(known->image, again->image))
		differs = "image";
	else if (again->label_count && !same_labels(known, again))
		differs = "labels";
	else if (again->port_count && !container_same_ports(known, again))
		differs = "ports";
	else if (again->resolver_count && !container_same_resolvers(known, again))
		differs = "resolvers";
	if (!differs)
		return 0;
	return node_error(document, node_find(item, differs), "the first entry of the container \"%s\" has another value of \"%s\": "
			  "write it there, and only there", known->name, differs);
}
