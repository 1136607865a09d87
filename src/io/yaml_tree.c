// io/yaml_tree.c: YAML text into a tree that remembers its lines, by libyaml's events.
#include "io/yaml_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEEPEST = 32, MOST_NODES = 100000 };

struct parser {
    yaml_parser_t yaml;
    struct yaml_source *source;
    dit_error *error;
};

static dit_status fail(struct parser *p, size_t line, const char *what)
{
    const struct yaml_source *s = p->source;
    if (s->override)
        return dit_fail(p->error, DIT_BAD_ARGUMENT, "--set %.200s: %s", s->override, what);
    return dit_fail(p->error, DIT_BAD_FILE, "%s: line %zu: %s", s->name, line + 1, what);
}

static dit_status no_memory(struct parser *p)
{
    return dit_fail(p->error, DIT_NO_MEMORY, "%s: no memory to read it", p->source->name);
}

static dit_status next_event(struct parser *p, yaml_event_t *event)
{
    if (yaml_parser_parse(&p->yaml, event))
        return DIT_OK;
    if (p->yaml.error == YAML_MEMORY_ERROR)
        return no_memory(p);
    char words[200];
    const char *problem = p->yaml.problem ? p->yaml.problem : "malformed YAML";
    if (p->yaml.context && p->yaml.context_mark.line != p->yaml.problem_mark.line)
        snprintf(words, sizeof words, "%s, %s from line %zu on", problem, p->yaml.context,
                 p->yaml.context_mark.line + 1);
    else
        snprintf(words, sizeof words, "%s", problem);
    return fail(p, p->yaml.problem_mark.line, words);
}

static int by_key(const void *a, const void *b)
{
    const struct yaml_node *x = *(const struct yaml_node *const *)a, *y = *(const struct yaml_node *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : x->line - y->line;
}

static dit_status refuse_duplicates(struct parser *p, const struct yaml_node *mapping)
{
    if (mapping->count < 2)
        return DIT_OK;
    const struct yaml_node **children = malloc(mapping->count * sizeof *children);
    if (!children)
        return no_memory(p);
    size_t n = 0;
    for (const struct yaml_node *child = mapping->first; child; child = child->next)
        children[n++] = child;
    qsort(children, n, sizeof *children, by_key);
    dit_status status = DIT_OK;
    for (size_t i = 1; i < n && !status; i++)
        if (!strcmp(children[i - 1]->key, children[i]->key)) {
            char words[160];
            snprintf(words, sizeof words, "the key \"%.80s\" is there already, at line %d", children[i]->key,
                     children[i - 1]->line);
            status = fail(p, (size_t)children[i]->line - 1, words);
        }
    free(children);
    return status;
}

static dit_status read_node(struct parser *p, yaml_event_t *event, int depth, struct yaml_node **out);

// A mapping's key: the event is its scalar.
static dit_status read_key(struct parser *p, const yaml_event_t *event, char **key)
{
    if (event->type != YAML_SCALAR_EVENT)
        return fail(p, event->start_mark.line, "a key must be a text");
    if (event->data.scalar.anchor || event->data.scalar.tag)
        return fail(p, event->start_mark.line, "anchors and tags are not supported");
    const char *text = (const char *)event->data.scalar.value;
    if (!*text || strlen(text) != event->data.scalar.length)
        return fail(p, event->start_mark.line, "a key is empty or holds a zero byte");
    *key = dit_arena_copy_text(p->source->arena, text);
    return *key ? DIT_OK : no_memory(p);
}

// The children of a mapping or sequence, up to its end.
static dit_status read_children(struct parser *p, struct yaml_node *parent, int depth)
{
    yaml_event_type_t end = parent->kind == YAML_MAPPING ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        yaml_event_t event;
        char *key = NULL;
        struct yaml_node *child = NULL;
        int line = 0;
        dit_status status = next_event(p, &event);
        if (status)
            return status;
        if (event.type == end) {
            yaml_event_delete(&event);
            return parent->kind == YAML_MAPPING ? refuse_duplicates(p, parent) : DIT_OK;
        }
        if (parent->kind == YAML_MAPPING) {
            line = (int)event.start_mark.line + 1;
            status = read_key(p, &event, &key);
            yaml_event_delete(&event);
            if (!status)
                status = next_event(p, &event);
            if (status)
                return status;
        }
        status = read_node(p, &event, depth, &child);
        yaml_event_delete(&event);
        if (status)
            return status;
        if (key) {
            child->key = key;
            child->line = p->source->defaults ? 0 : line; // where the key stands, for values that start further down
        }
        yaml_append(parent, child);
    }
}

static dit_status read_node(struct parser *p, yaml_event_t *event, int depth, struct yaml_node **out)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    struct yaml_node *node = dit_arena_alloc(p->source->arena, sizeof *node);
    if (!node)
        return no_memory(p);
    if (++p->source->nodes > MOST_NODES)
        return fail(p, event->start_mark.line, "too many values for a file of this kind");
    node->line = p->source->defaults ? 0 : (int)event->start_mark.line + 1;
    node->override = p->source->override;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        node->kind = YAML_SCALAR;
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            return fail(p, event->start_mark.line, "a text holds a zero byte");
        node->text = dit_arena_copy_text(p->source->arena, (const char *)event->data.scalar.value);
        if (!node->text)
            return no_memory(p);
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        node->kind = YAML_SEQUENCE;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        node->kind = YAML_MAPPING;
        break;
    default:
        return fail(p, event->start_mark.line, "aliases are not supported; write the value out");
    }
    if (anchor || tag)
        return fail(p, event->start_mark.line, "anchors and tags are not supported");
    if (depth > DEEPEST)
        return fail(p, event->start_mark.line, "nested too deeply for a file of this kind");
    *out = node;
    return node->kind == YAML_SCALAR ? DIT_OK : read_children(p, node, depth + 1);
}

static dit_status read_document(struct parser *p, struct yaml_node **root)
{
    bool seen = false;
    for (;;) {
        yaml_event_t event;
        dit_status status = next_event(p, &event);
        if (status)
            return status;
        yaml_event_type_t type = event.type;
        switch (type) {
        case YAML_STREAM_START_EVENT:
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (seen)
                status = fail(p, event.start_mark.line, "a second document starts here; only one is read");
            seen = true;
            break;
        default:
            status = read_node(p, &event, 1, root);
        }
        yaml_event_delete(&event);
        if (status || type == YAML_STREAM_END_EVENT)
            return status;
    }
}

dit_status yaml_parse_tree(struct yaml_source *source, const char *text, size_t size, struct yaml_node **root,
                           dit_error *error)
{
    struct parser p = {.source = source, .error = error};
    *root = NULL;
    if (!yaml_parser_initialize(&p.yaml))
        return no_memory(&p);
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)text, size);
    dit_status status = read_document(&p, root);
    yaml_parser_delete(&p.yaml);
    return status;
}

struct yaml_node *yaml_child(const struct yaml_node *node, const char *key, size_t length)
{
    size_t index = 0;
    for (struct yaml_node *child = node->first; child; child = child->next, index++) {
        char number[24];
        if (node->kind == YAML_SEQUENCE)
            snprintf(number, sizeof number, "%zu", index);
        const char *name = node->kind == YAML_SEQUENCE ? number : child->key;
        if (strlen(name) == length && !memcmp(name, key, length))
            return child;
    }
    return NULL;
}

void yaml_append(struct yaml_node *parent, struct yaml_node *child)
{
    *(parent->last ? &parent->last->next : &parent->first) = child;
    parent->last = child;
    parent->count++;
}
