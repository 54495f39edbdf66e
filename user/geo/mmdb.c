/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MaxMind's format (MaxMind DB file format specification, 2.0): a binary tree over the bits of the address whose leaves are
 * records. libmaxminddb reads nodes and records; the walk over the tree in the order of the addresses is ours.
 */
#include <errno.h>
#include <maxminddb.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/word.h"
#include "geo/private.h"

#define METADATA_MARK "\xab\xcd\xefMaxMind.com"
#define METADATA_ROOM (128 * 1024)	/* the specification: the mark is in the last 128 KiB */
#define CACHE_SIZE 4096

/* Most leaves share a few hundred records. */
struct cached {
	uint32_t offset;	/* + 1; 0: free */
	uint32_t country;
};

struct walk {
	const char *name;
	MMDB_s mmdb;
	bool open;
	enum dnet_set_family family;
	struct geo_builder builder;
	uint64_t visits;
	struct cached cache[CACHE_SIZE];
	struct error *error;
};

bool mmdb_is(const char *data, size_t length)
{
	size_t room = length < METADATA_ROOM ? length : METADATA_ROOM;

	return memmem(data + length - room, room, METADATA_MARK, strlen(METADATA_MARK)) != NULL;
}

static void walk_freep(struct walk **walk)
{
	if (!*walk)
		return;
	if ((*walk)->open)
		MMDB_close(&(*walk)->mmdb);
	geo_builder_clear(&(*walk)->builder);
	free(*walk);
}

static int file_error(const struct walk *walk, const char *sentence)
{
	return error_set_place(walk->error, -EINVAL, walk->name, 0, 0, 0, sentence);
}

static int damaged(const struct walk *walk, int status)
{
	char sentence[192];

	snprintf(sentence, sizeof(sentence), "this .mmdb is damaged or truncated: %s", MMDB_strerror(status));
	return file_error(walk, sentence);
}

/* 1: the record has no such text. */
static int read_code(const struct walk *walk, MMDB_entry_s *entry, const char *const *path, uint32_t *ret)
{
	MMDB_entry_data_s data;
	int status = MMDB_aget_value(entry, &data, path);
	char sentence[128];

	if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || (status == MMDB_SUCCESS && !data.has_data))
		return 1;
	if (status != MMDB_SUCCESS)
		return damaged(walk, status);
	if (data.type == MMDB_DATA_TYPE_UTF8_STRING && !data.data_size)
		return 1;
	if (data.type != MMDB_DATA_TYPE_UTF8_STRING || !country_is(data.utf8_string, data.data_size)) {
		snprintf(sentence, sizeof(sentence), "\"%s\" in a record is no country: two capital letters are expected",
			 data.type == MMDB_DATA_TYPE_UTF8_STRING ? word_print((struct word){ data.utf8_string, data.data_size }).text : "a number");
		return file_error(walk, sentence);
	}
	*ret = dnet_country(data.utf8_string);
	return 0;
}

static int read_country(struct walk *walk, MMDB_entry_s *entry, uint32_t *ret)
{
	static const char *const paths[][3] = { { "country", "iso_code", NULL }, { "country_code", NULL } };
	struct cached *cached = &walk->cache[entry->offset % CACHE_SIZE];
	uint32_t country = COUNTRY_UNKNOWN;

	if (cached->offset != entry->offset + 1) {
		int r = 1;

		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && r == 1; i++)
			r = read_code(walk, entry, paths[i], &country);
		if (r < 0)
			return r;
		*cached = (struct cached){ entry->offset + 1, country };
	}
	*ret = cached->country;
	return 0;
}

static int add_leaf(struct walk *walk, MMDB_entry_s *entry, addr_number first, unsigned int depth)
{
	unsigned int bits = walk->family == DNET_SET_V4 ? 32 : 128;
	/* A shift by all bits is not defined. */
	addr_number last = depth ? first | (((addr_number)1 << (bits - depth)) - 1) :
			   bits == 32 ? UINT32_MAX : ~(addr_number)0;
	uint32_t country;
	int r = read_country(walk, entry, &country);

	if (r == 0) {
		r = geo_builder_add(&walk->builder, first, last, country);
		if (r < 0)
			geo_builder_error(r, walk->name, walk->error);
	}
	return r;
}

/* How many nodes are visited. They may be linked from several places, as aliases are; circles would make the walk endless. */
static uint64_t walk_most(const struct walk *walk)
{
	return 8ull * walk->mmdb.metadata.node_count;
}

/* @depth: how many bits of @first are given. */
static int walk_node(struct walk *walk, uint32_t number, addr_number first, unsigned int depth)
{
	unsigned int bits = walk->family == DNET_SET_V4 ? 32 : 128;
	MMDB_search_node_s node;
	int status, r;

	if (depth == bits)
		return file_error(walk, "this .mmdb is damaged: its tree is deeper than an address has bits");
	if (++walk->visits > walk_most(walk))
		return file_error(walk, "this .mmdb is damaged: its tree goes in circles");
	status = MMDB_read_node(&walk->mmdb, number, &node);
	if (status != MMDB_SUCCESS)
		return damaged(walk, status);
	for (int bit = 0; bit < 2; bit++) {
		MMDB_entry_s entry = bit ? node.right_record_entry : node.left_record_entry;
		uint64_t record = bit ? node.right_record : node.left_record;
		addr_number at = first | (addr_number)bit << (bits - 1 - depth);

		switch (bit ? node.right_record_type : node.left_record_type) {
		case MMDB_RECORD_TYPE_SEARCH_NODE:
			/* The IPv4 part, which is linked at ::/96 and at what embeds IPv4 addresses (see geo.h). */
			if (walk->family == DNET_SET_V6 && record == walk->mmdb.ipv4_start_node.node_value)
				break;
			r = walk_node(walk, (uint32_t)record, at, depth + 1);
			if (r < 0)
				return r;
			break;
		case MMDB_RECORD_TYPE_DATA:
			r = add_leaf(walk, &entry, at, depth + 1);
			if (r < 0)
				return r;
			break;
		case MMDB_RECORD_TYPE_EMPTY:
			break;
		default:
			return damaged(walk, MMDB_CORRUPT_SEARCH_TREE_ERROR);
		}
	}
	return 0;
}

/* Where IPv4 is when the tree has no node of its own for it: all of it is one leaf. */
static int walk_v4_leaf(struct walk *walk)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int status;
	MMDB_lookup_result_s result = MMDB_lookup_sockaddr(&walk->mmdb, (struct sockaddr *)&any, &status);

	if (status != MMDB_SUCCESS)
		return damaged(walk, status);
	return result.found_entry ? add_leaf(walk, &result.entry, 0, 0) : 0;
}

static int walk_family(struct walk *walk, enum dnet_set_family family, bool *met, struct range_table *ret)
{
	uint32_t start = family == DNET_SET_V4 ? walk->mmdb.ipv4_start_node.node_value : 0;
	/* A visit ends in two leaves at most. */
	int r = geo_builder_begin(&walk->builder, family, 2 * (walk_most(walk) + 1), met);

	if (r < 0)
		return geo_builder_error(r, walk->name, walk->error);
	walk->family = family;
	walk->visits = 0;
	r = start < walk->mmdb.metadata.node_count ? walk_node(walk, start, 0, 0) : walk_v4_leaf(walk);
	if (r < 0)
		return r;
	if (!walk->builder.known)
		return file_error(walk, family == DNET_SET_V4 ? "no record of this .mmdb has a country for an IPv4 address" :
				  "no record of this .mmdb has a country for an IPv6 address");
	r = geo_builder_finish(&walk->builder, ret);
	return r < 0 ? geo_builder_error(r, walk->name, walk->error) : 0;
}

static int write_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t written = write(fd, data, length);

		if (written < 0)
			return -errno;
		data += written;
		length -= (size_t)written;
	}
	return 0;
}

/* libmaxminddb maps its file, and one on disk could become shorter under our hands: it gets a copy in memory. */
static int open_copy(struct walk *walk, const char *data, size_t length)
{
	_cleanup_close_ int fd = memfd_create("mmdb", MFD_CLOEXEC);
	char path[32], sentence[128];
	int r = fd < 0 ? -errno : write_all(fd, data, length);

	if (r < 0) {
		snprintf(sentence, sizeof(sentence), "cannot copy it to memory: %s", strerror(-r));
		return error_set_place(walk->error, r, walk->name, 0, 0, 0, sentence);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = MMDB_open(path, MMDB_MODE_MMAP, &walk->mmdb);
	if (r != MMDB_SUCCESS)
		return damaged(walk, r);
	walk->open = true;
	return 0;
}

int mmdb_parse(const char *name, const char *data, size_t length, bool *met, struct range_table *ret, char **ret_type,
	       uint64_t *ret_built, struct error *error)
{
	_cleanup_(walk_freep) struct walk *walk = calloc(1, sizeof(*walk));
	_cleanup_free_ char *type = NULL;
	struct range_table tables[DNET_SET_FAMILIES] = {};
	int r = 0;

	if (!walk)
		return error_set_place(error, -ENOMEM, name, 0, 0, 0, "out of memory");
	walk->name = name;
	walk->error = error;
	r = open_copy(walk, data, length);
	if (r < 0)
		return r;
	if (walk->mmdb.metadata.ip_version != 6)
		return file_error(walk, "this .mmdb has IPv4 addresses only, and every IPv6 address would be unknown: use one with both");
	type = strdup(walk->mmdb.metadata.database_type ? walk->mmdb.metadata.database_type : "");
	if (!type)
		return error_set_place(error, -ENOMEM, name, 0, 0, 0, "out of memory");
	for (int family = 0; family < DNET_SET_FAMILIES && r == 0; family++)
		r = walk_family(walk, (enum dnet_set_family)family, met, &tables[family]);
	if (r < 0) {
		range_table_clear(&tables[DNET_SET_V4]);
		return r;
	}
	memcpy(ret, tables, sizeof(tables));
	*ret_type = TAKE_PTR(type);
	*ret_built = walk->mmdb.metadata.build_epoch;
	return 0;
}
