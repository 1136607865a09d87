// io/yaml.h: YAML files into checked structs, by libcyaml's schemas (https://github.com/tlsa/libcyaml, docs/guide.md).
//
//     dit_yaml *recipe;
//     status = dit_yaml_open(&recipe, "recipe.yaml", defaults, overrides, n, error);
//     if (!status) status = dit_yaml_load(recipe, &recipe_schema, (void **)&r, error);
//     if (!status) status = dit_yaml_check_range(recipe, "train.batch", 1, 65536, error);
//
// A document is what a recipe needs and no more: mappings, sequences and scalars. Tags, anchors and aliases are
// refused, so nothing in a file is larger than it looks.
#ifndef DIT_IO_YAML_H
#define DIT_IO_YAML_H

#include "base/error.h"
#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct dit_yaml dit_yaml; // a document; see dit_yaml_close

// Reads a file of at most 1 MiB whose top level is a mapping. Then each key that it lacks is taken from `defaults`, a
// YAML text or NULL (mappings are merged, anything else in the file replaces the default whole). Then each override, a
// text `key.path=value` as `--set` takes it, replaces one value; numbers in its path count the items of a sequence from
// 0, the value is YAML, and keys that are not there yet are added. Refused, with line: malformed YAML, duplicate keys,
// a second document, nesting deeper than 32, more than 100,000 values. Fails with DIT_NO_FILE, DIT_BAD_FILE,
// DIT_NO_MEMORY, or DIT_BAD_ARGUMENT (an override).
dit_status dit_yaml_open(dit_yaml **document, const char *path, const char *defaults, const char *const *overrides,
                         size_t override_count, dit_error *error);
// The same for text in memory; `name` stands for the file's name in errors.
dit_status dit_yaml_parse(dit_yaml **document, const char *name, const char *text, size_t size, const char *defaults,
                          const char *const *overrides, size_t override_count, dit_error *error);
void dit_yaml_close(dit_yaml *document); // may be NULL

// Checks the whole document against a schema (a pointer to a mapping) and fills in a new struct, which
// dit_yaml_free_data frees. More strictly than libcyaml alone: a number is a plain decimal number, finite and in the
// field's range, never a boolean or a quoted text; a boolean is true or false; a text is not null, true or false unless
// quoted; enumerations take names only. Unknown keys and missing ones are refused. Every error names file, line and
// key. Fails with DIT_BAD_FILE, DIT_BAD_ARGUMENT (the value came from an override) or DIT_NO_MEMORY.
dit_status dit_yaml_load(const dit_yaml *document, const cyaml_schema_value_t *schema, void **data, dit_error *error);
void dit_yaml_free_data(const cyaml_schema_value_t *schema, void *data); // may be NULL

// Whether there is a value other than null at a path of keys and item numbers: "train.ema.0".
bool dit_yaml_has(const dit_yaml *document, const char *path);

// Records `FILE: line N: "PATH" ` (or the override that set it) and the words of `format`: for checks that a schema
// does not know. The path need not exist.
dit_status dit_yaml_fail(const dit_yaml *document, const char *path, dit_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Fails when a number at the path lies outside [least, most]. A `*` in the path stands for every item or key there; a
// path that leads nowhere, or to null, is fine.
dit_status dit_yaml_check_range(const dit_yaml *document, const char *path, double least, double most,
                                dit_error *error);

// The document as YAML text, defaults and overrides included; malloc'd.
dit_status dit_yaml_write(const dit_yaml *document, char **text, size_t *size, dit_error *error);

#endif
