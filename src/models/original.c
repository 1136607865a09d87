// models/original.c: which family a file belongs to. Its configuration is original_config.c's, its tensors
// original_weights.c's.
#include "models/original.h"
#include "models/original_rows.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILY(name, class) {.kind = DIT_ROW_FAMILY, .from = name, .to = class},
#define ARCHITECTURE(name) {.kind = DIT_ROW_ARCHITECTURE, .from = name},
#define NEEDS(name) {.kind = DIT_ROW_NEEDS, .from = name},
#define LACKS(name) {.kind = DIT_ROW_LACKS, .from = name},
#define HOLDS(value) {.kind = DIT_ROW_HOLDS, .from = value},
#define LET(name, value) {.kind = DIT_ROW_LET, .from = name, .to = value},
#define CONFIG(key, value) {.kind = DIT_ROW_CONFIG, .from = key, .to = value},
#define CONFIG_BOOL(key, value) {.kind = DIT_ROW_CONFIG_BOOL, .from = key, .to = value},
#define CONFIG_TEXT(key, value) {.kind = DIT_ROW_CONFIG_TEXT, .from = key, .to = value},
#define CONFIG_LIST(key, value) {.kind = DIT_ROW_CONFIG_LIST, .from = key, .to = value},
#define CONFIG_RATIO(key, value, by) {.kind = DIT_ROW_CONFIG_RATIO, .from = key, .to = value, .parts = by},
#define CONFIG_JSON(key, value) {.kind = DIT_ROW_CONFIG_JSON, .from = key, .to = value},
#define CONFIG_META(key, value) {.kind = DIT_ROW_CONFIG_META, .from = key, .to = value},
#define CONFIG_ROPE(key, value) {.kind = DIT_ROW_CONFIG_ROPE, .from = key, .to = value},
#define CONFIG_EACH(key, times, value) {.kind = DIT_ROW_CONFIG_EACH, .from = key, .to = value, .parts = times},
#define CONFIG_CHOICE(key, times, value, first, second)                                                                \
    {.kind = DIT_ROW_CONFIG_CHOICE, .from = key, .to = value, .parts = times, .yes = first, .no = second},
// `value` of CONFIG_RATIO are two.
#define CONFIG_IF(when, kind_of, key, ...)                                                                             \
    {.kind = DIT_ROW_##kind_of, .from = key, .condition = when, CONFIG_VALUE(__VA_ARGS__, NULL, NULL)},
#define CONFIG_VALUE(value, by, ...) .to = value, .parts = by
#define MOVE(name, target) {.kind = DIT_ROW_MOVE, .from = name, .to = target},
#define MOVE_IF(when, name, target) {.kind = DIT_ROW_MOVE, .from = name, .to = target, .condition = when},
#define SPLIT(name, targets, extents) {.kind = DIT_ROW_SPLIT, .from = name, .to = targets, .parts = extents},
#define HEAD(name, target, extent) {.kind = DIT_ROW_HEAD, .from = name, .to = target, .parts = extent},
#define SWAP(name, target) {.kind = DIT_ROW_SWAP, .from = name, .to = target},
#define FLATTEN(name, target) {.kind = DIT_ROW_FLATTEN, .from = name, .to = target},
#define UNWEAVE(name, target, heads) {.kind = DIT_ROW_UNWEAVE, .from = name, .to = target, .parts = heads},
#define SUBTRACT_ONE(name, target) {.kind = DIT_ROW_SUBTRACT_ONE, .from = name, .to = target},
#define DROP(name) {.kind = DIT_ROW_DROP, .from = name},
static const dit_row rows[] = {
#include "models/names/families.def"
    {.kind = DIT_ROW_FAMILY},
};
enum { ROWS = sizeof rows / sizeof *rows - 1 };

// Under which original files keep a network's tensors. The averaged weights come before the others.
static const char *const prefixes[] = {
    "",
    "model.diffusion_model.",
    "diffusion_model.",
    "net.",
    "ema.",
    "model_ema.",
    "state_dict_ema.",
    "state_dict.",
    "model.",
    "module.",
    "transformer.",
    "first_stage_model.",
    "vae.",
    "text_encoders.clip_l.transformer.",
    "text_encoders.clip_g.transformer.",
    "text_encoders.t5xxl.transformer.",
    "text_encoders.pile_t5xl.transformer.",
    "text_encoders.gemma2_2b.transformer.",
    "text_encoders.qwen3_4b.transformer.",
    "text_encoders.llama.transformer.",
    NULL,
};

static bool holds(const dit_facts *facts, const dit_row *family)
{
    static const char key[] = "general.architecture";
    for (const dit_row *r = family + 1;; r++) {
        const char *architecture = NULL, *text = r->from;
        dit_error ignored = {0};
        int64_t value = 0;
        switch (r->kind) {
        case DIT_ROW_ARCHITECTURE:
            architecture = dit_facts_metadata(facts, key, sizeof key - 1);
            if (!architecture || strcmp(architecture, r->from))
                return false;
            break;
        case DIT_ROW_NEEDS:
        case DIT_ROW_LACKS:
            if ((dit_facts_find(facts, r->from, strlen(r->from)) >= 0) != (r->kind == DIT_ROW_NEEDS))
                return false;
            break;
        case DIT_ROW_HOLDS:
            if (dit_facts_evaluate(facts, &text, &value, &ignored) || !value)
                return false;
            break;
        default:
            return true;
        }
    }
}

static bool is_listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

static const dit_row *find_family(dit_facts *facts, const dit_original_query *query)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind != DIT_ROW_FAMILY || (query->classes && !is_listed(query->classes, rows[i].to)))
            continue;
        for (const char *const *prefix = query->prefixes ? query->prefixes : prefixes; *prefix; prefix++) {
            facts->prefix = *prefix;
            if (holds(facts, &rows[i]))
                return &rows[i];
        }
    }
    return NULL;
}

dit_status dit_original_find(dit_original **out, dit_tensor_file *file, const dit_original_query *query,
                             dit_error *error)
{
    static const dit_original_query any;
    dit_error own = {0};
    dit_facts facts = {.file = file};
    const dit_row *family = find_family(&facts, query ? query : &any);
    *out = NULL;
    if (!family)
        return DIT_OK;
    dit_original *o = calloc(1, sizeof *o);
    if (!o)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", dit_tensor_file_path(file));
    *o = (dit_original){.file = file, .family = family, .facts = facts};
    if (!dit_facts_sort(&o->facts))
        dit_fail(&own, DIT_NO_MEMORY, "%s: no memory for the names of its tensors", dit_tensor_file_path(file));
    if (own.status || dit_original_configure(o, query ? query->known : NULL, &own)) {
        dit_original_free(o);
        return dit_fail(error, own.status, "%s", own.message);
    }
    *out = o;
    return DIT_OK;
}

const char *const *dit_original_prefixes(void)
{
    return prefixes;
}

void dit_original_free(dit_original *o)
{
    if (!o)
        return;
    free(o->config);
    free((void *)o->facts.sorted);
    free(o);
}

const char *dit_original_class(const dit_original *o)
{
    return o->family->to;
}

const char *dit_original_family(const dit_original *o)
{
    return o->family->from;
}

const char *dit_original_prefix(const dit_original *o)
{
    return o->facts.prefix;
}

const char *dit_original_config(const dit_original *o)
{
    return o->config;
}

// ---- Names alone, for adapters

// How many transformer_blocks.N there are: what `{num_layers - 1}` in a pattern needs.
static int64_t count_layers(const dit_weights *weights)
{
    int64_t count = 0;
    for (int i = 0; i < dit_weights_count(weights); i++) {
        static const char start[] = "transformer_blocks.";
        const char *name = dit_weights_at(weights, i)->name;
        if (!strncmp(name, start, sizeof start - 1)) {
            long n = strtol(name + sizeof start - 1, NULL, 10) + 1;
            count = n > count ? n : count;
        }
    }
    return count;
}

// The targets of `row`, a comma-separated list.
static bool fill_targets(const dit_facts *facts, const dit_row *row, const dit_captures *captured, dit_renamed *renamed)
{
    const char *target = row->to;
    *renamed = (dit_renamed){.consecutive = row->kind == DIT_ROW_SPLIT, .swapped = row->kind == DIT_ROW_SWAP};
    while (target && *target && renamed->count < (int)(sizeof renamed->name / sizeof *renamed->name)) {
        char text[300], expanded[600];
        dit_error ignored = {0};
        int64_t repeats;
        size_t length = strcspn(target, ",");
        snprintf(text, sizeof text, "%.*s", (int)length, target);
        if (dit_names_expand(facts, text, 0, expanded, sizeof expanded, &repeats, &ignored) || repeats != 1 ||
            !dit_names_fill(expanded, captured, renamed->name[renamed->count++], sizeof *renamed->name))
            return false;
        target += length;
        target += strspn(target, ", ");
    }
    return renamed->count > 0;
}

// Whether the row says where a part of a tensor goes that is added to it: as it is, or in halves.
static bool moves_rows(const dit_row *r)
{
    return r->kind == DIT_ROW_MOVE || r->kind == DIT_ROW_SPLIT || r->kind == DIT_ROW_SWAP || r->kind == DIT_ROW_FLATTEN;
}

// Writes the dots of a weight's name for those underscores in `name` that stand for them.
static void restore_dots(const dit_weights *weights, char *name)
{
    for (int i = 0; i < dit_weights_count(weights); i++) {
        const char *weight = dit_weights_at(weights, i)->name;
        size_t n = 0;
        while (weight[n] && (weight[n] == name[n] || (weight[n] == '.' && name[n] == '_')))
            n++;
        if (!weight[n] && !name[n]) {
            memcpy(name, weight, n);
            return;
        }
    }
}

bool dit_original_rename(const char *class_name, const char *name, bool underscored, const dit_weights *weights,
                         dit_renamed *renamed)
{
    const dit_facts facts = {.count = 1, .number[0] = {"num_layers", count_layers(weights)}};
    bool of_class = false;
    for (size_t i = 0; i < ROWS; i++) {
        const dit_row *r = &rows[i];
        char pattern[600];
        dit_captures captured;
        dit_error ignored = {0};
        int64_t repeats;
        if (r->kind == DIT_ROW_FAMILY)
            of_class = !strcmp(r->to, class_name);
        if (!of_class || r->kind < DIT_ROW_MOVE ||
            dit_names_expand(&facts, r->from, 0, pattern, sizeof pattern, &repeats, &ignored))
            continue;
        if (!dit_names_match(pattern, name, underscored, &captured))
            continue;
        bool filled = moves_rows(r) && fill_targets(&facts, r, &captured, renamed);
        for (int k = 0; filled && underscored && k < renamed->count; k++)
            if (!dit_weights_find(weights, renamed->name[k]))
                restore_dots(weights, renamed->name[k]);
        if (!r->condition || (filled && dit_weights_find(weights, renamed->name[0]))) // else it is for other networks
            return filled;
    }
    return false;
}
