// io/yaml.c: documents from a file, defaults and overrides; into structs and back to text.
#include "io/yaml.h"
#include "io/file.h"
#include "io/yaml_private.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { LARGEST_FILE = 1 << 20 };

static dit_status no_memory(const char *name, dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", name);
}

// Gives `to` every key that only `from` has.
static void merge_missing(struct yaml_node *to, struct yaml_node *from)
{
    for (struct yaml_node *child = from->first, *next; child; child = next) {
        next = child->next;
        struct yaml_node *own = yaml_child(to, child->key, strlen(child->key));
        if (own && own->kind == YAML_MAPPING && child->kind == YAML_MAPPING) {
            merge_missing(own, child);
        } else if (!own) {
            child->next = NULL;
            yaml_append(to, child);
        }
    }
}

static dit_status merge_defaults(dit_yaml *document, const char *defaults, dit_error *error)
{
    struct yaml_source source = {.arena = document->arena, .name = "the defaults", .defaults = true};
    struct yaml_node *root;
    dit_status status = yaml_parse_tree(&source, defaults, strlen(defaults), &root, error);
    if (!status && root && root->kind == YAML_MAPPING)
        merge_missing(document->root, root);
    return status;
}

static dit_status bad_override(const char *override, dit_error *error, const char *what)
{
    return dit_fail(error, DIT_BAD_ARGUMENT, "--set %.200s: %s", override, what);
}

// The child of that key, made if a mapping lacks it; NULL with an error when there can be none.
static struct yaml_node *descend(dit_yaml *document, struct yaml_node *node, const char *key, size_t length,
                                 const char *override, dit_error *error)
{
    if (node->kind == YAML_SCALAR && (yaml_is_null(node) || node->override == override)) {
        node->kind = YAML_MAPPING; // the value of `key:` with nothing after it, or a node made just before
        node->override = override;
    }
    struct yaml_node *child = node->kind == YAML_SCALAR ? NULL : yaml_child(node, key, length);
    if (child)
        return child;
    if (length == 0) {
        bad_override(override, error, "a key is empty");
    } else if (node->kind == YAML_SEQUENCE) {
        bad_override(override, error, "the list has no such item");
    } else if (node->kind == YAML_SCALAR) {
        bad_override(override, error, "the path goes on below a value that is no mapping");
    } else {
        char *copy = dit_arena_printf(document->arena, "%.*s", (int)length, key);
        child = dit_arena_alloc(document->arena, sizeof *child);
        if (copy && child) {
            *child =
                (struct yaml_node){.kind = YAML_SCALAR, .plain = true, .text = "", .key = copy, .override = override};
            yaml_append(node, child);
            return child;
        }
        no_memory(document->name, error);
    }
    return NULL;
}

static dit_status apply_override(dit_yaml *document, const char *given, dit_error *error)
{
    const char *override = dit_arena_copy_text(document->arena, given);
    if (!override)
        return no_memory(document->name, error);
    const char *equals = strchr(override, '=');
    if (!equals || equals == override)
        return bad_override(override, error, "must be key.path=value");
    struct yaml_source source = {.arena = document->arena, .name = document->name, .override = override};
    struct yaml_node *value, *target = document->root;
    dit_status status = yaml_parse_tree(&source, equals + 1, strlen(equals + 1), &value, error);
    if (status)
        return status;
    for (const char *key = override; key < equals;) {
        size_t length = strcspn(key, ".=");
        target = descend(document, target, key, length, override, error);
        if (!target)
            return error->status;
        key += length + 1;
        if (key == equals)
            return bad_override(override, error, "a key is empty");
    }
    static const struct yaml_node empty = {.kind = YAML_SCALAR, .plain = true, .text = ""};
    struct yaml_node old = *target;
    *target = value ? *value : empty;
    target->key = old.key;
    target->next = old.next;
    target->override = override;
    return DIT_OK;
}

static dit_status build(dit_yaml *document, const char *text, size_t size, const char *defaults,
                        const char *const *overrides, size_t count, dit_error *error)
{
    struct yaml_source source = {.arena = document->arena, .name = document->name};
    dit_status status = yaml_parse_tree(&source, text, size, &document->root, error);
    if (status)
        return status;
    if (!document->root || yaml_is_null(document->root))
        return dit_fail(error, DIT_BAD_FILE, "%s: is empty; a mapping (`key: value`) is needed", document->name);
    if (document->root->kind != YAML_MAPPING)
        return dit_fail(error, DIT_BAD_FILE, "%s: line %d: the top level must be a mapping (`key: value`)",
                        document->name, document->root->line);
    if (defaults)
        status = merge_defaults(document, defaults, error);
    for (size_t i = 0; i < count && !status; i++)
        status = apply_override(document, overrides[i], error);
    return status;
}

dit_status dit_yaml_parse(dit_yaml **out, const char *name, const char *text, size_t size, const char *defaults,
                          const char *const *overrides, size_t override_count, dit_error *error)
{
    if (size > LARGEST_FILE)
        return dit_fail(error, DIT_BAD_FILE, "%s: has %zu bytes; a file of this kind has at most %d", name, size,
                        LARGEST_FILE);
    dit_yaml *document = calloc(1, sizeof *document);
    if (document) {
        document->arena = dit_arena_new();
        document->name = document->arena ? dit_arena_copy_text(document->arena, name) : NULL;
    }
    dit_error found = {0};
    dit_status status = document && document->name
                            ? build(document, text, size, defaults, overrides, override_count, &found)
                            : no_memory(name, &found);
    if (status) {
        dit_yaml_close(document);
        return dit_fail(error, status, "%s", found.message);
    }
    *out = document;
    return DIT_OK;
}

dit_status dit_yaml_open(dit_yaml **document, const char *path, const char *defaults, const char *const *overrides,
                         size_t override_count, dit_error *error)
{
    char *text;
    size_t size;
    dit_status status = dit_file_read(path, LARGEST_FILE, &text, &size, error);
    if (status)
        return status;
    status = dit_yaml_parse(document, path, text, size, defaults, overrides, override_count, error);
    free(text);
    return status;
}

void dit_yaml_close(dit_yaml *document)
{
    if (!document)
        return;
    dit_arena_free(document->arena);
    free(document);
}

// libcyaml's own words, should it refuse what the checks here let pass.
static void keep_first_error(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    char *words = context;
    if (level < CYAML_LOG_ERROR || *words)
        return;
    vsnprintf(words, 160, format, arguments);
    words[strcspn(words, "\n")] = 0;
}

dit_status dit_yaml_load(const dit_yaml *document, const cyaml_schema_value_t *schema, void **data, dit_error *error)
{
    dit_status status = yaml_check(document, document->root, schema, "", error);
    if (status)
        return status;
    char *text, words[160] = "";
    size_t size;
    status = dit_yaml_write(document, &text, &size, error);
    if (status)
        return status;
    const cyaml_config_t config = {.log_fn = keep_first_error,
                                   .log_ctx = words,
                                   .mem_fn = cyaml_mem,
                                   .log_level = CYAML_LOG_ERROR,
                                   .flags = CYAML_CFG_NO_ALIAS};
    // libcyaml reads numbers by the thread's locale.
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);
    cyaml_data_t *loaded = NULL;
    cyaml_err_t code = cyaml_load_data((const uint8_t *)text, size, &config, schema, &loaded, NULL);
    uselocale(before);
    if (c)
        freelocale(c);
    free(text);
    if (code == CYAML_ERR_OOM)
        return no_memory(document->name, error);
    if (code != CYAML_OK)
        return dit_fail(error, DIT_BAD_FILE, "%s: %s (%s)", document->name, *words ? words : "cannot be loaded",
                        cyaml_strerror(code));
    *data = loaded;
    return DIT_OK;
}

void dit_yaml_free_data(const cyaml_schema_value_t *schema, void *data)
{
    const cyaml_config_t config = {.mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR};
    if (data)
        cyaml_free(&config, schema, data, 0);
}

// The node at a path, or the deepest one on the way to it, when `*whole` is false.
static const struct yaml_node *find(const dit_yaml *document, const char *path, bool *whole)
{
    const struct yaml_node *node = document->root;
    while (*path) {
        size_t length = strcspn(path, ".");
        const struct yaml_node *child = node->kind == YAML_SCALAR ? NULL : yaml_child(node, path, length);
        *whole = child != NULL;
        if (!child)
            return node;
        node = child;
        path += length + (path[length] == '.');
    }
    *whole = true;
    return node;
}

bool dit_yaml_has(const dit_yaml *document, const char *path)
{
    bool whole;
    const struct yaml_node *node = find(document, path, &whole);
    return whole && !yaml_is_null(node);
}

dit_status dit_yaml_fail(const dit_yaml *document, const char *path, dit_error *error, const char *format, ...)
{
    char words[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    bool whole;
    const struct yaml_node *node = find(document, path, &whole);
    return yaml_fail_at(document, node == document->root ? NULL : node, path, error, "%s", words);
}

static dit_status check_number(const dit_yaml *document, const struct yaml_node *node, const char *path, double least,
                               double most, dit_error *error)
{
    char text[64];
    double value = yaml_is_number(node) ? strtod(node->text, NULL) : 0;
    if (yaml_is_null(node) || (yaml_is_number(node) && value >= least && value <= most))
        return DIT_OK;
    const char *found = yaml_describe(node, text);
    if (isinf(most))
        return yaml_fail_at(document, node, path, error, "is %s; it must be at least %.9g", found, least);
    if (isinf(least))
        return yaml_fail_at(document, node, path, error, "is %s; it must be at most %.9g", found, most);
    return yaml_fail_at(document, node, path, error, "is %s; it must be from %.9g to %.9g", found, least, most);
}

// `path` is the whole path, for messages; `rest` what is left of it below `node`.
static dit_status check_range(const dit_yaml *document, const struct yaml_node *node, const char *path,
                              const char *rest, double least, double most, dit_error *error)
{
    if (!*rest)
        return check_number(document, node, path, least, most, error);
    size_t length = strcspn(rest, ".");
    const char *below = rest + length + (rest[length] == '.');
    if (node->kind == YAML_SCALAR)
        return DIT_OK;
    if (length != 1 || *rest != '*') {
        const struct yaml_node *child = yaml_child(node, rest, length);
        return child ? check_range(document, child, path, below, least, most, error) : DIT_OK;
    }
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        dit_status status = check_range(document, child, path, below, least, most, error);
        if (status)
            return status;
    }
    return DIT_OK;
}

dit_status dit_yaml_check_range(const dit_yaml *document, const char *path, double least, double most, dit_error *error)
{
    return check_range(document, document->root, path, path, least, most, error);
}

struct text {
    char *bytes;
    size_t size, capacity;
};

static int append(void *context, unsigned char *bytes, size_t size)
{
    struct text *t = context;
    if (!dit_grow(&t->bytes, &t->capacity, t->size + size + 1, 1))
        return 0;
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = 0;
    return 1;
}

// Where a plain style cannot hold the text, libyaml quotes it by itself.
static bool emit_scalar(yaml_emitter_t *emitter, const char *text, bool plain)
{
    yaml_event_t event;
    yaml_scalar_style_t style = plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
                                        style) &&
           yaml_emitter_emit(emitter, &event);
}

// [1, 2, 3] on one line; but an empty item would become a quoted one there.
static bool fits_one_line(const struct yaml_node *sequence)
{
    for (const struct yaml_node *child = sequence->first; child; child = child->next)
        if (child->kind != YAML_SCALAR || yaml_is_null(child))
            return false;
    return true;
}

static bool emit_node(yaml_emitter_t *emitter, const struct yaml_node *node)
{
    yaml_event_t event;
    if (node->kind == YAML_SCALAR)
        return emit_scalar(emitter, node->text, node->plain);
    bool mapping = node->kind == YAML_MAPPING, good;
    if (mapping)
        good = yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
    else
        good = yaml_sequence_start_event_initialize(
            &event, NULL, NULL, 1, fits_one_line(node) ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
    good = good && yaml_emitter_emit(emitter, &event);
    for (const struct yaml_node *child = node->first; child && good; child = child->next)
        good = (!mapping || emit_scalar(emitter, child->key, true)) && emit_node(emitter, child);
    if (!good)
        return false;
    mapping ? yaml_mapping_end_event_initialize(&event) : yaml_sequence_end_event_initialize(&event);
    return yaml_emitter_emit(emitter, &event);
}

static bool emit_document(yaml_emitter_t *emitter, const struct yaml_node *root)
{
    yaml_event_t event;
    return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(emitter, &event) &&
           yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(emitter, &event) &&
           emit_node(emitter, root) && yaml_document_end_event_initialize(&event, 1) &&
           yaml_emitter_emit(emitter, &event) && yaml_stream_end_event_initialize(&event) &&
           yaml_emitter_emit(emitter, &event) && yaml_emitter_flush(emitter);
}

dit_status dit_yaml_write(const dit_yaml *document, char **text, size_t *size, dit_error *error)
{
    yaml_emitter_t emitter;
    struct text out = {0};
    if (!yaml_emitter_initialize(&emitter))
        return no_memory(document->name, error);
    yaml_emitter_set_output(&emitter, append, &out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    bool good = emit_document(&emitter, document->root);
    yaml_emitter_delete(&emitter);
    if (!good) {
        free(out.bytes);
        return no_memory(document->name, error);
    }
    *text = out.bytes;
    *size = out.size;
    return DIT_OK;
}
