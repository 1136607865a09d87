// io/json.c: typed access to parsed JSON.
#include "io/json.h"
#include "io/json_private.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dit_json dit_json_root(dit_json_file *file)
{
    return (dit_json){file, file->root, ""};
}

const char *dit_json_file_name(const dit_json_file *file)
{
    return file->name;
}

dit_status dit_json_fail(dit_json object, const char *key, dit_error *error, const char *format, ...)
{
    char words[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return dit_fail(error, DIT_BAD_FILE, "%s: \"%s%s%.80s\" %s", object.file->name, object.path,
                    *object.path ? "." : "", key, words);
}

// What a value looks like in a message: short whatever the file holds.
static const char *describe(const json_t *value, char text[64])
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        snprintf(text, 64, "a list of %zu", json_array_size(value));
        return text;
    case JSON_STRING:
        snprintf(text, 64, "the text \"%.40s\"", json_string_value(value));
        return text;
    case JSON_INTEGER:
        snprintf(text, 64, "%lld", (long long)json_integer_value(value));
        return text;
    case JSON_REAL:
        snprintf(text, 64, "%.9g", json_real_value(value));
        if (!strpbrk(text, ".en"))
            strcat(text, ".0");
        return text;
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return "null";
    }
}

static void mark_read(dit_json object, const char *key, dit_error *error)
{
    size_t room = strlen(object.path) + strlen(key) + 2;
    char *place = malloc(room);
    if (!place) {
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", object.file->name);
        return;
    }
    snprintf(place, room, "%s\x1f%s", object.path, key);
    if (json_object_set_new_nocheck(object.file->read, place, json_true()))
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", object.file->name);
    free(place);
}

// The value of a key, or NULL with an error when it is missing or not an object's. Null counts as missing.
static json_t *find(dit_json object, const char *key, dit_error *error)
{
    if (object.value && !json_is_object(object.value)) {
        dit_fail(error, DIT_BAD_FILE, "%s: %s%s%s is a list where an object with \"%s\" is needed", object.file->name,
                 *object.path ? "\"" : "the top level", object.path, *object.path ? "\"" : "", key);
        return NULL;
    }
    mark_read(object, key, error);
    json_t *value = json_object_get(object.value, key);
    if (!value)
        dit_json_fail(object, key, error, "is missing");
    else if (json_is_null(value))
        dit_json_fail(object, key, error, "is null; it needs a value");
    return json_is_null(value) ? NULL : value;
}

bool dit_json_has(dit_json object, const char *key)
{
    json_t *value = json_object_get(object.value, key);
    return value && !json_is_null(value);
}

bool dit_json_is_null(dit_json object, const char *key, dit_error *error)
{
    mark_read(object, key, error);
    return json_is_null(json_object_get(object.value, key));
}

// Whether an `_or` getter takes its default. The key counts as read either way.
static bool is_absent(dit_json object, const char *key, dit_error *error)
{
    if (dit_json_has(object, key) || (object.value && !json_is_object(object.value)))
        return false;
    mark_read(object, key, error);
    return true;
}

static bool check_int(dit_json object, const char *key, const json_t *value, int64_t least, int64_t most,
                      dit_error *error)
{
    char text[64];
    if (json_is_integer(value) && json_integer_value(value) >= least && json_integer_value(value) <= most)
        return true;
    if (least == INT64_MIN && most == INT64_MAX)
        dit_json_fail(object, key, error, "is %s; it must be an integer", describe(value, text));
    else if (most == INT64_MAX)
        dit_json_fail(object, key, error, "is %s; it must be an integer of at least %lld", describe(value, text),
                      (long long)least);
    else
        dit_json_fail(object, key, error, "is %s; it must be an integer from %lld to %lld", describe(value, text),
                      (long long)least, (long long)most);
    return false;
}

static bool check_number(dit_json object, const char *key, const json_t *value, double number, double least,
                         double most, dit_error *error)
{
    char text[64];
    if (json_is_number(value) && number >= least && number <= most)
        return true;
    const char *found = isinf(number) ? "-Infinity" : describe(value, text);
    if (isinf(least) && isinf(most))
        dit_json_fail(object, key, error, "is %s; it must be a number", found);
    else if (isinf(most))
        dit_json_fail(object, key, error, "is %s; it must be a number of at least %g", found, least);
    else if (isinf(least))
        dit_json_fail(object, key, error, "is %s; it must be a number of at most %g", found, most);
    else
        dit_json_fail(object, key, error, "is %s; it must be a number from %g to %g", found, least, most);
    return false;
}

static json_t *find_type(dit_json object, const char *key, json_type type, const char *needed, dit_error *error)
{
    char text[64];
    json_t *value = find(object, key, error);
    if (value && json_typeof(value) != type) {
        dit_json_fail(object, key, error, "is %s; it must be %s", describe(value, text), needed);
        return NULL;
    }
    return value;
}

int64_t dit_json_int(dit_json object, const char *key, int64_t least, int64_t most, dit_error *error)
{
    json_t *value = find(object, key, error);
    if (value && check_int(object, key, value, least, most, error))
        return json_integer_value(value);
    return least > 0 ? least : most < 0 ? most : 0;
}

double dit_json_number(dit_json object, const char *key, double least, double most, dit_error *error)
{
    json_t *value = find(object, key, error);
    double nearest = least > 0 ? least : most < 0 ? most : 0;
    if (!value)
        return nearest;
    double number = json_number_value(value);
    if (object.file->minus_infinity && object.value == object.file->root && !strcmp(key, "lambda_min_clipped"))
        number = -INFINITY;
    return check_number(object, key, value, number, least, most, error) ? number : nearest;
}

bool dit_json_bool(dit_json object, const char *key, dit_error *error)
{
    char text[64];
    json_t *value = find(object, key, error);
    if (value && !json_is_boolean(value))
        dit_json_fail(object, key, error, "is %s; it must be true or false", describe(value, text));
    return json_is_true(value);
}

const char *dit_json_text(dit_json object, const char *key, dit_error *error)
{
    json_t *value = find_type(object, key, JSON_STRING, "a text", error);
    return value ? json_string_value(value) : "";
}

int dit_json_choice(dit_json object, const char *key, const char *const *names, dit_error *error)
{
    json_t *value = find_type(object, key, JSON_STRING, "a text", error);
    if (!value)
        return 0;
    char known[240] = "";
    size_t used = 0;
    for (int i = 0; names[i]; i++) {
        if (!strcmp(names[i], json_string_value(value)))
            return i;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, i ? ", %s" : "%s", names[i]);
    }
    dit_json_fail(object, key, error, "is \"%.40s\"; known are: %s", json_string_value(value), known);
    return 0;
}

static dit_json descend(dit_json parent, const char *key, json_t *value, dit_error *error)
{
    dit_json child = {parent.file, value,
                      *parent.path ? dit_arena_printf(parent.file->arena, "%s.%s", parent.path, key)
                                   : dit_arena_copy_text(parent.file->arena, key)};
    if (child.path)
        return child;
    dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", parent.file->name);
    return (dit_json){parent.file, NULL, ""};
}

dit_json dit_json_object(dit_json object, const char *key, dit_error *error)
{
    return descend(object, key, find_type(object, key, JSON_OBJECT, "an object", error), error);
}

dit_json dit_json_list(dit_json object, const char *key, dit_error *error)
{
    return descend(object, key, find_type(object, key, JSON_ARRAY, "a list", error), error);
}

int64_t dit_json_int_or(dit_json object, const char *key, int64_t otherwise, int64_t least, int64_t most,
                        dit_error *error)
{
    return is_absent(object, key, error) ? otherwise : dit_json_int(object, key, least, most, error);
}

double dit_json_number_or(dit_json object, const char *key, double otherwise, double least, double most,
                          dit_error *error)
{
    return is_absent(object, key, error) ? otherwise : dit_json_number(object, key, least, most, error);
}

bool dit_json_bool_or(dit_json object, const char *key, bool otherwise, dit_error *error)
{
    return is_absent(object, key, error) ? otherwise : dit_json_bool(object, key, error);
}

bool dit_json_switch_or(dit_json object, const char *key, bool otherwise, dit_error *error)
{
    return dit_json_bool_or(object, key, otherwise && !dit_json_is_null(object, key, error), error);
}

const char *dit_json_text_or(dit_json object, const char *key, const char *otherwise, dit_error *error)
{
    return is_absent(object, key, error) ? otherwise : dit_json_text(object, key, error);
}

int dit_json_choice_or(dit_json object, const char *key, const char *const *names, int otherwise, dit_error *error)
{
    return is_absent(object, key, error) ? otherwise : dit_json_choice(object, key, names, error);
}

dit_json dit_json_object_or_empty(dit_json object, const char *key, dit_error *error)
{
    return is_absent(object, key, error) ? descend(object, key, NULL, error) : dit_json_object(object, key, error);
}

dit_json dit_json_list_or_empty(dit_json object, const char *key, dit_error *error)
{
    return is_absent(object, key, error) ? descend(object, key, NULL, error) : dit_json_list(object, key, error);
}

// The list of a key with `fewest` to `most` items, or NULL.
static json_t *find_items(dit_json object, const char *key, size_t fewest, size_t most, dit_error *error)
{
    json_t *list = find_type(object, key, JSON_ARRAY, "a list", error);
    size_t count = json_array_size(list);
    if (!list || (count >= fewest && count <= most))
        return list;
    if (fewest == most)
        dit_json_fail(object, key, error, "is a list of %zu; it must have %zu", count, fewest);
    else
        dit_json_fail(object, key, error, "is a list of %zu; it must have %zu to %zu", count, fewest, most);
    return NULL;
}

size_t dit_json_ints(dit_json object, const char *key, int64_t *values, size_t fewest, size_t room, int64_t least,
                     int64_t most, dit_error *error)
{
    json_t *list = find_items(object, key, fewest, room, error);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        char name[120];
        snprintf(name, sizeof name, "%s.%zu", key, i);
        if (!check_int(object, name, item, least, most, error))
            return 0;
        values[i] = json_integer_value(item);
    }
    return json_array_size(list);
}

size_t dit_json_numbers(dit_json object, const char *key, double *values, size_t fewest, size_t room, double least,
                        double most, dit_error *error)
{
    json_t *list = find_items(object, key, fewest, room, error);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        char name[120];
        snprintf(name, sizeof name, "%s.%zu", key, i);
        if (!check_number(object, name, item, json_number_value(item), least, most, error))
            return 0;
        values[i] = json_number_value(item);
    }
    return json_array_size(list);
}

size_t dit_json_count(dit_json list)
{
    return json_array_size(list.value);
}

dit_json dit_json_item(dit_json list, size_t index, dit_error *error)
{
    char name[32], text[64];
    snprintf(name, sizeof name, "%zu", index);
    json_t *value = json_array_get(list.value, index);
    if (!value)
        dit_json_fail(list, name, error, "is missing; the list has %zu", dit_json_count(list));
    else if (!json_is_object(value))
        dit_json_fail(list, name, error, "is %s; it must be an object", describe(value, text));
    return descend(list, name, json_is_object(value) ? value : NULL, error);
}

void dit_json_ignore(dit_json object, const char *const *keys, dit_error *error)
{
    for (; *keys; keys++)
        mark_read(object, *keys, error);
}

void dit_json_refuse_unread(dit_json object, dit_error *error)
{
    const char *key;
    json_t *value;
    size_t path = strlen(object.path);
    json_object_foreach(object.value, key, value)
    {
        if (*key == '_' || json_is_null(value)) // null is "not set", whatever it is
            continue;
        char *place = malloc(path + strlen(key) + 2);
        if (!place) {
            dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", object.file->name);
            return;
        }
        sprintf(place, "%s\x1f%s", object.path, key);
        bool known = json_object_get(object.file->read, place) != NULL;
        free(place);
        if (!known) {
            dit_json_fail(object, key, error, "is unknown here; nothing reads it");
            return;
        }
    }
}
