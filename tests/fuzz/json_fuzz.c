// tests/fuzz/json_fuzz.c: any bytes as JSON, and every getter on every key of what parses.
#include "io/json.h"
#include <math.h>
#include <stdlib.h>

static void get_everything(dit_json object, int depth)
{
    static const char *const names[] = {"linear", "cosine", NULL};
    const char *key;
    json_t *value;
    json_object_foreach(object.value, key, value)
    {
        dit_error error = {0};
        int64_t integers[4];
        double numbers[4];
        dit_json_int(object, key, -5, 5, &error);
        dit_json_int_or(object, key, 1, INT64_MIN, INT64_MAX, &error);
        double number = dit_json_number(object, key, -INFINITY, INFINITY, &error);
        if (isnan(number) || number == INFINITY)
            abort();
        dit_json_bool(object, key, &error);
        dit_json_text(object, key, &error);
        dit_json_choice(object, key, names, &error);
        dit_json_ints(object, key, integers, 1, 4, 0, 100, &error);
        dit_json_numbers(object, key, numbers, 0, 4, 0, 100, &error);
        if (!error.status) // no value is of every type
            abort();
        error = (dit_error){0};
        dit_json list = dit_json_list_or_empty(object, key, &error);
        for (size_t i = 0; i < dit_json_count(list) && i < 4; i++)
            dit_json_item(list, i, &error);
        if (json_is_object(value) && depth < 8)
            get_everything(dit_json_object(object, key, &error), depth + 1);
    }
    dit_error error = {0};
    dit_json_refuse_unread(object, &error);
    if (error.status)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    for (unsigned flags = 0; flags < 2; flags++) {
        dit_json_file *file;
        dit_error error = {0};
        if (dit_json_parse(&file, "fuzz.json", (const char *)bytes, size, flags, &error)) {
            if (!*error.message)
                abort();
            continue;
        }
        get_everything(dit_json_root(file), 0);
        dit_json_close(file);
    }
    return 0;
}
