// graph/private.h: what a graph is made of, for the files of graph/ only.
#ifndef DIT_GRAPH_PRIVATE_H
#define DIT_GRAPH_PRIVATE_H

#include "base/name_map.h"
#include "graph/graph.h"

typedef enum dit_value_kind {
    DIT_VALUE_INPUT,
    DIT_VALUE_CONSTANT,
    DIT_VALUE_PARAMETER,
    DIT_VALUE_COMPUTED
} dit_value_kind;

typedef struct dit_value {
    dit_value_kind kind;
    dit_dtype dtype;
    dit_shape shape;
    const char *name;    // of an input or a parameter
    const void *data;    // of a constant
    int node;            // that computes it
    int output;          // which of the node's outputs it is
    dit_initial initial; // of a parameter
    int64_t indexes;     // an input of integers: how many rows it indexes; 0: not said
} dit_value;

typedef struct dit_node {
    dit_op_id op;
    int inputs, outputs;
    int *in; // value ids; 0: absent
    int out; // id of output 0; the others follow
    void *attributes;
    const char *scope; // where it was described, for people
    bool detached;     // no gradient passes
    int recompute;     // number of the block whose values the backward pass makes again, or 0
} dit_node;

typedef struct dit_named_value {
    const char *name;
    int value;
} dit_named_value;

struct dit_graph {
    dit_arena *arena;
    dit_error error;
    dit_weights *weights;
    dit_value *values; // [1 ..= value_count]; id 0 is no value
    dit_node *nodes;
    int value_count, node_count;
    size_t value_capacity, node_capacity;
    dit_named_value *inputs, *outputs, *taps, *parameters;
    size_t input_capacity, output_capacity, tap_capacity, parameter_capacity;
    int input_count, output_count, tap_count, parameter_count;
    dit_name_map parameter_names;
    struct dit_tap_rule {
        const char *pattern;
        dit_tap_replace replace;
        void *context;
    } * tap_rules;
    size_t tap_rule_capacity;
    int tap_rule_count;
    const char *scope;   // "" outside any
    const char **scopes; // the outer ones
    size_t scope_capacity;
    int scope_depth;
    int recompute, recompute_blocks; // the open block or 0; how many there are
    const char *recompute_pattern;   // of scopes that are blocks, or NULL
    int recompute_depth;             // of the scope that opened the block; 0: none did
};

// Fills `call` for a node: input and output dtypes and shapes, no data. `in` and `out` have room for all of them.
void dit_node_call(const dit_graph *g, const dit_node *node, dit_view *in, dit_view *out, dit_op_call *call);
// Records that memory is out.
void dit_graph_no_memory(dit_graph *g);

#endif
