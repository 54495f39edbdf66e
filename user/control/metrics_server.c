/* SPDX-License-Identifier: GPL-2.0 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "control/http_loop.h"
#include "control/server.h"

struct metrics_server {
	struct http_loop *loop;
	void (*collect)(void *context, struct metrics *metrics);
	void *context;
};

static enum MHD_Result respond_text(struct MHD_Connection *connection, unsigned int status, const char *text,
				    const char *allow)
{
	return http_respond(connection, status, "text/plain; charset=utf-8", strdup(text), strlen(text), allow);
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const struct http_request *request)
{
	struct metrics_server *server = context;
	struct metrics *metrics = NULL;
	const char *text = NULL;
	char *copy = NULL;
	size_t length = 0;

	if (strcmp(request->path, "/metrics") != 0)
		return respond_text(connection, MHD_HTTP_NOT_FOUND, "The metrics of dnetbpf are at /metrics.\n", NULL);
	/* The library sends no body in answer to HEAD. */
	if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
		return respond_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET is possible here.\n", "GET, HEAD");
	if (metrics_new(&metrics) == 0) {
		server->collect(server->context, metrics);
		text = metrics_text(metrics, &length);
	}
	if (text && (copy = malloc(length + 1)))
		memcpy(copy, text, length);
	metrics_free(metrics);
	return http_respond(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", copy, length, NULL);
}

static void addresses_free(struct addrinfo **addresses)
{
	if (*addresses)
		freeaddrinfo(*addresses);
}

/* "HOST:PORT", "[HOST]:PORT", ":PORT". @host: "" for all addresses. */
static int split(const char *address, char host[256], const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	const char *start = address, *end = colon;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
	    atoi(colon + 1) > 65535)
		return -EINVAL;
	if (*start == '[') {
		if (end == start || end[-1] != ']')
			return -EINVAL;
		start++;
		end--;
	} else if (memchr(start, ':', (size_t)(end - start))) {
		return -EINVAL;	/* an IPv6 address without brackets: where its port begins is anybody's guess */
	}
	if ((size_t)(end - start) >= 256)
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	*ret_port = colon + 1;
	return 0;
}

static int listen_at(const struct addrinfo *info, bool both_families, int *ret_fd)
{
	_cleanup_close_ int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, v6_only = !both_families;

	if (fd < 0)
		return -errno;
	/* A restarted daemon must get its port back although old connections are in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int listen_tcp(const char *address, int *ret_fd, struct error *error)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	_cleanup_(addresses_free) struct addrinfo *found = NULL;
	const char *port;
	char host[256];
	int r;

	if (split(address, host, &port) < 0)
		return error_set(error, -EINVAL, "--metrics %s: write ADDRESS:PORT, as in 127.0.0.1:9469, [::1]:9469 or :9469, "
				 "or off", address);
	/* All addresses: one IPv6 socket takes both families, unless the machine has no IPv6. */
	if (!*host)
		hints.ai_family = AF_INET6;
	for (;;) {
		r = getaddrinfo(*host ? host : NULL, port, &hints, &found);
		if (r)
			return error_set(error, -EINVAL, "--metrics %s: there is no such address (%s)", address, gai_strerror(r));
		r = listen_at(found, !*host, ret_fd);
		if (r != -EAFNOSUPPORT || *host || hints.ai_family == AF_INET)
			break;
		hints.ai_family = AF_INET;
		addresses_free(&found);
		found = NULL;
	}
	switch (r) {
	case 0:
		return 0;
	case -EADDRINUSE:
		return error_set(error, r, "--metrics %s: the port is in use; end the program that has it (ss -ltnp shows it), "
				 "or choose another with --metrics ADDRESS:PORT, or off", address);
	case -EADDRNOTAVAIL:
		return error_set(error, r, "--metrics %s: this machine has no such address; choose one of its own, or :PORT for "
				 "all", address);
	case -EACCES:
		return error_set(error, r, "--metrics %s: not allowed; ports below 1024 want root", address);
	default:
		return error_set(error, r, "--metrics %s: %s", address, strerror(-r));
	}
}

int metrics_server_new(struct event_base *base, const char *address, void (*collect)(void *context, struct metrics *metrics),
		       void *context, struct metrics_server **ret, struct error *error)
{
	struct metrics_server *server;
	int fd, r;

	r = listen_tcp(address, &fd, error);
	if (r < 0)
		return r;
	server = calloc(1, sizeof(*server));
	if (!server) {
		close(fd);
		return error_set(error, -ENOMEM, "out of memory");
	}
	server->collect = collect;
	server->context = context;
	r = http_loop_new(base, fd, answer, server, &server->loop, error);
	if (r < 0) {
		free(server);
		return error_prefix(error, r, "--metrics %s", address);
	}
	*ret = server;
	return 0;
}

void metrics_server_free(struct metrics_server *server)
{
	if (!server)
		return;
	http_loop_free(server->loop);
	free(server);
}
