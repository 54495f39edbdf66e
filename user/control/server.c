/* SPDX-License-Identifier: GPL-2.0 */
#include "control/server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "control/event_stream.h"
#include "control/http_loop.h"

#define EVENTS_PATH "/v1/events"

struct control_server {
	struct http_loop *loop;
	struct event_streams *streams;
	const struct control_route *routes;
	void *context;
	char *path;
	dev_t device;	/* of the socket file that we made: another daemon's is not removed */
	ino_t inode;
};

static const struct {
	int code;
	unsigned int status;
} statuses[] = {
	{ 0, MHD_HTTP_OK }, { -EINVAL, MHD_HTTP_BAD_REQUEST }, { -EACCES, MHD_HTTP_FORBIDDEN },
	{ -ENOENT, MHD_HTTP_NOT_FOUND }, { -EBUSY, MHD_HTTP_CONFLICT }, { -EAGAIN, MHD_HTTP_SERVICE_UNAVAILABLE },
};

static unsigned int status_of(int code)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].code == code)
			return statuses[i].status;
	return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static enum MHD_Result respond_json(struct MHD_Connection *connection, unsigned int status, const json_t *body,
				    const char *allow)
{
	char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	return http_respond(connection, status, "application/json", text, text ? strlen(text) : 0, allow);
}

static enum MHD_Result respond_error(struct MHD_Connection *connection, unsigned int status, const char *sentence,
				     const char *allow)
{
	json_t *body = json_pack("{s:s}", "error", sentence);
	enum MHD_Result result = respond_json(connection, status, body, allow);

	json_decref(body);
	return result;
}

/* Beside the mode of the file, which an administrator may have opened further than meant. */
static int check_peer(const struct control_server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	_cleanup_free_ gid_t *groups = NULL;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct stat file;

	if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -EACCES;
	if (peer.uid == 0 || peer.uid == geteuid())
		return 0;
	/* Asked each time, so that a chgrp of the socket counts at once. */
	if (stat(server->path, &file) < 0)
		return -EACCES;
	if (peer.gid == file.st_gid)
		return 0;
	size = 0;
	if (getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE || !size)
		return -EACCES;
	groups = malloc(size);
	if (!groups || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return -EACCES;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == file.st_gid)
			return 0;
	return -EACCES;
}

static enum MHD_Result call_route(const struct control_server *server, const struct control_route *route,
				  struct MHD_Connection *connection, const struct http_request *request)
{
	json_t *argument = NULL, *body = NULL;
	struct error error = {};
	json_error_t where;
	enum MHD_Result result;
	int r;

	if (request->body) {
		argument = json_loadb(request->body, request->length, JSON_REJECT_DUPLICATES, &where);
		if (!argument) {
			error_set(&error, -EINVAL, "the request's body is no JSON (line %d, column %d: %s)", where.line,
				  where.column, where.text);
			return respond_error(connection, MHD_HTTP_BAD_REQUEST, error.text, NULL);
		}
	}
	r = route->handle(server->context, argument, &body, &error);
	json_decref(argument);
	if (r < 0)
		return respond_error(connection, status_of(r), error.text[0] ? error.text : strerror(-r), NULL);
	result = respond_json(connection, MHD_HTTP_OK, body, NULL);
	json_decref(body);
	return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const struct http_request *request)
{
	struct control_server *server = context;
	const char *allow = NULL;
	struct error error = {};

	if (check_peer(server, connection) < 0)
		return respond_error(connection, MHD_HTTP_FORBIDDEN,
				     "only root and members of the socket's group may talk to the daemon", NULL);
	if (request->too_long)
		return respond_error(connection, MHD_HTTP_CONTENT_TOO_LARGE, "the request's body is longer than 1 MiB", NULL);
	if (strcmp(request->path, EVENTS_PATH) == 0) {
		enum MHD_Result result;
		int r;

		if (strcmp(request->method, "GET") != 0)
			return respond_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET is possible here", "GET");
		r = event_streams_answer(server->streams, connection, &result, &error);
		return r < 0 ? respond_error(connection, status_of(r), error.text, NULL) : result;
	}
	for (const struct control_route *route = server->routes; route->method; route++) {
		if (strcmp(route->path, request->path) != 0)
			continue;
		if (strcmp(route->method, request->method) == 0)
			return call_route(server, route, connection, request);
		allow = route->method;
	}
	if (allow) {
		error_set(&error, 0, "only %s is possible here", allow);
		return respond_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, error.text, allow);
	}
	error_set(&error, 0, "the daemon has nothing at %.200s; command and daemon may be of different versions", request->path);
	return respond_error(connection, MHD_HTTP_NOT_FOUND, error.text, NULL);
}

static int make_parents(const char *path, struct error *error)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return error_set(error, -ENOMEM, "out of memory");
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return error_set(error, -errno, "cannot make the directory %s for the control socket: %s; choose "
					 "another place with --control", copy, strerror(errno));
		*slash = '/';
	}
	return 0;
}

static int replace_stale(const struct sockaddr_un *address, struct error *error)
{
	_cleanup_close_ int fd = -1;
	struct stat file;

	if (lstat(address->sun_path, &file) < 0)
		return errno == ENOENT ? 0 : error_set(error, -errno, "cannot look at %s: %s", address->sun_path,
						       strerror(errno));
	if (!S_ISSOCK(file.st_mode))
		return error_set(error, -EEXIST, "%s exists and is no socket; remove it, or choose another path with --control",
				 address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(error, -errno, "cannot open a socket: %s", strerror(errno));
	/* EAGAIN: somebody listens, and is only too busy to accept. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return error_set(error, -EADDRINUSE, "another daemon answers at %s; stop it, or choose another path with "
				 "--control", address->sun_path);
	if (errno != ECONNREFUSED)
		return error_set(error, -errno, "cannot find out whether a daemon listens at %s: %s", address->sun_path,
				 strerror(errno));
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return error_set(error, -errno, "cannot remove the old socket %s: %s", address->sun_path, strerror(errno));
	return 0;
}

static int listen_unix(const char *path, int *ret_fd, struct stat *ret_file, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	struct stat file;
	int r;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return error_set(error, -ENAMETOOLONG, "the control socket's path must have 1 to %zu bytes: %s",
				 sizeof(address.sun_path) - 1, path);
	strcpy(address.sun_path, path);
	r = make_parents(path, error);
	if (r < 0)
		return r;
	r = replace_stale(&address, error);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(error, -errno, "cannot open a socket: %s", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(error, -errno, "cannot make the control socket %s: %s", path, strerror(errno));
	/* Nobody can connect before listen(), so the mode is in force in time whatever the umask was; changing the umask
	 * itself would reach every thread of the daemon. */
	if (chmod(path, 0660) < 0 || lstat(path, &file) < 0 || listen(fd, SOMAXCONN) < 0) {
		r = -errno;
		unlink(path);
		return error_set(error, r, "cannot listen at the control socket %s: %s", path, strerror(-r));
	}
	*ret_fd = TAKE_FD(fd);
	*ret_file = file;
	return 0;
}

int control_server_new(struct event_base *base, const char *path, const struct control_route *routes, void *context,
		       struct history *history, struct control_server **ret, struct error *error)
{
	struct control_server *server = calloc(1, sizeof(*server));
	struct stat file = { 0 };
	int fd = -1, r;

	if (!server || !(server->path = strdup(path)) || event_streams_new(base, history, &server->streams) < 0) {
		control_server_free(server);
		return error_set(error, -ENOMEM, "out of memory");
	}
	server->routes = routes;
	server->context = context;
	r = listen_unix(path, &fd, &file, error);
	if (r < 0) {
		control_server_free(server);
		return r;
	}
	server->device = file.st_dev;
	server->inode = file.st_ino;
	r = http_loop_new(base, fd, answer, server, &server->loop, error);
	if (r < 0) {
		control_server_free(server);
		return error_prefix(error, r, "the control socket %s", path);
	}
	event_streams_set_loop(server->streams, server->loop);
	*ret = server;
	return 0;
}

void control_server_free(struct control_server *server)
{
	struct stat file;

	if (!server)
		return;
	/* The file goes first: who still finds it would connect to a listener that no longer answers. */
	if (server->inode && lstat(server->path, &file) == 0 && file.st_dev == server->device && file.st_ino == server->inode)
		unlink(server->path);
	if (server->loop) {
		event_streams_end(server->streams);
		http_loop_free(server->loop);
	}
	event_streams_free(server->streams);
	free(server->path);
	free(server);
}
