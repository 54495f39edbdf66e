/* SPDX-License-Identifier: GPL-2.0 */
/* Rules by hand, and the end of rules that are for a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "config/hand_rules.h"
#include "config/rule.h"
#include "daemon/policies.h"
#include "daemon/reconcile.h"

#define LONGEST_SECONDS (10ll * 365 * 86400)
#define RETRY_SECONDS 5

char *by_hand_path(const char *config_path)
{
	const char *slash = strrchr(config_path, '/');
	char *path;

	if (asprintf(&path, "%.*spolicy.d/" HAND_RULES_FILE, slash ? (int)(slash - config_path + 1) : 0, config_path) < 0)
		return NULL;
	return path;
}

/* The folder of the file, and that one's: on a host without any configuration neither is there. */
static int make_folders(const char *path, struct error *error)
{
	_cleanup_free_ char *folder = strdup(path);
	char *end, *parent;

	if (!folder)
		return error_set(error, -ENOMEM, "out of memory");
	end = strrchr(folder, '/');
	*end = '\0';
	parent = strrchr(folder, '/');
	if (parent && parent != folder) {
		*parent = '\0';
		if (mkdir(folder, 0755) < 0 && errno != EEXIST)
			return error_set(error, -errno, "cannot make the folder %s for rules by hand: %s", folder, strerror(errno));
		*parent = '/';
	}
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return error_set(error, -errno, "cannot make the folder %s for rules by hand: %s; it must belong to root", folder,
				 strerror(errno));
	return 0;
}

/* --- the file as it was, in case that the new one cannot be put in force ---------- */

struct backup {
	char *text;	/* NULL: there was no file */
	size_t length;
};

static void backup_clear(struct backup *backup)
{
	free(backup->text);
}

static int back_up(const char *path, struct backup *ret, struct error *error)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat file;
	ssize_t length;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &file) < 0)
		return error_set(error, -errno, "cannot read %s: %s", path, strerror(errno));
	ret->text = malloc(file.st_size + 1);
	if (!ret->text)
		return error_set(error, -ENOMEM, "out of memory");
	length = read(fd, ret->text, file.st_size);
	if (length != file.st_size)
		return error_set(error, -EIO, "cannot read %s", path);
	ret->length = length;
	return 0;
}

static int restore(const char *path, const struct backup *backup)
{
	if (!backup->text)
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	return file_replace(path, backup->text, backup->length);
}

/* --- the control route ------------------------------------------------------------ */

struct wish {
	const char *container, *rule;
	uint64_t until_unix_ns;
	bool remove;
	char *name;	/* of the policy that was made; owned */
};

static int change_file(struct daemon *daemon, struct wish *wish, struct error *error)
{
	const struct origin origin = { .file = (char *)"rule", .line = 0, .column = 1 };
	const char *path = daemon->policy.hand_path;
	enum dnet_direction direction;
	struct rule rule;
	int r;

	if (wish->remove)
		return hand_rules_remove(path, wish->container, wish->rule, error);
	r = rule_parse_either(wish->rule, &origin, &direction, &rule, error);
	if (r < 0)
		return r;
	rule_clear(&rule);
	return hand_rules_add(path, wish->container, direction, wish->rule, wish->until_unix_ns, &wish->name, error);
}

static int change(struct daemon *daemon, struct wish *wish, struct error *error)
{
	_cleanup_(backup_clear) struct backup backup = {};
	const char *path = daemon->policy.hand_path;
	int r = policies_check_pending(daemon, error);

	if (r == 0)
		r = make_folders(path, error);
	if (r == 0)
		r = back_up(path, &backup, error);
	if (r == 0)
		r = change_file(daemon, wish, error);
	if (r < 0)
		return r;
	r = policies_reread(daemon, wish->remove ? "a rule by hand was removed" : "a rule by hand", error);
	if (r < 0) {
		/* What the file says is to be what is in force. */
		int undone = restore(path, &backup);

		if (undone < 0)
			log_error("cannot put %s back as it was: %s", path, strerror(-undone));
	}
	return r;
}

int by_hand_request(void *context, const json_t *request, json_t **ret, struct error *error)
{
	struct daemon *daemon = context;
	json_int_t seconds = json_integer_value(json_object_get(request, "seconds"));
	struct wish wish = {
		.container = json_string_value(json_object_get(request, "container")),
		.rule = json_string_value(json_object_get(request, "rule")),
		.remove = json_is_true(json_object_get(request, "remove")),
	};
	int r;

	if (!wish.container || !*wish.container || !wish.rule)
		return error_set(error, -EINVAL, "a rule by hand needs a \"container\" and a \"rule\"");
	if (seconds < 0 || seconds > LONGEST_SECONDS)
		return error_set(error, -EINVAL, "a rule can be for 1 second to 10 years, or for ever (0 \"seconds\")");
	if (seconds)
		wish.until_unix_ns = unix_ns() + (uint64_t)seconds * 1000000000ull;
	r = change(daemon, &wish, error);
	if (r < 0) {
		free(wish.name);
		return r;
	}
	*ret = policies_answer(daemon, true);
	if (*ret && wish.name)
		json_object_set_new(*ret, "name", json_string(wish.name));
	if (*ret && !wish.remove && daemon->inventory && !strpbrk(wish.container, "*?") &&
	    !inventory_container_named(daemon->inventory, wish.container))
		json_object_set_new(*ret, "note", json_sprintf("no container is called %s now: the rule waits for it", wish.container));
	free(wish.name);
	return *ret ? 0 : error_set(error, -ENOMEM, "out of memory");
}

/* --- the clock ----------------------------------------------------------------- */

static uint64_t next_end(const struct policy_set *set, uint64_t after)
{
	uint64_t next = 0;

	for (size_t i = 0; i < set->policy_count; i++) {
		uint64_t until = set->policies[i].until_unix_ns;

		if (until > after && (!next || until < next))
			next = until;
	}
	return next;
}

void by_hand_plan(struct daemon *daemon)
{
	struct policies_state *state = &daemon->policy;
	uint64_t now = unix_ns();
	struct timeval pause = {};

	if (!state->expiry_timer)
		return;
	evtimer_del(state->expiry_timer);
	state->next_end_unix_ns = next_end(daemon->policies, state->compiled_unix_ns);
	if (!state->next_end_unix_ns)
		return;
	if (state->next_end_unix_ns > now) {
		pause.tv_sec = (state->next_end_unix_ns - now) / 1000000000ull;
		pause.tv_usec = (state->next_end_unix_ns - now) % 1000000000ull / 1000 + 1;
	}
	evtimer_add(state->expiry_timer, &pause);
}

/*
 * A rule's time is over. What is in force comes first, whatever the files look like: an allow must not outlive its time because
 * somebody is editing. Then the file is cleaned, and read.
 */
void by_hand_expire(evutil_socket_t fd, short what, void *context)
{
	struct daemon *daemon = context;
	struct policies_state *state = &daemon->policy;
	const struct timeval retry = { .tv_sec = RETRY_SECONDS };
	struct in_force same = enforce_now(daemon), before;
	struct error error = {};
	uint64_t now = unix_ns();
	int r;

	(void)fd;
	(void)what;
	if (!state->next_end_unix_ns || now < state->next_end_unix_ns) {
		by_hand_plan(daemon);
		return;
	}
	if (enforce_switch(daemon, &same, &before, &error) < 0) {
		log_error("rules whose time is over are still in force: %s", error.text);
		evtimer_add(state->expiry_timer, &retry);
		return;
	}
	log_info("rules whose time is over are no longer in force");
	by_hand_plan(daemon);
	r = hand_rules_expire(state->hand_path, now, &error);
	if (r < 0)
		log_warning("%s", error.text);
	/* While something waits for a confirmation the file alone is cleaned. */
	else if (r > 0 && !state->confirm_until_unix_ns && policies_reread(daemon, "rules by hand that are over were removed", &error) < 0)
		log_warning("%s", error.text);
}
