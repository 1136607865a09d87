// models/original_rows.h: the rows of models/names/*.def, and the expressions in them.
//
// A family is FAMILY(name, class), then rows of its signature:
//
//   NEEDS("a.weight")              a tensor that every such file holds
//   LACKS("b.weight")              one that none does
//   HOLDS("EXPR")                  a number that is not 0
//   ARCHITECTURE("llama")          what `general.architecture` of a GGUF file's metadata says
//
// then rows that make numbers and the configuration:
//
//   LET("width", "EXPR")           a number for later expressions
//   CONFIG("num_layers", "EXPR")   an integer of the configuration, which later expressions may use
//   CONFIG_BOOL("key", "EXPR")
//   CONFIG_TEXT("key", "text")
//   CONFIG_JSON("key", "[1, 2]")   a constant
//   CONFIG_RATIO("key", "EXPR", "EXPR")   the quotient of two numbers
//   CONFIG_LIST("key", "EXPR, EXPR, ...")
//   CONFIG_EACH("key", "COUNT", "EXPR")   a list: EXPR with 0 ... COUNT - 1 in the place of #
//   CONFIG_CHOICE("key", "COUNT", "EXPR", "1", "2")   the same of one JSON text where EXPR is not 0, else the other
//   CONFIG_ROPE("key", "x.weight")   what divides frequencies of rotary positions, from a tensor, where it is there
//   CONFIG_META("key", "arch.x")   a number or a text of a GGUF file's metadata, where it is there
//   CONFIG_IF("EXPR", kind, "key", value)   any of them where a number is not 0
//
// then rows that say what becomes of tensors, of which the first one counts whose pattern a name matches:
//
//   MOVE("from", "to, ...")        a new name, or several
//   MOVE_IF("EXPR", "from", "to")  the same where a number is not 0
//   SPLIT("from", "q, k, v", "EXPR, EXPR, EXPR")   rows of one tensor as several; "" for equal parts
//   HEAD("from", "to", "EXPR")     the first rows
//   SWAP("from", "to")             the halves of the rows change places (shift before scale, or the reverse)
//   FLATTEN("from", "to, ...")     all axes but the first as one: a 1 x 1 convolution as a matrix, or as several
//   UNWEAVE("from", "to", "HEADS") of the rows of every head those at even places first
//   SUBTRACT_ONE("from", "to")     every element less one
//   DROP("from")                   a buffer that the network makes itself
//
// In a pattern `*` is one part of a name (no dots) and a final `**` any rest; in a target they stand for the same texts
// in their order (the last of them, where there are fewer). `{EXPR}` is a number in a name, where $1, $2, ... are what
// the pattern's stars stand for, and `[EXPR]` in a target repeats it for 0 ... EXPR - 1. A key with a dot,
// "rope_scaling.factor", is one of an object.
//
// An EXPRESSION has integers, + - * / % ( ), a ? b : c, names given by LET and CONFIG, and
//
//   x.weight[EXPR]  an extent of a tensor, in whose name {EXPR} is a number
//   rank(x.weight)  how many there are
//   has(x.weight)   1 or 0
//   file(x.weight)  the same of a name with its prefix, anywhere in the file
//   count(blocks)   how many N = 0, 1, ... there are with names that begin with "blocks.N."
//   sqrt(EXPR)      rounded down
//   meta(arch.x)    an integer or a bool of a GGUF file's metadata; the first part `arch` is the file's architecture
//   given(arch.x)   1 or 0: whether the metadata has it
//
// CONFIG_LIST has also which(blocks, attn2.qkv.weight): the N for which blocks.N.attn2.qkv.weight is there.
//
// A row whose own text looks at a tensor or at metadata states a fact of the file. One that does not, such as
// ("attention_head_dim", "64"), says what every release has: a configuration that is known from elsewhere counts before
// it.
#ifndef DIT_MODELS_ORIGINAL_ROWS_H
#define DIT_MODELS_ORIGINAL_ROWS_H

#include "base/arena.h"
#include "io/tensor_file.h"
#include "models/original.h"

typedef enum dit_row_kind {
    DIT_ROW_FAMILY,
    DIT_ROW_ARCHITECTURE,
    DIT_ROW_NEEDS,
    DIT_ROW_LACKS,
    DIT_ROW_HOLDS,
    DIT_ROW_LET,
    DIT_ROW_CONFIG,
    DIT_ROW_CONFIG_BOOL,
    DIT_ROW_CONFIG_TEXT,
    DIT_ROW_CONFIG_LIST,
    DIT_ROW_CONFIG_RATIO,
    DIT_ROW_CONFIG_JSON,
    DIT_ROW_CONFIG_META,
    DIT_ROW_CONFIG_ROPE,
    DIT_ROW_CONFIG_EACH,
    DIT_ROW_CONFIG_CHOICE,
    DIT_ROW_MOVE, // from here on: what becomes of tensors
    DIT_ROW_SPLIT,
    DIT_ROW_HEAD,
    DIT_ROW_SWAP,
    DIT_ROW_FLATTEN,
    DIT_ROW_UNWEAVE,
    DIT_ROW_SUBTRACT_ONE,
    DIT_ROW_DROP,
} dit_row_kind;

typedef struct dit_row {
    dit_row_kind kind;
    const char *from, *to; // or key and value
    const char *parts; // expressions: of SPLIT, HEAD and UNWEAVE, the count of CONFIG_EACH and CONFIG_CHOICE, a divisor
    const char *condition; // of CONFIG_IF and MOVE_IF, or NULL
    const char *yes, *no;  // of CONFIG_CHOICE
} dit_row;

enum { DIT_MOST_NUMBERS = 48 };

// What expressions are evaluated against.
typedef struct dit_facts {
    dit_tensor_file *file; // NULL: there are numbers only
    const char *prefix;
    bool *looked;        // set when an expression looks at a tensor; may be NULL
    const char **sorted; // the names of the file's tensors in order; NULL: they are not sorted
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
// Sorts the names, so that counting does not look at all of them; the caller frees facts->sorted. False when memory is
// out.
bool dit_facts_sort(dit_facts *facts);
// How many N = 0, 1, ... there are with names that begin with "NAME.N.".
int64_t dit_facts_count(const dit_facts *facts, const char *name, size_t length);
// The text of a key of the metadata, `arch` in its place; NULL when it is not there.
const char *dit_facts_metadata(const dit_facts *facts, const char *key, size_t length);

// ---- original_names.c: patterns

// Copies `from` to `to`, with `{EXPR}` written out as numbers, and `[EXPR]` as `index`; *repeats is the value of EXPR,
// or 1. Fails when the text does not fit.
dit_status dit_names_expand(const dit_facts *facts, const char *from, int64_t index, char *to, size_t size,
                            int64_t *repeats, dit_error *error);
// Whether `name` matches `pattern`; `captured` gets what its stars stand for. With `underscored`, underscores may stand
// for the name's dots, and a star is digits or as much as lets the rest match.
enum { DIT_MOST_STARS = 4 };
typedef struct dit_captures {
    int count;
    struct {
        const char *text;
        size_t length;
    } item[DIT_MOST_STARS];
} dit_captures;
// The facts with $1, $2, ... for those stars that stand for numbers.
void dit_names_add_numbers(const dit_captures *captured, dit_facts *facts);
bool dit_names_match(const char *pattern, const char *name, bool underscored, dit_captures *captured);
// `target` with its stars filled in; false when it does not fit.
bool dit_names_fill(const char *target, const dit_captures *captured, char *name, size_t size);

// ---- original_config.c

struct dit_original {
    dit_tensor_file *file;
    const dit_row *family;
    dit_facts facts;
    char *config; // malloc'd by jansson
};

// Follows the rows that make numbers and the configuration. `known`: as of dit_original_query.
dit_status dit_original_configure(dit_original *original, const json_t *known, dit_error *error);

#endif
