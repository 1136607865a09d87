// models/original_rows.h: the rows of models/names/*.def, and the expressions in them.
//
// A family is FAMILY(name, class), then any number of
//
//   NEEDS("a.weight")              a tensor that every such file holds, and
//   LACKS("b.weight")              one that none does: together the family's signature
//   LET("width", EXPRESSION)       a number for later expressions
//   CONFIG("num_layers", EXPR)     an integer of the configuration, which later expressions may use
//   CONFIG_BOOL, CONFIG_TEXT("key", "text"), CONFIG_LIST("key", "EXPR, EXPR, ...")
//   CONFIG_IF("has(x.weight)", kind, "key", value)   the same where a number is not 0
//   MOVE("from", "to")             a new name
//   SPLIT("from", "q, k, v", "EXPR, EXPR, EXPR")   rows of one tensor as several; "" for equal parts
//   SWAP("from", "to")             the halves of the rows change places (shift before scale, or the reverse)
//   FLATTEN("from", "to")          all axes but the first as one: a 1 x 1 convolution as a matrix
//   DROP("from")                   a buffer that the network makes itself
//
// and the first row whose pattern a name matches is the one that counts. In a pattern `*` is one part of a name (no
// dots) and a final `**` any rest; in a target they stand for the same texts in their order. `{EXPR}` is a number in a
// name, and `[EXPR]` in a target repeats it for 0 ... EXPR - 1.
//
// An EXPRESSION has integers, + - * / % ( ), a ? b : c, names given by LET and CONFIG, and of the file
//   x.weight[EXPR]  an extent        rank(x.weight)  how many there are
//   has(x.weight)   1 or 0
//   count(blocks)   how many N = 0, 1, ... there are with names that begin with "blocks.N."
//   sqrt(EXPR)      rounded down
// CONFIG_LIST has also which(blocks, attn2.qkv.weight): the N for which blocks.N.attn2.qkv.weight is there.
//
// A row whose own text looks at a tensor states a fact of the file. One that does not, such as ("attention_head_dim",
// "64"), says what every release has: a configuration that is known from elsewhere counts before it.
#ifndef DIT_MODELS_ORIGINAL_ROWS_H
#define DIT_MODELS_ORIGINAL_ROWS_H

#include "base/arena.h"
#include "io/tensor_file.h"

typedef enum dit_row_kind {
    DIT_ROW_FAMILY,
    DIT_ROW_NEEDS,
    DIT_ROW_LACKS,
    DIT_ROW_LET,
    DIT_ROW_CONFIG,
    DIT_ROW_CONFIG_BOOL,
    DIT_ROW_CONFIG_TEXT,
    DIT_ROW_CONFIG_LIST,
    DIT_ROW_MOVE,
    DIT_ROW_SPLIT,
    DIT_ROW_SWAP,
    DIT_ROW_FLATTEN,
    DIT_ROW_DROP,
} dit_row_kind;

typedef struct dit_row {
    dit_row_kind kind;
    const char *from, *to; // or key and value
    const char *parts;     // of SPLIT
    const char *condition; // of CONFIG_IF, or NULL
} dit_row;

enum { DIT_MOST_NUMBERS = 48 };

// What expressions are evaluated against.
typedef struct dit_facts {
    const dit_tensor_file *file; // NULL: there are numbers only
    const char *prefix;
    bool *looked; // set when an expression looks at a tensor; may be NULL
    int count;
    struct {
        const char *name;
        int64_t value;
    } number[DIT_MOST_NUMBERS];
} dit_facts;

// The expression at *text up to a ',' or '}' or ']' outside of brackets, or the end, where *text is left. A tensor that
// is not there, a division by zero and the like are DIT_BAD_FILE.
dit_status dit_facts_evaluate(const dit_facts *facts, const char **text, int64_t *value, dit_error *error);
// The index of the tensor `name` under the prefix, or -1. `length`: of the name.
ptrdiff_t dit_facts_find(const dit_facts *facts, const char *name, size_t length);
// How many N = 0, 1, ... there are with names that begin with "NAME.N.".
int64_t dit_facts_count(const dit_facts *facts, const char *name, size_t length);

// ---- original_names.c: patterns

// Copies `from` to `to`, with `{EXPR}` written out as numbers, and `[EXPR]` as `index`; *repeats is the value of EXPR,
// or
// 1. Fails when the text does not fit.
dit_status dit_names_expand(const dit_facts *facts, const char *from, int64_t index, char *to, size_t size,
                            int64_t *repeats, dit_error *error);
// Whether `name` matches `pattern`; `captured` gets what its stars stand for. With `underscored`, underscores may stand
// for the name's dots, and a star is digits or the last part.
enum { DIT_MOST_STARS = 4 };
typedef struct dit_captures {
    int count;
    struct {
        const char *text;
        size_t length;
    } item[DIT_MOST_STARS];
} dit_captures;
bool dit_names_match(const char *pattern, const char *name, bool underscored, dit_captures *captured);
// `target` with its stars filled in; false when it does not fit.
bool dit_names_fill(const char *target, const dit_captures *captured, char *name, size_t size);

#endif
