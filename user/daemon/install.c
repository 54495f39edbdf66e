/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/install.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/arena.h"

static void peer_key(const struct install *install, const struct compiled_peer *peer, struct dnet_peer_key *ret)
{
	*ret = (struct dnet_peer_key){ install->arena * DNET_MAX_RULESETS + peer->ruleset, peer->kind, peer->id };
}

static void prefix_key(const struct install *install, const struct compiled_prefix *prefix, struct dnet_prefix_key *ret)
{
	*ret = (struct dnet_prefix_key){
		.prefix_len = 32 + prefix->prefix_len,
		.ruleset_be = htonl(install->arena * DNET_MAX_RULESETS + prefix->ruleset),
		.addr = prefix->addr,
	};
}

static int set_peer(const struct install *install, struct dataplane *dataplane, const struct compiled_peer *peer)
{
	struct dnet_peer_key key;

	peer_key(install, peer, &key);
	return map_set(dataplane->peer_rows_fd, &key, &peer->row);
}

static void delete_peer(const struct install *install, struct dataplane *dataplane, const struct compiled_peer *peer)
{
	struct dnet_peer_key key;

	peer_key(install, peer, &key);
	map_delete(dataplane->peer_rows_fd, &key);
}

void install_withdraw(struct install *install, struct dataplane *dataplane)
{
	for (size_t i = 0; i < install->peer_count; i++)
		delete_peer(install, dataplane, &install->peers[i]);
	for (size_t i = 0; i < install->prefix_count; i++) {
		struct dnet_prefix_key key;

		prefix_key(install, &install->prefixes[i], &key);
		map_delete(dataplane->prefix_rows_fd, &key);
	}
	install_clear(install);
}

void install_clear(struct install *install)
{
	free(install->peers);
	free(install->prefixes);
	memset(install, 0, sizeof(*install));
}

/* --- what an earlier daemon left -------------------------------------------- */

struct adoption {
	struct install *install;
	struct dataplane *dataplane;
	size_t peer_room;
};

static void adopt_peer(void *context, const void *entry)
{
	struct adoption *adoption = context;
	struct install *install = adoption->install;
	struct dnet_peer_key key;

	memcpy(&key, entry, sizeof(key));
	if (key.ruleset / DNET_MAX_RULESETS != install->arena ||
	    array_grow((void **)&install->peers, &adoption->peer_room, install->peer_count, sizeof(*install->peers)) < 0) {
		map_delete(adoption->dataplane->peer_rows_fd, &key);
		return;
	}
	install->peers[install->peer_count++] =
		(struct compiled_peer){ .ruleset = key.ruleset % DNET_MAX_RULESETS, .kind = key.kind, .id = key.id };
}

static void adopt_prefix(void *context, const void *entry)
{
	struct adoption *adoption = context;
	struct install *install = adoption->install;
	struct dnet_prefix_key key;
	uint32_t ruleset;

	memcpy(&key, entry, sizeof(key));
	ruleset = ntohl(key.ruleset_be);
	if (ruleset / DNET_MAX_RULESETS != install->arena ||
	    array_grow((void **)&install->prefixes, &install->prefix_room, install->prefix_count, sizeof(*install->prefixes)) < 0) {
		map_delete(adoption->dataplane->prefix_rows_fd, &key);
		return;
	}
	install->prefixes[install->prefix_count++] = (struct compiled_prefix){
		.ruleset = ruleset % DNET_MAX_RULESETS, .addr = key.addr, .prefix_len = key.prefix_len - 32,
	};
}

void install_adopt(struct install *install, struct dataplane *dataplane)
{
	struct adoption adoption = { .install = install, .dataplane = dataplane };

	install_clear(install);
	install->arena = dataplane_arena(dataplane);
	map_for_each_key(dataplane->peer_rows_fd, sizeof(struct dnet_peer_key), adopt_peer, &adoption);
	map_for_each_key(dataplane->prefix_rows_fd, sizeof(struct dnet_prefix_key), adopt_prefix, &adoption);
}

/* --- from a compiler --------------------------------------------------------- */

static int compare_peers(const void *x, const void *y)
{
	const struct compiled_peer *a = x, *b = y;

	if (a->ruleset != b->ruleset)
		return a->ruleset < b->ruleset ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Both lists are sorted: one walk finds what came, changed and went. */
static int apply_peers(struct install *install, struct dataplane *dataplane, const struct compiled_tables *tables, struct error *error)
{
	struct compiled_peer *wanted = malloc((tables->peer_count + install->peer_count + 1) * sizeof(*wanted));
	size_t i = 0, j = 0, count = tables->peer_count;
	int r = 0;

	if (!wanted)
		return error_set(error, -ENOMEM, "out of memory");
	if (tables->peer_count)
		memcpy(wanted, tables->peers, tables->peer_count * sizeof(*wanted));
	while (r == 0 && (i < tables->peer_count || j < install->peer_count)) {
		int order = i >= tables->peer_count ? 1 : j >= install->peer_count ? -1 : compare_peers(&wanted[i], &install->peers[j]);

		if (order < 0) {
			r = set_peer(install, dataplane, &wanted[i++]);
		} else if (order > 0) {
			delete_peer(install, dataplane, &install->peers[j++]);
		} else {
			if (wanted[i].row != install->peers[j].row)
				r = set_peer(install, dataplane, &wanted[i]);
			i++;
			j++;
		}
	}
	if (r < 0) {
		/* The list then names all that may be there, with rows that no ruleset has: the next try writes and deletes it. */
		for (; j < install->peer_count; j++)
			wanted[count++] = install->peers[j];
		qsort(wanted, count, sizeof(*wanted), compare_peers);
		for (i = j = 0; i < count; i++) {
			if (j && compare_peers(&wanted[j - 1], &wanted[i]) == 0)
				continue;
			wanted[j] = wanted[i];
			wanted[j++].row = UINT32_MAX;
		}
		count = j;
		error_set(error, r, "cannot enter a container name into the kernel's tables: %s", strerror(-r));
	}
	free(install->peers);
	install->peers = wanted;
	install->peer_count = count;
	return r;
}

static int apply_prefixes(struct install *install, struct dataplane *dataplane, const struct compiled_tables *tables,
			  struct error *error)
{
	while (install->prefix_count < tables->prefix_count) {
		const struct compiled_prefix *prefix = &tables->prefixes[install->prefix_count];
		struct dnet_prefix_key key;
		int r = array_grow((void **)&install->prefixes, &install->prefix_room, install->prefix_count, sizeof(*prefix));

		prefix_key(install, prefix, &key);
		if (r == 0)
			r = map_set(dataplane->prefix_rows_fd, &key, &prefix->row);
		if (r < 0)
			return error_set(error, r, "cannot enter an address prefix into the kernel's tables: %s", strerror(-r));
		install->prefixes[install->prefix_count++] = *prefix;
	}
	return 0;
}

/* Append what the kernel's array does not have yet of the compiler's. */
static void append(void *kernel, const void *tables, size_t *done, size_t count, size_t size)
{
	if (count > *done)
		memcpy((uint8_t *)kernel + *done * size, (const uint8_t *)tables + *done * size, (count - *done) * size);
	*done = count;
}

int install_apply(struct install *install, struct dataplane *dataplane, const struct compiler *compiler, struct error *error)
{
	size_t arena = install->arena;
	struct compiled_tables tables;
	int r;

	compiler_tables(compiler, &tables);
	append(dataplane->rows + arena * DNET_MAX_ROW_WORDS, tables.rows, &install->row_words, tables.row_words, sizeof(*tables.rows));
	append(dataplane->bounds + arena * DNET_MAX_BOUNDS, tables.bounds, &install->bounds, tables.bound_count, sizeof(*tables.bounds));
	append(dataplane->limits + arena * DNET_MAX_LIMITS, tables.limits, &install->limits, tables.limit_count,
	       sizeof(*tables.limits));
	append(dataplane->rules + arena * DNET_MAX_RULE_ENTRIES, tables.rules, &install->rules, tables.rule_count, sizeof(*tables.rules));
	__atomic_thread_fence(__ATOMIC_RELEASE);
	append(dataplane->rulesets + arena * DNET_MAX_RULESETS, tables.rulesets, &install->rulesets, tables.ruleset_count,
	       sizeof(*tables.rulesets));
	r = apply_prefixes(install, dataplane, &tables, error);
	if (r == 0)
		r = apply_peers(install, dataplane, &tables, error);
	return r;
}
