/* SPDX-License-Identifier: GPL-2.0 */
#include "explain/explanation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "compile/limits.h"
#include "observe/event.h"

#define SENTENCE_SIZE 1024

const char *explain_layer_name(enum dnet_layer layer)
{
	static const char *const names[DNET_LAYERS] = {
		[DNET_LAYER_HOST] = "host", [DNET_LAYER_FILE] = "file", [DNET_LAYER_LABELS] = "labels",
	};

	return layer < DNET_LAYERS ? names[layer] : "";
}

const char *explain_origin(const struct origin *origin, char *buffer)
{
	if (origin->file && origin->line)
		snprintf(buffer, EXPLAIN_ORIGIN_SIZE, "%s:%u", origin->file, origin->line);
	else
		snprintf(buffer, EXPLAIN_ORIGIN_SIZE, "%s", origin->file ? origin->file : "");
	return buffer;
}

static void add_default(json_t *defaults, const struct listed_rule *listed, const char *text, enum limit_source source)
{
	char from[128] = "host limits";

	if (source == LIMIT_OF_RULE)
		return;
	if (source == LIMIT_OF_POLICY)
		snprintf(from, sizeof(from), "limits of policy %s", listed->policy);
	json_array_append_new(defaults, json_pack("{s:s, s:s}", "text", text, "from", from));
}

json_t *explain_rule_json(const struct listed_rule *listed)
{
	const struct rule *rule = listed->rule;
	char origin[EXPLAIN_ORIGIN_SIZE], text[LIMIT_TEXT_SIZE], ban[BAN_TEXT_SIZE];
	json_t *defaults = json_array(), *json;

	for (size_t i = 0; i < rule->limit_count; i++)
		add_default(defaults, listed, limit_text(&rule->limits[i], text), rule->limits[i].source);
	add_default(defaults, listed, ban_text(rule, ban), rule->ban_source);
	json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "rule", rule->name, "text", rule->text, "policy", listed->policy,
			 "origin", explain_origin(&rule->origin, origin), "action", rule->action == DNET_RULE_ALLOW ? "allow" : "deny");
	if (json_array_size(defaults))
		json_object_set(json, "defaults", defaults);
	json_decref(defaults);
	return json;
}

/* What answered in a layer. */
struct answer {
	bool governs;
	const struct listed_rule *rules;
	size_t count;
	const struct listed_rule *rule;	/* NULL: none, the end of the list did */
	char policy[256], name[64], origin[EXPLAIN_ORIGIN_SIZE];
};

const char *explain_default_policy(const char *names, enum dnet_layer layer, char *buffer, size_t size)
{
	const char *tail;

	snprintf(buffer, size, "%s", layer == DNET_LAYER_LABELS ? "labels" : names ? names : "");
	tail = layer == DNET_LAYER_LABELS ? NULL : strrchr(buffer, ',');
	if (tail && strcmp(tail, ",labels") == 0)
		buffer[tail - buffer] = '\0';
	if (!*buffer)
		snprintf(buffer, size, "defaults");
	return buffer;
}

/* The end of a list has no line of its own: the policies that made the list are named, and one alone is pointed at. */
static void name_default(const struct explain_world *world, const struct explain_end *end, enum dnet_layer layer, struct answer *answer)
{
	const struct policy *policy;

	snprintf(answer->name, sizeof(answer->name), "default");
	explain_default_policy(end->verdict->policies, layer, answer->policy, sizeof(answer->policy));
	if (layer == DNET_LAYER_LABELS)
		return;
	policy = strchr(answer->policy, ',') ? NULL : policy_set_policy(world->policies, answer->policy);
	if (policy)
		explain_origin(&policy->origin, answer->origin);
}

static void name_rule(const struct listed_rule *listed, struct answer *answer)
{
	snprintf(answer->policy, sizeof(answer->policy), "%s", listed->policy);
	snprintf(answer->name, sizeof(answer->name), "%s", listed->rule->name);
	explain_origin(&listed->rule->origin, answer->origin);
}

static struct answer answer_of(const struct explain_world *world, const struct explain_end *end,
			       const struct explain_judgement *judgement, enum dnet_layer layer)
{
	uint32_t local = judgement->asked ? end->verdict->ruleset[judgement->whose][layer] : 0;
	struct answer answer = { .governs = local != 0 };

	if (!local)
		return answer;
	answer.count = compiler_rules(world->compiler, local, &answer.rules);
	if (judgement->rule[layer] < answer.count) {
		answer.rule = &answer.rules[judgement->rule[layer]];
		name_rule(answer.rule, &answer);
	} else {
		name_default(world, end, layer, &answer);
	}
	return answer;
}

static const char *layer_verdict(const struct answer *answer)
{
	return answer->rule && answer->rule->rule->action == DNET_RULE_ALLOW ? "pass" : "deny";
}

/* The layers that answered, in the order in which they were asked. */
static json_t *layers_json(const struct explain_world *world, const struct explain_end *end, const struct explain_judgement *judgement)
{
	json_t *layers = json_array();

	for (unsigned int layer = 0; judgement->asked && layer <= judgement->layer && layer < DNET_LAYERS; layer++) {
		struct answer answer = answer_of(world, end, judgement, layer);

		if (answer.governs)
			json_array_append_new(layers, json_pack("{s:s, s:s, s:s, s:s, s:s}", "layer", explain_layer_name(layer),
				"verdict", layer_verdict(&answer), "policy", answer.policy, "rule", answer.name,
				"origin", answer.origin));
	}
	return layers;
}

static json_t *rules_json(const struct explain_world *world, const struct explain_end *end, const struct explain_judgement *judgement,
			  const struct answer *answer)
{
	json_t *rules = json_array();
	char lacks[512];

	for (size_t i = 0; i < answer->count; i++) {
		const struct listed_rule *listed = &answer->rules[i];
		json_t *rule = explain_rule_json(listed);
		bool deciding = listed == answer->rule;

		json_object_set_new(rule, "lacks", json_string(deciding ? "" :
			explain_lacks(listed->rule, &end->compile, world->policies, &judgement->question, lacks, sizeof(lacks))));
		json_array_append_new(rules, rule);
		if (deciding)
			break;
	}
	return rules;
}

static void describe_rule(const struct answer *answer, char *buffer, size_t size)
{
	const char *policy = answer->policy;
	bool own = strcmp(policy, "labels") == 0;

	snprintf(buffer, size, "rule \"%s\" of %s%s%s%s%s", answer->name, own ? "its own labels" : "policy ", own ? "" : policy,
		 *answer->origin ? " (" : "", answer->origin, *answer->origin ? ")" : "");
}

static void write_sentence(const struct explain_end *end, const struct explain_judgement *judgement, const struct answer *answer,
			   char *buffer, size_t size)
{
	const char *name = end->compile.container->name;
	bool received = judgement->whose == DNET_INGRESS, own = strcmp(answer->policy, "labels") == 0;
	char rule[SENTENCE_SIZE / 2];
	const char *denied = received ? "does not let it in" : "must not send it", *passed = received ? "lets it in" : "may send it";

	describe_rule(answer, rule, sizeof(rule));
	switch (judgement->reason) {
	case DNET_REASON_POLICY_ALLOWED:
		snprintf(buffer, size, "%s %s: %s allows it", name, passed, rule);
		break;
	case DNET_REASON_POLICY_DENIED:
		snprintf(buffer, size, "%s %s: %s denies it", name, denied, rule);
		break;
	case DNET_REASON_DEFAULT_DENIED:
		snprintf(buffer, size, "%s %s: %s %s%s%s", name, denied,
			 answer->count > 1 ? "none of the rules of" : answer->count ? "the only rule of" : "there are no rules in",
			 own ? "its own labels" : "policy ", own ? "" : answer->policy,
			 answer->count > 1 ? " matches" : answer->count ? " does not match" : "");
		break;
	case DNET_REASON_UNSELECTED:
		snprintf(buffer, size, "%s %s: no policy governs what it %s", name, passed, received ? "receives" : "sends");
		break;
	case DNET_REASON_ESTABLISHED:
		snprintf(buffer, size, "%s %s: a connection with these addresses and ports exists, and was allowed", name, passed);
		break;
	case DNET_REASON_POLICY_INVALID:
		snprintf(buffer, size, "%s %s: its labels cannot be read, so everything is denied: %s", name, denied,
			 end->compile.labels && end->compile.labels->problem ? end->compile.labels->problem : "unknown problem");
		break;
	case DNET_REASON_BANNED:
	case DNET_REASON_BLOCKED:
		snprintf(buffer, size, "%s %s: %s", name, denied, *judgement->block ? judgement->block : reason_sentence(judgement->reason));
		break;
	default:
		snprintf(buffer, size, "%s %s: %s", name, judgement->verdict == DNET_PASS ? passed : denied,
			 reason_sentence(judgement->reason));
	}
	if (judgement->verdict == DNET_WOULD_DENY) {
		size_t used = strlen(buffer);

		snprintf(buffer + used, size - used, "; but the policy is in audit mode, so it is reported and passes");
	}
}

static json_t *ends_json(const struct explain_packet *packet)
{
	char src[TEXT_ADDR_SIZE], dst[TEXT_ADDR_SIZE], proto[8];
	json_t *json = json_pack("{s:s, s:s, s:s}", "proto", proto_name(packet->proto, proto), "src", text_addr(&packet->src.addr, src),
				 "dst", text_addr(&packet->dst.addr, dst));

	if (packet_has_ports(packet->proto)) {
		json_object_set_new(json, "src_port", json_integer(packet->src.port));
		json_object_set_new(json, "dst_port", json_integer(packet->dst.port));
	} else if (packet->proto == 1 || packet->proto == 58) {
		json_object_set_new(json, "icmp_type", json_integer(packet->icmp_type));
		json_object_set_new(json, "icmp_code", json_integer(packet->icmp_code));
	}
	return json;
}

static json_t *check_json(const struct explain_world *world, const struct explain_packet *packet, const struct explain_end *end,
			  enum dnet_direction direction, const struct explain_judgement *judgement)
{
	/* That `host:` let it through is no answer where nothing else governs. */
	struct answer none = {}, answer = judgement->reason == DNET_REASON_UNSELECTED ? none :
					  answer_of(world, end, judgement, judgement->layer);
	char sentence[SENTENCE_SIZE];
	json_t *json = ends_json(packet);

	if (judgement->blamed.rule)
		name_rule(&judgement->blamed, &answer);
	write_sentence(end, judgement, &answer, sentence, sizeof(sentence));
	if (json_object_update_new(json, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}",
			"verdict", verdict_name(judgement->verdict), "layer", answer.governs ? explain_layer_name(judgement->layer) : "",
			"policy", answer.policy, "rule", answer.name, "origin", answer.origin, "reason", reason_name(judgement->reason),
			"sentence", sentence, "direction", direction_name(direction), "container", end->compile.container->name,
			"network", end->compile.network->name, "layers", layers_json(world, end, judgement),
			"rules", rules_json(world, end, judgement, &answer))) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int add_check(const struct explain_world *world, const struct explain_packet *packet, const struct explain_end *end,
		     enum dnet_direction direction, json_t *checks, struct error *error)
{
	struct explain_judgement judgement = { .whose = direction };
	int r;

	for (unsigned int layer = 0; layer < DNET_LAYERS; layer++)
		judgement.rule[layer] = EXPLAIN_NO_RULE;
	r = world->judge(world->context, packet, end, direction, &judgement, error);
	if (r < 0)
		return r;
	if (json_array_append_new(checks, check_json(world, packet, end, direction, &judgement)) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	return 0;
}

/* The first end that denies; else the first that would if it were enforced; else the last. */
static json_t *deciding_check(const json_t *checks)
{
	static const char *const verdicts[] = { "deny", "would_deny" };
	json_t *check = NULL;
	size_t i;

	for (size_t v = 0; v < 2; v++)
		json_array_foreach(checks, i, check)
			if (strcmp(json_string_value(json_object_get(check, "verdict")), verdicts[v]) == 0)
				return check;
	return json_array_get(checks, json_array_size(checks) - 1);
}

static const char *side_name(const struct explain_side *side)
{
	if (side->named)
		return side->named->name;
	switch (side->kind) {
	case EXPLAIN_END:
		return side->end->compile.container->name;
	case EXPLAIN_HOST:
		return "host";
	case EXPLAIN_OUTSIDE:
		return "outside";
	case EXPLAIN_GROUP:
	case EXPLAIN_STRANGER:
		break;
	}
	return "";
}

static int explain_one(const struct explain_world *world, const struct explain_packet *packet, json_t **ret, struct error *error)
{
	json_t *checks = json_array(), *json, *decided;
	char src[PACKET_END_SIZE], dst[PACKET_END_SIZE], proto[8];
	int r = 0;

	if (packet->src.end)
		r = add_check(world, packet, packet->src.end, DNET_EGRESS, checks, error);
	if (r == 0 && packet->dst.end)
		r = add_check(world, packet, packet->dst.end, DNET_INGRESS, checks, error);
	if (r < 0) {
		json_decref(checks);
		return r;
	}
	decided = json_copy(deciding_check(checks));
	json_object_del(decided, "rules");
	json_object_del(decided, "layers");
	json = json_pack("{s:o, s:s, s:s}", "packet", json_sprintf("%s %s -> %s", proto_name(packet->proto, proto),
			 packet_end_text(&packet->src.addr, packet->src.port, src),
			 packet_end_text(&packet->dst.addr, packet->dst.port, dst)),
			 "from", side_name(&packet->src), "to", side_name(&packet->dst));
	json_object_update_new(json, decided);
	json_object_set_new(json, "checks", checks);
	*ret = json;
	return 0;
}

int explain_text(const struct explain_world *world, const char *text, json_t **ret, struct error *error)
{
	struct explain_packet packets[EXPLAIN_MAX_PACKETS];
	struct packet_text parsed;
	json_t *json = NULL, *others, *notes;
	size_t count;
	int r;

	r = packet_text_parse(text, &parsed, error);
	if (r == 0)
		r = explain_resolve(world, &parsed, packets, &count, error);
	if (r == 0)
		r = explain_one(world, &packets[0], &json, error);
	if (r < 0)
		return r;
	others = json_array();
	notes = json_array();
	for (size_t i = 1; i < count && r == 0; i++) {
		json_t *other;

		r = explain_one(world, &packets[i], &other, error);
		if (r == 0)
			json_array_append_new(others, other);
	}
	explain_notes(world, &packets[0], notes);
	json_object_set_new(json, "others", others);
	json_object_set_new(json, "notes", notes);
	if (r < 0) {
		json_decref(json);
		return r;
	}
	*ret = json;
	return 0;
}
