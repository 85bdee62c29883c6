/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration language: lines to objects, and objects to lines.
 */
#include <config.h>

#include "clusterd/core/core_config_priv.h"

#include "common/hw_values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

struct parser {
    struct core_state *state;
    const struct core_line *line;
    struct hw_error *error;
    bool have_cluster;
};

static const char *word_at(const struct core_line *line, size_t at)
{
    return at < line->words.count ? line->words.items[at] : "";
}

/* A complaint about the present line. */
static int refuse(const struct parser *parser, const char *reason, const char *detail,
                  const char *remedy)
{
    char object[HW_ERROR_OBJECT_BYTES];

    (void)snprintf(object, sizeof(object), "line %u: %.64s %.64s", parser->line->number,
                   word_at(parser->line, 0), word_at(parser->line, 1));
    return hw_error_setf(parser->error, HW_ERROR_USAGE, EINVAL, object, remedy, "%s%s%.100s",
                         reason, detail[0] != '\0' ? " " : "", detail);
}

static int no_memory(int rc, struct parser *parser, const char *reason, const char *detail,
                     const char *remedy)
{
    return rc == -ENOMEM ? rc : refuse(parser, reason, detail, remedy);
}

/* What stands behind "key=" of a word, and the key's length; NULL: the word is no key=value. */
static const char *split(const char *word, size_t *ret_length)
{
    const char *sign = strchr(word, '=');

    if (sign == NULL || sign == word)
        return NULL;
    *ret_length = (size_t)(sign - word);
    return sign + 1;
}

static int check_required(struct parser *parser, const struct core_keys *keys, uint64_t given)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->items[i].required && (given >> i & 1) == 0)
            return refuse(parser, "lacks", keys->items[i].name, "add KEY=VALUE for it");
    }
    return 0;
}

/* Parameters of a fence agent: any key that is not ours. */
static int read_parameter(struct parser *parser, core_pairs *pairs, const char *word, size_t length,
                          const char *value)
{
    struct core_pair pair = { "", NULL };
    size_t at = 0;
    int rc;

    if (pairs == NULL || length >= sizeof(pair.name))
        return refuse(parser, "unknown key", word, "use the keys of doc/configuration.md");
    memcpy(pair.name, word, length);
    if (core_name_check(pair.name) < 0)
        return refuse(parser, "no name for a key:", word, "use letters, digits, . _ : -");
    while (at < pairs->count && strcmp(pairs->items[at].name, pair.name) < 0)
        at++;
    if (at < pairs->count && strcmp(pairs->items[at].name, pair.name) == 0)
        return refuse(parser, "key given twice:", word, "keep one");
    rc = core_text_set(&pair.value, value);
    if (rc < 0)
        return no_memory(rc, parser, "bad value:", word, "use at most 4096 bytes");
    rc = hw_vector_insert(pairs, at, pair);
    if (rc < 0)
        free(pair.value);
    return rc;
}

static int read_keys(struct parser *parser, const struct core_keys *keys, void *object,
                     core_pairs *others)
{
    uint64_t given = 0;

    core_keys_reset(keys, object);
    for (size_t i = 2; i < parser->line->words.count; i++) {
        const char *word = parser->line->words.items[i], *value;
        const struct core_key *key;
        size_t length, number;
        int rc;

        value = split(word, &length);
        if (value == NULL)
            return refuse(parser, "expects KEY=VALUE, not", word, "write it as KEY=VALUE");
        key = core_key_find(keys, word, length);
        if (key == NULL) {
            rc = read_parameter(parser, others, word, length, value);
            if (rc < 0)
                return rc;
            continue;
        }
        number = (size_t)(key - keys->items);
        if ((given >> number & 1) != 0)
            return refuse(parser, "key given twice:", word, "keep one");
        given |= 1ull << number;
        rc = core_key_read(key, object, value);
        if (rc < 0)
            return no_memory(rc, parser, rc == -ERANGE ? "out of range:" : "bad value:", word,
                             "see doc/configuration.md for what the key takes");
    }
    return check_required(parser, keys, given);
}

static int added(struct parser *parser, int rc)
{
    if (rc == -EEXIST)
        return refuse(parser, "is there already", "", "give it another name, or remove one");
    if (rc == -EINVAL)
        return refuse(parser, "has no valid name", "", "use 1 to 63 letters, digits, . _ : -");
    if (rc == -ENOSPC)
        return refuse(parser, "is one too many", "", "at most 65536 objects of a kind");
    return rc;
}

static int parse_cluster(struct parser *parser)
{
    struct core_cluster *cluster = &parser->state->cluster;

    if (parser->have_cluster)
        return refuse(parser, "is the second cluster line", "", "keep one");
    parser->have_cluster = true;
    if (core_name_set(cluster->name, word_at(parser->line, 1)) < 0 || cluster->name[0] == '\0')
        return added(parser, -EINVAL);
    return read_keys(parser, &core_cluster_keys, cluster, NULL);
}

static int parse_node(struct parser *parser)
{
    struct core_node *node = NULL;
    int rc = core_node_add(parser->state, word_at(parser->line, 1), &node);

    return rc < 0 ? added(parser, rc) : read_keys(parser, &core_node_keys, node, NULL);
}

static int parse_lun(struct parser *parser)
{
    struct core_lun *lun = NULL;
    int rc = core_lun_add(parser->state, word_at(parser->line, 1), &lun);

    return rc < 0 ? added(parser, rc) : read_keys(parser, &core_lun_keys, lun, NULL);
}

static int parse_vm(struct parser *parser)
{
    struct core_vm *vm = NULL;
    int rc = core_vm_add(parser->state, word_at(parser->line, 1), &vm);

    return rc < 0 ? added(parser, rc) : read_keys(parser, &core_vm_keys, vm, NULL);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(left, right);
}

static int parse_fence(struct parser *parser)
{
    struct core_fence *fence = NULL;
    int rc = core_fence_add(parser->state, word_at(parser->line, 1), &fence);

    if (rc < 0)
        return added(parser, rc);
    rc = read_keys(parser, &core_fence_keys, fence, &fence->parameters);
    if (rc == 0)
        qsort(fence->nodes.items, fence->nodes.count, sizeof(struct core_name), compare_names);
    return rc;
}

/* The rule's name is what it is about, so that it is the same wherever the line stands. */
static int add_rule(struct parser *parser, uint32_t kind, const core_names *vms,
                    struct core_rule **ret_rule)
{
    XXH64_hash_t hash = 0;
    char name[CORE_NAME_BYTES];
    size_t length = (size_t)snprintf(name, sizeof(name), "%s", core_rule_word(kind));
    int rc;

    for (size_t i = 0; i < vms->count; i++) {
        const char *vm = vms->items[i].text;

        hash = XXH3_64bits_withSeed(vm, strlen(vm) + 1, hash);
        if (length < sizeof(name))
            length += (size_t)snprintf(name + length, sizeof(name) - length, ":%s", vm);
    }
    if (length >= sizeof(name)) /* too long to be told apart by its beginning */
        (void)snprintf(name + 46, sizeof(name) - 46, ":%016" PRIx64, (uint64_t)hash);
    rc = core_rule_add(parser->state, name, ret_rule);
    if (rc == -EEXIST)
        return refuse(parser, "there is such a rule already", "", "put both into one line");
    return rc < 0 ? added(parser, rc) : 0;
}

static int add_name(struct parser *parser, core_names *names, const char *word)
{
    struct core_name name = { "" };

    if (core_name_check(word) < 0)
        return refuse(parser, "no name:", word, "use letters, digits, . _ : -");
    (void)core_name_set(name.text, word);
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].text, word) == 0)
            return refuse(parser, "named twice:", word, "keep one");
    }
    return hw_vector_push(names, name);
}

/* "n1=100" of prefer, "n3" of avoid. */
static int add_score(struct parser *parser, struct core_rule *rule, const char *word)
{
    struct core_score score = { "", 0 };
    uint64_t number = 0;
    size_t length = strlen(word), at = 0;
    const char *value = split(word, &length);

    if ((value != NULL) != (rule->kind == CORE_RULE_PREFER))
        return refuse(parser, "expects nodes, not", word,
                      "write NODE=SCORE behind prefer, NODE behind avoid");
    if (length >= sizeof(score.node))
        return refuse(parser, "no name:", word, "use at most 63 characters");
    memcpy(score.node, word, length);
    if (value != NULL && (hw_parse_number(value, &number) < 0 || number == 0 || number > 1000000))
        return refuse(parser, "bad score:", word, "use 1 to 1000000");
    score.score = (int32_t)number;
    while (at < rule->nodes.count && strcmp(rule->nodes.items[at].node, score.node) < 0)
        at++;
    if (core_name_check(score.node) < 0 ||
        (at < rule->nodes.count && strcmp(rule->nodes.items[at].node, score.node) == 0))
        return refuse(parser, "named twice, or no name:", word, "keep one");
    return hw_vector_insert(&rule->nodes, at, score);
}

static int parse_rule_words(struct parser *parser, uint32_t kind, bool strict, size_t count)
{
    const bool scores = kind == CORE_RULE_PREFER || kind == CORE_RULE_AVOID;
    core_names vms = HW_VECTOR_INIT;
    struct core_rule *rule = NULL;
    size_t at = 1;
    int rc = 0;

    for (; rc == 0 && at < count && (!scores || at < 2); at++)
        rc = add_name(parser, &vms, word_at(parser->line, at));
    if (rc == 0 && (vms.count < (scores ? 1u : 2u) || (scores && at == count)))
        rc = refuse(parser, "says too little", "",
                    scores ? "name a VM and nodes" : "name two VMs or more");
    if (rc == 0 && (kind == CORE_RULE_APART || kind == CORE_RULE_TOGETHER))
        qsort(vms.items, vms.count, sizeof(struct core_name), compare_names);
    if (rc == 0)
        rc = add_rule(parser, kind, &vms, &rule);
    if (rc < 0) {
        hw_vector_free(&vms);
        return rc;
    }
    rule->kind = kind;
    rule->strict = strict;
    memcpy(&rule->vms, &vms, sizeof(vms));
    for (; rc == 0 && at < count; at++)
        rc = add_score(parser, rule, word_at(parser->line, at));
    return rc;
}

static int parse_rule(struct parser *parser, uint32_t kind)
{
    size_t count = parser->line->words.count;
    bool strict = count > 1 && strcmp(word_at(parser->line, count - 1), "strict") == 0;

    return parse_rule_words(parser, kind, strict, count - strict);
}

static int parse_line(struct parser *parser)
{
    const char *kind = word_at(parser->line, 0);
    static const struct {
        const char *word;
        int (*parse)(struct parser *parser);
    } kinds[] = {
        { "cluster", parse_cluster }, { "node", parse_node },   { "lun", parse_lun },
        { "vm", parse_vm },           { "fence", parse_fence },
    };
    uint32_t rule;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].word, kind) == 0)
            return kinds[i].parse(parser);
    }
    if (core_word_find(core_rule_word, CORE_RULE_COUNT, kind, &rule) == 0)
        return parse_rule(parser, rule);
    return refuse(parser, "is no kind of object", "",
                  "use cluster, node, lun, vm, prefer, avoid, apart, together, order or fence");
}

int core_config_parse(const char *text, size_t size, struct core_state *ret_state,
                      struct hw_error *error)
{
    struct core_line_reader reader = { text, size, 1 };
    struct core_state state;
    struct core_line line;
    struct parser parser = { &state, &line, error, false };
    char object[32];
    int rc;

    if (size > CORE_CONFIG_TEXT_MAX)
        return -EFBIG;
    core_state_init(&state);
    while ((rc = core_line_next(&reader, &line)) == 0) {
        parser.line = &line;
        rc = parse_line(&parser);
        core_line_free(&line);
        if (rc < 0)
            break;
    }
    if (rc == -ENOENT)
        rc = core_config_check(&state, error);
    if (rc == -EINVAL || rc == -EFBIG) {
        (void)snprintf(object, sizeof(object), "line %u", reader.number);
        (void)hw_error_set(error, HW_ERROR_USAGE, EINVAL, object, "cannot be read as words",
                           "end each quote, and use \\ only in quotes or at the end of a line");
        rc = -EINVAL;
    }
    if (rc < 0)
        core_state_free(&state);
    else
        *ret_state = state;
    return rc;
}
