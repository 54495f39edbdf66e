/* SPDX-License-Identifier: GPL-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "daemon/places.h"

#define RESOLV_CONF	"/etc/resolv.conf"
/* systemd-resolved: the servers behind its stub at 127.0.0.53, which is what Docker gives to containers then. */
#define RESOLVED_CONF	"/run/systemd/resolve/resolv.conf"

static bool is_loopback(const struct dnet_addr *addr)
{
	static const struct dnet_addr loopback = { .byte = { [15] = 1 } };

	return addr_is_v4(addr) ? addr->byte[12] == 127 : addr_equal(addr, &loopback);
}

/* Returns whether there was a server at a loopback address. */
static bool read_servers(const char *path, struct resolvers *ret)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[256], server[128];
	bool loopback = false;

	while (file && fgets(line, sizeof(line), file)) {
		struct dnet_addr addr;

		if (sscanf(line, " nameserver %127s", server) != 1)
			continue;
		server[strcspn(server, "%")] = '\0';	/* fe80::1%eth0: the interface is ours, not the container's */
		if (text_parse_addr(server, &addr) < 0)
			continue;
		if (is_loopback(&addr))
			loopback = true;
		else if (ret->count < RESOLVERS_MAX)
			ret->addresses[ret->count++] = addr;
	}
	return loopback;
}

bool resolvers_update(struct resolvers *resolvers)
{
	struct resolvers found = {};
	struct stat file;
	bool changed;

	if (stat(RESOLV_CONF, &file) < 0)
		return false;
	found.changed = file.st_mtim;
	if (stat(RESOLVED_CONF, &file) == 0 &&
	    (file.st_mtim.tv_sec > found.changed.tv_sec ||
	     (file.st_mtim.tv_sec == found.changed.tv_sec && file.st_mtim.tv_nsec > found.changed.tv_nsec)))
		found.changed = file.st_mtim;
	if (found.changed.tv_sec == resolvers->changed.tv_sec && found.changed.tv_nsec == resolvers->changed.tv_nsec)
		return false;
	if (read_servers(RESOLV_CONF, &found) && !found.count)
		read_servers(RESOLVED_CONF, &found);
	changed = found.count != resolvers->count ||
		  memcmp(found.addresses, resolvers->addresses, found.count * sizeof(found.addresses[0])) != 0;
	*resolvers = found;
	return changed;
}
