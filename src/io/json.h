// io/json.h: strict JSON files, read key by key with errors that name the file and the key.
//
// A reader of a configuration is a list of getters and one check at the end:
//
//     dit_json config = dit_json_root(file);
//     c->layers = (int)dit_json_int(config, "num_layers", 1, 1000, error);
//     c->eps = dit_json_number_or(config, "norm_eps", 1e-5, 0, 1, error);
//     dit_json_refuse_unread(config, error);
//     if (error->status) ...
//
// A failed getter records its error and returns 0, or for a number the admissible one nearest to 0; since a dit_error
// keeps the first failure, the ones after it may run on, and compute with what they got. `error` must not be NULL.
#ifndef DIT_IO_JSON_H
#define DIT_IO_JSON_H

#include "base/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dit_json_file dit_json_file; // a parsed file; owns everything read from it; see dit_json_close

// Departures from strict JSON that published files need, asked for file by file.
enum {
    // `"lambda_min_clipped": -Infinity` at the top level, as in published scheduler_config.json files. Only there.
    DIT_JSON_MINUS_INFINITY = 1,
};

// Reads and parses a file of at most 64 MiB and four million values. Refused, with file and line: duplicate keys, NaN,
// Infinity, numbers beyond a double, anything after the value, invalid UTF-8, U+0000, nesting deeper than 2048, a top
// level that is neither an object nor a list. Integers beyond 64 bits are kept as doubles (published tokenizer files
// hold 1e30 written out). Fails with DIT_NO_FILE, DIT_BAD_FILE or DIT_NO_MEMORY.
dit_status dit_json_open(dit_json_file **file, const char *path, unsigned flags, dit_error *error);
// The same for text in memory; `name` stands for the file's name in errors.
dit_status dit_json_parse(dit_json_file **file, const char *name, const char *text, size_t size, unsigned flags,
                          dit_error *error);
void dit_json_close(dit_json_file *file); // may be NULL

// A value in a file. Valid until the file is closed. `value` is NULL for what is absent, and getters then find no keys.
typedef struct dit_json {
    dit_json_file *file;
    json_t *value;
    const char *path; // "rope_scaling", "stages.3"; "" for the whole file
} dit_json;

dit_json dit_json_root(dit_json_file *file);
const char *dit_json_file_name(const dit_json_file *file);

// Records `FILE: "PATH.KEY" ` and the words of `format`. For checks that the getters below do not know.
dit_status dit_json_fail(dit_json object, const char *key, dit_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Whether the key is there and not null.
bool dit_json_has(dit_json object, const char *key);
// Whether the key is there and null, for keys to which null says something else than absence. It counts as read.
bool dit_json_is_null(dit_json object, const char *key, dit_error *error);

// A key that must be there. Integers and numbers outside [least, most], and values of another type (a boolean is not a
// number, a number not a boolean, 3.0 not an integer), are errors.
int64_t dit_json_int(dit_json object, const char *key, int64_t least, int64_t most, dit_error *error);
double dit_json_number(dit_json object, const char *key, double least, double most, dit_error *error);
bool dit_json_bool(dit_json object, const char *key, dit_error *error);
// UTF-8 that lives as long as the file. "" on failure.
const char *dit_json_text(dit_json object, const char *key, dit_error *error);
// The index of the text in `names`, a list that ends with NULL.
int dit_json_choice(dit_json object, const char *key, const char *const *names, dit_error *error);
dit_json dit_json_object(dit_json object, const char *key, dit_error *error);
dit_json dit_json_list(dit_json object, const char *key, dit_error *error);

// A key that may be absent or null, when the answer is `otherwise` (for objects and lists: an empty one).
int64_t dit_json_int_or(dit_json object, const char *key, int64_t otherwise, int64_t least, int64_t most,
                        dit_error *error);
double dit_json_number_or(dit_json object, const char *key, double otherwise, double least, double most,
                          dit_error *error);
bool dit_json_bool_or(dit_json object, const char *key, bool otherwise, dit_error *error);
// An argument that a public class asks for its truth: `otherwise` where it is absent, false where it is null.
bool dit_json_switch_or(dit_json object, const char *key, bool otherwise, dit_error *error);
const char *dit_json_text_or(dit_json object, const char *key, const char *otherwise, dit_error *error);
int dit_json_choice_or(dit_json object, const char *key, const char *const *names, int otherwise, dit_error *error);
dit_json dit_json_object_or_empty(dit_json object, const char *key, dit_error *error);
dit_json dit_json_list_or_empty(dit_json object, const char *key, dit_error *error);

// A list of `fewest` to `room` integers or numbers into `values`; returns how many. 0 on failure.
size_t dit_json_ints(dit_json object, const char *key, int64_t *values, size_t fewest, size_t room, int64_t least,
                     int64_t most, dit_error *error);
size_t dit_json_numbers(dit_json object, const char *key, double *values, size_t fewest, size_t room, double least,
                        double most, dit_error *error);

// Elements of a list (0 for what is absent). The items of lists of scalars are got through `value` and jansson, those
// of lists of objects as objects.
size_t dit_json_count(dit_json list);
dit_json dit_json_item(dit_json list, size_t index, dit_error *error);

// Marks keys (the list ends with NULL) as read: known, and of no consequence here.
void dit_json_ignore(dit_json object, const char *const *keys, dit_error *error);
// Refuses an object that has a key which no getter has asked for. Keys that start with `_` are allowed, and
// those that are null: releases later than the one that is known write their new options so.
void dit_json_refuse_unread(dit_json object, dit_error *error);

#endif
