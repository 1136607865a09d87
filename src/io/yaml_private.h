// io/yaml_private.h: a document as a tree, for the files that build, check and write it.
#ifndef DIT_IO_YAML_PRIVATE_H
#define DIT_IO_YAML_PRIVATE_H

#include "base/arena.h"
#include "io/yaml.h"

struct yaml_node {
    enum { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING } kind;
    bool plain;           // a scalar without quotes
    const char *text;     // a scalar's
    const char *key;      // in a mapping
    int line;             // from 1; 0 in defaults
    const char *override; // that set it, or NULL
    struct yaml_node *first, *last, *next;
    size_t count; // of children
};

struct dit_yaml {
    dit_arena *arena;
    const char *name;
    struct yaml_node *root; // a mapping
};

// A source of nodes, and how it is named in errors.
struct yaml_source {
    dit_arena *arena;
    const char *name;     // of the file; of an override, the text
    const char *override; // NULL in files
    bool defaults;        // lines do not count
    size_t nodes;
};

// Parses one document. *root is NULL when the text is empty.
dit_status yaml_parse_tree(struct yaml_source *source, const char *text, size_t size, struct yaml_node **root,
                           dit_error *error);

struct yaml_node *yaml_child(const struct yaml_node *node, const char *key, size_t length); // NULL when there is none
void yaml_append(struct yaml_node *parent, struct yaml_node *child);
bool yaml_is_null(const struct yaml_node *node);

// A plain scalar that is a decimal number, without sign of infinity or NaN.
bool yaml_is_number(const struct yaml_node *node);
bool yaml_is_integer(const struct yaml_node *node);

// What a node looks like in a message.
const char *yaml_describe(const struct yaml_node *node, char text[64]);

// Records where a node is, its path, and words.
dit_status yaml_fail_at(const dit_yaml *document, const struct yaml_node *node, const char *path, dit_error *error,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));

// Checks a node against its schema. `path` is the node's, "" at the top.
dit_status yaml_check(const dit_yaml *document, const struct yaml_node *node, const cyaml_schema_value_t *schema,
                      const char *path, dit_error *error);

#endif
