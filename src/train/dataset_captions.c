// train/dataset_captions.c: pictures listed with their captions in metadata.jsonl.
#include "base/name_map.h"
#include "io/file.h"
#include "io/json.h"
#include "train/dataset_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char list_name[] = "metadata.jsonl";
enum { LARGEST_LIST = 1 << 30, LARGEST_LINE = 1 << 20, MOST_KEYWORDS = 1000 }; // bytes, bytes, keywords a picture

// A reading of the list. Labels are numbered after the last line, when all are known.
struct listing {
    dit_dataset *set;
    const dit_dataset_options *options;
    dit_name_map labels;
    const char **label_of; // [set->count]
    size_t label_capacity;
};

bool dit_captions_found(const dit_dataset *set)
{
    return dit_is_file(dit_dataset_path(set, list_name));
}

// A path that stays in the folder: relative, without empty, "." and ".." parts.
static bool stays_inside(const char *path)
{
    for (const char *part = path;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 0 || (n <= 2 && !strncmp(part, "..", n)))
            return false;
        part += n;
        if (!*part)
            return true;
    }
}

static dit_status read_keywords(struct listing *l, dit_json line, dit_sample *sample, dit_error *error)
{
    dit_json list = dit_json_list_or_empty(line, "keywords", error);
    size_t count = dit_json_count(list);
    if (count > MOST_KEYWORDS)
        return dit_json_fail(line, "keywords", error, "has %zu entries; a picture has at most %d keywords", count,
                             MOST_KEYWORDS);
    const char **words = count ? dit_arena_alloc(l->set->arena, count * sizeof *words) : NULL;
    for (size_t i = 0; i < count && !error->status; i++) {
        const char *word = json_string_value(json_array_get(list.value, i));
        if (!word)
            return dit_json_fail(line, "keywords", error, "must be a list of texts");
        if (!words || !(words[i] = dit_arena_copy_text(l->set->arena, word)))
            return dit_fail(error, DIT_NO_MEMORY, "no memory for keywords");
    }
    sample->keywords = words;
    sample->keyword_count = (int)count;
    return error->status;
}

// A label is a text or a number, which is a class name too.
static dit_status read_label(struct listing *l, dit_json line, const char **label, dit_error *error)
{
    json_t *value = json_object_get(line.value, "label");
    *label = NULL;
    if (!value || json_is_null(value))
        return DIT_OK;
    if (!json_is_string(value) && !json_is_integer(value))
        return dit_json_fail(line, "label", error, "must be a text or an integer");
    const char *text = json_is_string(value)
                           ? dit_arena_copy_text(l->set->arena, json_string_value(value))
                           : dit_arena_printf(l->set->arena, "%lld", (long long)json_integer_value(value));
    if (!text)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for labels");
    int known = dit_name_map_find(&l->labels, text);
    if (known < 0) {
        if (l->labels.count >= DIT_MOST_CLASSES)
            return dit_json_fail(line, "label", error, "is the label number %d; that is too many", DIT_MOST_CLASSES);
        if (!dit_name_map_add(&l->labels, text, (int)l->labels.count))
            return dit_fail(error, DIT_NO_MEMORY, "no memory for labels");
    }
    *label = text;
    return DIT_OK;
}

// One parsed line.
static dit_status read_entry(struct listing *l, dit_json line, dit_error *error)
{
    dit_sample sample = {.label = -1};
    const char *label;
    const char *file_name = dit_json_text(line, "file_name", error);
    const char *text = dit_json_text_or(line, "text", NULL, error);
    if (error->status)
        return error->status;
    if (!stays_inside(file_name))
        return dit_json_fail(line, "file_name", error, "is \"%.100s\"; it must name a file inside the folder",
                             file_name);
    if (l->options->without && json_object_get(line.value, l->options->without))
        return DIT_OK;
    if (read_keywords(l, line, &sample, error) || read_label(l, line, &label, error))
        return error->status;
    sample.name = dit_dataset_path(l->set, file_name);
    sample.text = text ? dit_arena_copy_text(l->set->arena, text) : NULL;
    if (!sample.name || (text && !sample.text) ||
        !dit_grow(&l->label_of, &l->label_capacity, l->set->count + 1, sizeof *l->label_of))
        return dit_fail(error, DIT_NO_MEMORY, "no memory for its captions");
    l->label_of[l->set->count] = label;
    return dit_dataset_add(l->set, sample, error);
}

// `text` is one line without its end, followed by some byte.
static dit_status read_line(struct listing *l, const char *path, size_t number, const char *text, size_t size,
                            dit_error *error)
{
    dit_json_file *file = NULL;
    dit_error fault = {0};
    char place[300];
    snprintf(place, sizeof place, "%.240s, line %zu", path, number);
    if (size > LARGEST_LINE)
        dit_fail(&fault, DIT_BAD_FILE, "%s: has %zu bytes; a line has at most %d", place, size, LARGEST_LINE);
    else if (!dit_json_parse(&file, place, text, size, 0, &fault)) {
        if (json_is_object(dit_json_root(file).value))
            read_entry(l, dit_json_root(file), &fault);
        else
            dit_fail(&fault, DIT_BAD_FILE, "%s: must be one JSON object", place);
    }
    dit_json_close(file);
    if (!fault.status)
        return DIT_OK;
    if (l->options->on_fault && fault.status == DIT_BAD_FILE) {
        l->options->on_fault(l->options->context, &fault);
        return DIT_OK;
    }
    return dit_fail(error, fault.status, "%s", fault.message);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Classes are numbered in the order of their names' bytes, whatever the order of the lines.
static dit_status number_labels(struct listing *l, dit_error *error)
{
    dit_dataset *set = l->set;
    size_t count = 0;
    if (l->labels.count == 0)
        return DIT_OK;
    const char **names = malloc(l->labels.count * sizeof *names);
    if (!names)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its classes", set->folder);
    for (size_t i = 0; i < l->labels.capacity; i++)
        if (l->labels.slots[i].name)
            names[count++] = l->labels.slots[i].name;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count && !error->status; i++)
        dit_dataset_add_class(set, names[i], error);
    for (size_t i = 0; i < set->count && !error->status; i++)
        if (l->label_of[i]) {
            const char **found = bsearch(&l->label_of[i], names, count, sizeof *names, compare_names);
            set->samples[i].label = (int)(found - names);
        }
    free(names);
    return error->status;
}

dit_status dit_captions_read(dit_dataset *set, const dit_dataset_options *options, dit_error *error)
{
    struct listing l = {.set = set, .options = options};
    const char *path = dit_dataset_path(set, list_name);
    char *text;
    size_t size, number = 0;
    if (!path)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", set->folder);
    if (dit_file_read(path, LARGEST_LIST, &text, &size, error))
        return error->status;
    for (const char *line = text, *end = text + size; line < end && !error->status;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        number++;
        if (strspn(line, " \t\r") < (size_t)(stop - line)) // blank lines are no samples
            read_line(&l, path, number, line, (size_t)(stop - line), error);
        line = stop + 1;
    }
    if (!error->status)
        number_labels(&l, error);
    free(text);
    free(l.label_of);
    dit_name_map_free(&l.labels);
    return error->status;
}
