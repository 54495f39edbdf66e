/* SPDX-License-Identifier: GPL-2.0 */
/* What can be said of policies without knowing what runs. */
#include "check/lint.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/word.h"
#include "check/private.h"
#include "compile/limits.h"

void lint_warn(struct diagnostics *diagnostics, const char *name, const struct origin *origin, char *fix, const char *format, ...)
{
	_cleanup_free_ char *sentence = NULL, *owned = fix;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&sentence, format, arguments) < 0)
		sentence = NULL;
	va_end(arguments);
	if (sentence)
		diagnostics_add_warning(diagnostics, name, origin->file, origin->line, origin->column, owned, "%s", sentence);
}

void lint_error(struct diagnostics *diagnostics, const struct origin *origin, const char *format, ...)
{
	struct error error = {}, sentence = {};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence.text, sizeof(sentence.text), format, arguments);
	va_end(arguments);
	error_set_place(&error, -EINVAL, origin->file, origin->line, origin->column, 0, sentence.text);
	diagnostics_add_error(diagnostics, &error);
}

const char *lint_line(const struct origin *of, const struct origin *from, char *buffer, size_t size)
{
	if (strcmp(of->file, from->file) != 0)
		snprintf(buffer, size, " in line %u of %s", of->line, of->file);
	else if (of->line != from->line)
		snprintf(buffer, size, " in line %u", of->line);
	else
		snprintf(buffer, size, " before it");
	return buffer;
}

struct lint_list lint_list_of(const struct policy *policy, enum dnet_direction direction, bool label, char *name, size_t size)
{
	snprintf(name, size, "%s %s", label ? "the service" : "the policy", policy->name);
	return (struct lint_list){ .rules = &policy->direction[direction], .direction = direction, .whose = name,
				   .governs = !policy->override && !policy->labels_add, .label = label };
}

/* --- rules that can never match */

/* @before: what is asked before the list, from other policies; there is room for the list's own rules behind them. */
static void check_covered(const struct lint_list *list, struct listed_rule *before, size_t count, struct diagnostics *diagnostics)
{
	size_t others = count;

	for (size_t i = 0; i < list->rules->count; before[count++].rule = &list->rules->rules[i++]) {
		const struct rule *rule = &list->rules->rules[i];
		const struct listed_rule *by = NULL;
		unsigned int needed = rules_cover(before, count, rule, &by);
		char line[320], whose[96] = "", text[80];
		char *fix = NULL;

		before[count].policy = NULL;
		if (!needed)
			continue;
		if (needed > 1) {
			lint_warn(diagnostics, LINT_NEVER, &rule->origin, fix_remove(list, i),
				  "this rule never matches: rules before it decide all that it names; move it up, or leave it out");
			continue;
		}
		/* The reader of the file has said it already. */
		if (!list->label && by >= before + others && strcmp(by->rule->text, rule->text) == 0)
			continue;
		lint_line(&by->rule->origin, &rule->origin, line, sizeof(line));
		if (by->policy)
			snprintf(whose, sizeof(whose), " of the policy %s", by->policy);
		snprintf(text, sizeof(text), "%s", by->rule->text);
		if (strlen(by->rule->text) >= sizeof(text))
			strcpy(text + sizeof(text) - 4, "...");
		if (by->rule->action == rule->action) {
			lint_warn(diagnostics, LINT_NEVER, &rule->origin, fix_remove(list, i),
				  "this rule never decides: \"%s\"%s%s says the same of all that it names; leave it out", text, line, whose);
			continue;
		}
		if (by >= before + others)
			fix = fix_move(list, i, (size_t)(by->rule - list->rules->rules));
		lint_warn(diagnostics, LINT_NEVER, &rule->origin, fix, "this rule never matches: \"%s\"%s%s comes first and %s all that it "
			  "names; move it above that one", text, line, whose, by->rule->action == DNET_RULE_ALLOW ? "allows" : "denies");
	}
}

/* --- directions that only deny */

static bool denies_everybody(const struct rule *rule)
{
	bool everybody = false, everything = false;

	for (size_t i = 0; i < rule->peer_count; i++)
		everybody = everybody || rule->peers[i].kind == PEER_ANY;
	for (size_t i = 0; i < rule->match_count; i++)
		everything = everything || (rule->matches[i].first == 0 && rule->matches[i].last == DNET_SELECTOR_MAX);
	return rule->action == DNET_RULE_DENY && everybody && everything && !rule->network;
}

static bool allows_something(const struct rule_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->rules[i].action == DNET_RULE_ALLOW)
			return true;
	return false;
}

void lint_only_denies(const struct lint_list *list, const char *container, struct diagnostics *diagnostics)
{
	const struct rule_list *rules = list->rules;
	bool ingress = list->direction == DNET_INGRESS;
	char for_whom[300] = "";

	/* Whoever writes "deny from any" knows that everybody is denied. */
	if (!list->governs || !rules->count || allows_something(rules) || denies_everybody(&rules->rules[rules->count - 1]))
		return;
	if (container)
		snprintf(for_whom, sizeof(for_whom), " (no other policy allows the container %s anything)", container);
	lint_warn(diagnostics, LINT_DENIES, &rules->rules[rules->count - 1].origin,
		  fix_rule(list, rules->count, ingress ? "allow from any" : "allow to any"),
		  "the %s rules of %s only deny, and what no rule allows is denied as well: everything is%s. If the rest is to pass, add a "
		  "last rule; if not, \"deny %s any\" says so", ingress ? "ingress" : "egress", list->whose, for_whom, ingress ? "from" : "to");
}

/* Does another policy allow something, perhaps to the same container? Then nobody knows here what was meant. */
static bool others_allow(const struct policy_set *set, size_t index, int direction, uint64_t now_unix_ns)
{
	for (size_t i = 0; i < set->policy_count; i++)
		if (i != index && !policy_is_over(&set->policies[i], now_unix_ns) && allows_something(&set->policies[i].direction[direction]) &&
		    selectors_meet(&set->policies[i].selector, &set->policies[index].selector))
			return true;
	return false;
}

/* --- IPv6 */

static bool is_v6_prefix(const struct peer *peer)
{
	return peer->kind == PEER_PREFIX && (peer->prefix_len < DNET_V4_PREFIX_OFFSET || !addr_is_v4(&peer->prefix));
}

static bool is_all_v4(const struct peer *peer)
{
	return peer->kind == PEER_PREFIX && !is_v6_prefix(peer) && peer->prefix_len == DNET_V4_PREFIX_OFFSET;
}

/* Does it name somebody who may have an IPv6 address? */
static bool reaches_v6(const struct rule *rule)
{
	for (size_t i = 0; i < rule->peer_count; i++)
		if (rule->peers[i].kind != PEER_PREFIX || is_v6_prefix(&rule->peers[i]))
			return true;
	return false;
}

/* A rule of the same kind, or a deny whose IPv6 would be denied all the same, makes it right. */
static bool v6_is_said_elsewhere(const struct lint_list *list, size_t index)
{
	const struct rule *rule = &list->rules->rules[index];
	bool allowed_later = !list->governs;

	for (size_t i = 0; i < list->rules->count; i++) {
		const struct rule *other = &list->rules->rules[i];

		if (i == index || !reaches_v6(other) || !rules_share_ports(rule, other))
			continue;
		if (other->action == rule->action)
			return true;
		allowed_later = allowed_later || (i > index && other->action == DNET_RULE_ALLOW);
	}
	return rule->action == DNET_RULE_DENY && !allowed_later;
}

static void check_ipv6(const struct lint_list *list, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < list->rules->count; i++) {
		const struct rule *rule = &list->rules->rules[i];
		_cleanup_free_ char *text = NULL;
		bool all_v4 = false;

		for (size_t j = 0; j < rule->peer_count; j++)
			all_v4 = all_v4 || is_all_v4(&rule->peers[j]);
		if (!all_v4 || reaches_v6(rule) || v6_is_said_elsewhere(list, i))
			continue;
		text = fix_word(rule->text, "0.0.0.0/0", "any");
		lint_warn(diagnostics, LINT_IPV6, &rule->origin, fix_rule(list, i, text), "0.0.0.0/0 is IPv4 alone: over IPv6 this rule %s; "
			  "write any, or add ::/0", rule->action == DNET_RULE_DENY ? "stops nobody" :
			  list->direction == DNET_INGRESS ? "lets nobody in" : "lets nothing out");
	}
}

/* --- "53/tcp, udp" */

/* In the text, because that is where "udp" and "0-65535/udp" differ. */
static void check_all_ports(const struct lint_list *list, size_t index, struct diagnostics *diagnostics)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	const struct rule *rule = &list->rules->rules[index];
	const char *begin = strchr(rule->text, ' '), *from = strstr(rule->text, " from "), *to = strstr(rule->text, " to ");
	const char *end = from ? from : to, *last = NULL;	/* the ports that the item before this one had, and where they begin */
	const char *ports = NULL;
	size_t last_length = 0;

	for (const char *at = begin ? begin + 1 : end; end && at < end;) {
		struct word item;
		const char *slash;

		at += strspn(at, " ");
		item = (struct word){ at, strcspn(at, ", ") };
		slash = memchr(item.begin, '/', item.length);
		for (size_t i = 0; last && i < sizeof(protocols) / sizeof(protocols[0]); i++) {
			_cleanup_free_ char *fixed = NULL;

			if (!word_is(item, protocols[i]))
				continue;
			if (asprintf(&fixed, "%.*s%.*s/%s%s", (int)(item.begin - rule->text), rule->text, (int)last_length, last, protocols[i],
				     item.begin + item.length) < 0)
				fixed = NULL;
			lint_warn(diagnostics, LINT_ALL_PORTS, &rule->origin, fix_rule(list, index, fixed), "\"%s\" without a port is all of it, "
				  "here too: the ports before it belong to their own protocol; write %.*s/%s if these were meant, or \"%s\" first "
				  "if not", protocols[i], (int)last_length, last, protocols[i], protocols[i]);
			return;
		}
		if (slash) {
			last = ports ? ports : item.begin;
			last_length = (size_t)(slash - last);
			ports = NULL;
		} else {
			/* A number waits for its protocol. */
			ports = *item.begin >= '0' && *item.begin <= '9' ? (ports ? ports : item.begin) : NULL;
			last = ports ? last : NULL;
		}
		at = item.begin + item.length;
		at += strspn(at, ", ");
	}
}

/* --- what this version does not do */

static void check_later(const struct lint_list *list, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < list->rules->count; i++) {
		const struct rule *rule = &list->rules->rules[i];
		if (rule->log)
			lint_warn(diagnostics, LINT_LATER, &rule->origin, NULL,
				  "its log is not enforced yet by this version: the rule works as if it were not there");
	}
}

/* --- bans */

static bool allows_tcp(const struct rule *rule)
{
	for (size_t i = 0; i < rule->match_count; i++)
		if (rule->matches[i].first <= DNET_SELECTOR(IPPROTO_TCP, UINT16_MAX) && DNET_SELECTOR(IPPROTO_TCP, 0) <= rule->matches[i].last)
			return true;
	return false;
}

/* @of: a rule, or the limits of a policy; what these gave a rule is said where they stand. */
static void check_shared_ban(const struct rule *of, struct diagnostics *diagnostics)
{
	for (size_t i = 0; of->ban_ns && i < of->limit_count; i++) {
		const struct limit *limit = &of->limits[i];
		char text[LIMIT_TEXT_SIZE];

		if (limit->per != LIMIT_PER_RULE || (limit->source != LIMIT_OF_RULE && of->ban_source != LIMIT_OF_RULE))
			continue;
		lint_warn(diagnostics, LINT_BAN, &of->origin, NULL, "all sources share \"%s\", so whoever comes when others have used it up is "
			  "banned: write \"per src\" behind it, or leave the ban out", limit_text(limit, text));
		return;
	}
}

static void check_ban(const struct rule *rule, struct diagnostics *diagnostics)
{
	if (rule->ban_ns && rule->ban_source == LIMIT_OF_RULE && !allows_tcp(rule))
		lint_warn(diagnostics, LINT_BAN, &rule->origin, NULL, "this ban will seldom have effect: without TCP anybody can write any source "
			  "address, and a source is banned only after a TCP handshake with the container; leave the ban out");
	check_shared_ban(rule, diagnostics);
}

/* `limits:` of a policy, or of the host. */
static void check_limits(const struct policy *policy, bool host, struct diagnostics *diagnostics)
{
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
		const struct rule *limits = &policy->limits[direction];

		if (!limits->origin.line)
			continue;
		check_shared_ban(limits, diagnostics);
		if (!host && !allows_something(&policy->direction[direction]))
			lint_warn(diagnostics, LINT_NO_EFFECT, &limits->origin, NULL, "the policy %s allows nothing in %s rules: these limits hold for "
				  "none; leave them out", policy->name, direction == DNET_INGRESS ? "ingress" : "egress");
	}
}

static void check_alone(const struct lint_list *list, struct diagnostics *diagnostics)
{
	check_ipv6(list, diagnostics);
	for (size_t i = 0; i < list->rules->count; i++)
		check_all_ports(list, i, diagnostics);
	for (size_t i = 0; i < list->rules->count; i++)
		check_ban(&list->rules->rules[i], diagnostics);
	check_later(list, diagnostics);
}

void lint_rules(const struct lint_list *list, struct diagnostics *diagnostics)
{
	_cleanup_free_ struct listed_rule *before = calloc(list->rules->count + 1, sizeof(*before));

	if (before)
		check_covered(list, before, 0, diagnostics);
	lint_only_denies(list, NULL, diagnostics);
	check_alone(list, diagnostics);
}

/* --- policies beside each other */

/* Is every container's list that has @policy's rules also sure to have @other's before them? */
static bool comes_first(const struct policy_set *set, size_t other, size_t index, uint64_t now_unix_ns)
{
	const struct policy *first = &set->policies[other], *policy = &set->policies[index];

	/* What ends some day is no reason to take out what comes after it. */
	if (other == index || policy_is_over(first, now_unix_ns) || first->until_unix_ns)
		return false;
	if (first->override != policy->override ? policy->override : other > index)
		return false;
	return selector_covers(&first->selector, &policy->selector);
}

static void check_covered_by_all(const struct policy_set *set, size_t index, const struct lint_list *list, uint64_t now_unix_ns,
				 struct diagnostics *diagnostics)
{
	enum dnet_direction direction = list->direction;
	_cleanup_free_ struct listed_rule *before = NULL;
	size_t count = 0, room = list->rules->count + 1;

	if (!list->rules->count)
		return;
	for (size_t i = 0; i < set->policy_count; i++)
		if (set->policies[i].direction[direction].count && comes_first(set, i, index, now_unix_ns))
			room += set->policies[i].direction[direction].count;
	before = calloc(room, sizeof(*before));
	for (int pass = 0; before && pass < 2; pass++)
		for (size_t i = 0; i < set->policy_count; i++) {
			const struct rule_list *rules = &set->policies[i].direction[direction];

			if (!rules->count || set->policies[i].override != (pass == 0) || !comes_first(set, i, index, now_unix_ns))
				continue;
			for (size_t j = 0; j < rules->count; j++)
				before[count++] = (struct listed_rule){ .rule = &rules->rules[j], .policy = set->policies[i].name };
		}
	if (before)
		check_covered(list, before, count, diagnostics);
}

void lint_modes(const struct policy *first, const struct policy *second, const char *container, struct diagnostics *diagnostics)
{
	static const char *const modes[] = { [POLICY_ENFORCE] = "enforce", [POLICY_AUDIT] = "audit" };
	char line[320];

	lint_line(&first->origin, &second->origin, line, sizeof(line));
	lint_error(diagnostics, &second->origin, "the policies %s (%s%s) and %s (%s) both select %s%s and do not agree on the mode: the "
		   "daemon would enforce both; give them one \"mode\"", first->name, modes[first->mode], line, second->name,
		   modes[second->mode], container ? "the container " : "the same containers", container ? container : "");
}

static void check_modes(const struct policy_set *set, size_t index, uint64_t now_unix_ns, struct diagnostics *diagnostics)
{
	const struct policy *policy = &set->policies[index];

	for (size_t i = 0; i < index && !policy->override; i++) {
		const struct policy *other = &set->policies[i];

		if (other->mode == policy->mode || other->override || policy_is_over(other, now_unix_ns))
			continue;
		if (!selector_covers(&other->selector, &policy->selector) && !selector_covers(&policy->selector, &other->selector))
			continue;
		lint_modes(other, policy, NULL, diagnostics);
		return;
	}
}

void lint_policies(const struct policy_set *set, uint64_t now_unix_ns, struct diagnostics *diagnostics)
{
	char name[128], time[TEXT_TIME_SIZE];

	for (size_t i = 0; i < set->policy_count; i++) {
		const struct policy *policy = &set->policies[i];

		if (policy_is_over(policy, now_unix_ns)) {
			lint_warn(diagnostics, LINT_EXPIRED, &policy->origin, NULL, "the policy %s ended at %s and does not apply any more: "
				  "leave it out", policy->name, text_time(policy->until_unix_ns, time));
			continue;
		}
		check_modes(set, i, now_unix_ns, diagnostics);
		if (!policy->direction[DNET_INGRESS].present && !policy->direction[DNET_EGRESS].present && !policy->labels_add)
			lint_warn(diagnostics, LINT_NO_EFFECT, &policy->origin, strdup("ingress: []"), "the policy %s has neither ingress nor egress: "
				  "it governs nothing; write the one that is meant, with [] if all of it is to be denied", policy->name);
		check_limits(policy, false, diagnostics);
		for (int direction = 0; direction < DNET_DIRECTIONS; direction++) {
			struct lint_list list = lint_list_of(policy, (enum dnet_direction)direction, false, name, sizeof(name));

			check_covered_by_all(set, i, &list, now_unix_ns, diagnostics);
			if (!allows_something(list.rules) && !others_allow(set, i, direction, now_unix_ns))
				lint_only_denies(&list, NULL, diagnostics);
			check_alone(&list, diagnostics);
		}
	}
	check_limits(&set->host, true, diagnostics);
	for (int direction = 0; direction < DNET_DIRECTIONS; direction++)
		lint_rules(&(struct lint_list){ .rules = &set->host.direction[direction], .direction = (enum dnet_direction)direction,
						.whose = "the host layer" }, diagnostics);
}
