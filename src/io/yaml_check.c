// io/yaml_check.c: a document against a libcyaml schema, strictly and with lines. libcyaml itself takes `0x10`, `nan`,
// `no` and most other words for numbers and booleans, and lets a key stand twice.
#include "io/yaml_private.h"
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const struct yaml_node *node, const char *const *words)
{
    if (node->kind != YAML_SCALAR || !node->plain)
        return false;
    for (; *words; words++)
        if (!strcmp(node->text, *words))
            return true;
    return false;
}

bool yaml_is_null(const struct yaml_node *node)
{
    return is_one_of(node, (const char *const[]){"", "~", "null", "Null", "NULL", NULL});
}

static bool is_boolean(const struct yaml_node *node)
{
    return is_one_of(node, (const char *const[]){"true", "false", "True", "False", "TRUE", "FALSE", NULL});
}

static const char *skip_digits(const char *c)
{
    while (*c >= '0' && *c <= '9')
        c++;
    return c;
}

bool yaml_is_integer(const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR || !node->plain)
        return false;
    const char *digits = node->text + (*node->text == '-' || *node->text == '+'), *end = skip_digits(digits);
    // 010 is eight to some readers and ten to others.
    return end > digits && !*end && (*digits != '0' || end == digits + 1);
}

bool yaml_is_number(const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR || !node->plain)
        return false;
    const char *c = node->text + (*node->text == '-' || *node->text == '+'), *whole = c;
    c = skip_digits(c);
    bool digits = c > whole;
    if (*c == '.') {
        const char *fraction = ++c;
        c = skip_digits(c);
        digits |= c > fraction;
    }
    if (digits && (*c == 'e' || *c == 'E')) {
        c += 1 + (c[1] == '-' || c[1] == '+');
        const char *exponent = c;
        c = skip_digits(c);
        digits = c > exponent;
    }
    return digits && !*c;
}

const char *yaml_describe(const struct yaml_node *node, char text[64])
{
    if (node->kind == YAML_MAPPING)
        return "a mapping";
    if (node->kind == YAML_SEQUENCE)
        snprintf(text, 64, "a list of %zu", node->count);
    else if (yaml_is_null(node))
        return "empty";
    else if (yaml_is_number(node) || is_boolean(node))
        snprintf(text, 64, "%.48s", node->text);
    else
        snprintf(text, 64, "the text \"%.40s\"", node->text);
    return text;
}

dit_status yaml_fail_at(const dit_yaml *document, const struct yaml_node *node, const char *path, dit_error *error,
                        const char *format, ...)
{
    char words[320], where[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (node && node->override)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--set %.120s: \"%.120s\" %s", node->override, path, words);
    *where = 0;
    if (node && node->line)
        snprintf(where, sizeof where, "line %d: ", node->line);
    return dit_fail(error, DIT_BAD_FILE, "%s: %s\"%.120s\" %s", document->name, where, path, words);
}

struct check {
    const dit_yaml *document;
    dit_error *error;
};

#define FAIL(node, path, ...) yaml_fail_at(check->document, node, path, check->error, __VA_ARGS__)

static dit_status check_value(const struct check *check, const struct yaml_node *node,
                              const cyaml_schema_value_t *schema, const char *path);

// "path.key", freed by the caller; NULL when memory is out.
static char *join(const char *path, const char *key)
{
    size_t size = strlen(path) + strlen(key) + 2;
    char *joined = malloc(size);
    if (joined)
        snprintf(joined, size, *path ? "%s.%s" : "%s%s", path, key);
    return joined;
}

static dit_status check_child(const struct check *check, const struct yaml_node *node, const char *key,
                              const cyaml_schema_value_t *schema, const char *path)
{
    char *child_path = join(path, key);
    if (!child_path)
        return dit_fail(check->error, DIT_NO_MEMORY, "%s: no memory to check it", check->document->name);
    dit_status status = check_value(check, node, schema, child_path);
    free(child_path);
    return status;
}

static dit_status check_integer(const struct check *check, const struct yaml_node *node,
                                const cyaml_schema_value_t *schema, const char *path)
{
    char text[64];
    bool is_signed = schema->type == CYAML_INT;
    unsigned bits = schema->data_size >= 8 ? 64 : 8 * schema->data_size;
    int64_t least = is_signed ? INT64_MIN >> (64 - bits) : 0;
    uint64_t most = UINT64_MAX >> (64 - bits) >> is_signed;
    if (!yaml_is_integer(node))
        return FAIL(node, path, "is %s; it must be an integer", yaml_describe(node, text));
    errno = 0;
    bool negative = *node->text == '-', fits;
    if (negative) {
        int64_t value = strtoll(node->text, NULL, 10);
        fits = errno != ERANGE && value >= least;
    } else {
        uint64_t value = strtoull(node->text, NULL, 10);
        fits = errno != ERANGE && value <= most;
    }
    if (fits)
        return DIT_OK;
    return FAIL(node, path, "is %s; it must be an integer from %lld to %llu", yaml_describe(node, text),
                (long long)least, (unsigned long long)most);
}

static dit_status check_float(const struct check *check, const struct yaml_node *node,
                              const cyaml_schema_value_t *schema, const char *path)
{
    char text[64];
    if (!yaml_is_number(node))
        return FAIL(node, path, "is %s; it must be a finite number", yaml_describe(node, text));
    double most = schema->data_size == sizeof(float) ? FLT_MAX : DBL_MAX;
    if (fabs(strtod(node->text, NULL)) <= most)
        return DIT_OK;
    return FAIL(node, path, "is %s; it must be a finite number of at most %g", yaml_describe(node, text), most);
}

static dit_status check_name(const struct check *check, const struct yaml_node *node,
                             const cyaml_schema_value_t *schema, const char *path)
{
    char known[240] = "", text[64];
    size_t used = 0;
    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        const char *name = schema->enumeration.strings[i].str;
        if (node->kind == YAML_SCALAR && !strcmp(node->text, name))
            return DIT_OK;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, i ? ", %s" : "%s", name);
    }
    return FAIL(node, path, "is %s; known are: %s", yaml_describe(node, text), known);
}

static dit_status check_text(const struct check *check, const struct yaml_node *node,
                             const cyaml_schema_value_t *schema, const char *path)
{
    char text[64];
    if (node->kind != YAML_SCALAR || yaml_is_null(node))
        return FAIL(node, path, "is %s; it must be a text", yaml_describe(node, text));
    if (is_boolean(node))
        return FAIL(node, path, "is %s; it must be a text (put it in quotes if it is one)", yaml_describe(node, text));
    size_t length = strlen(node->text);
    if (length < schema->string.min || length > schema->string.max)
        return FAIL(node, path, "has %zu bytes; it must have %u to %u", length, schema->string.min, schema->string.max);
    return DIT_OK;
}

static dit_status check_items(const struct check *check, const struct yaml_node *node,
                              const cyaml_schema_value_t *schema, const char *path)
{
    char text[64];
    bool flags = schema->type == CYAML_FLAGS;
    if (node->kind != YAML_SEQUENCE)
        return FAIL(node, path, "is %s; it must be a list", yaml_describe(node, text));
    if (!flags && (node->count < schema->sequence.min || node->count > schema->sequence.max))
        return FAIL(node, path, "is a list of %zu; it must have %u to %u items", node->count, schema->sequence.min,
                    schema->sequence.max);
    size_t index = 0;
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        char key[24];
        snprintf(key, sizeof key, "%zu", index++);
        dit_status status;
        if (flags) {
            char *child_path = join(path, key);
            if (!child_path)
                return dit_fail(check->error, DIT_NO_MEMORY, "%s: no memory to check it", check->document->name);
            status = check_name(check, child, schema, child_path);
            free(child_path);
        } else {
            status = check_child(check, child, key, schema->sequence.entry, path);
        }
        if (status)
            return status;
    }
    return DIT_OK;
}

static dit_status fail_unknown(const struct check *check, const struct yaml_node *child,
                               const cyaml_schema_field_t *fields, const char *path)
{
    char known[240] = "";
    size_t used = 0;
    for (const cyaml_schema_field_t *f = fields; f->key && used < sizeof known; f++)
        used += (size_t)snprintf(known + used, sizeof known - used, f > fields ? ", %s" : "%s", f->key);
    char *child_path = join(path, child->key);
    dit_status status = FAIL(child, child_path ? child_path : child->key, "is unknown; known here are: %s", known);
    free(child_path);
    return status;
}

static dit_status check_mapping(const struct check *check, const struct yaml_node *node,
                                const cyaml_schema_value_t *schema, const char *path)
{
    char text[64];
    const cyaml_schema_field_t *fields = schema->mapping.fields;
    if (node->kind != YAML_MAPPING)
        return FAIL(node, path, "is %s; it must be a mapping", yaml_describe(node, text));
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        const cyaml_schema_field_t *f = fields;
        while (f->key && strcmp(f->key, child->key))
            f++;
        dit_status status =
            f->key ? check_child(check, child, f->key, &f->value, path) : fail_unknown(check, child, fields, path);
        if (status)
            return status;
    }
    for (const cyaml_schema_field_t *f = fields; f->key; f++) {
        if (f->value.flags & CYAML_FLAG_OPTIONAL || yaml_child(node, f->key, strlen(f->key)))
            continue;
        char *child_path = join(path, f->key);
        dit_status status = FAIL(node, child_path ? child_path : f->key, "is missing");
        free(child_path);
        return status;
    }
    return DIT_OK;
}

static dit_status check_value(const struct check *check, const struct yaml_node *node,
                              const cyaml_schema_value_t *schema, const char *path)
{
    char text[64];
    bool may_be_null = (schema->flags & CYAML_FLAG_POINTER_NULL) == CYAML_FLAG_POINTER_NULL;
    if (yaml_is_null(node) && schema->type != CYAML_IGNORE)
        return may_be_null ? DIT_OK : FAIL(node, path, "is empty; it needs a value");
    switch (schema->type) {
    case CYAML_INT:
    case CYAML_UINT:
        return check_integer(check, node, schema, path);
    case CYAML_FLOAT:
        return check_float(check, node, schema, path);
    case CYAML_BOOL:
        return is_boolean(node) ? DIT_OK
                                : FAIL(node, path, "is %s; it must be true or false", yaml_describe(node, text));
    case CYAML_ENUM:
        return check_name(check, node, schema, path);
    case CYAML_STRING:
        return check_text(check, node, schema, path);
    case CYAML_MAPPING:
        return check_mapping(check, node, schema, path);
    case CYAML_FLAGS:
    case CYAML_SEQUENCE:
    case CYAML_SEQUENCE_FIXED:
        return check_items(check, node, schema, path);
    case CYAML_IGNORE:
        return DIT_OK;
    default:
        return FAIL(node, path, "has a type that is not supported");
    }
}

dit_status yaml_check(const dit_yaml *document, const struct yaml_node *node, const cyaml_schema_value_t *schema,
                      const char *path, dit_error *error)
{
    return check_value(&(struct check){document, error}, node, schema, path);
}
