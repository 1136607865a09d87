// io/torch_zip_pickle.c: a pickle (Python's pickletools.py, protocols 2 to 5) as a tree of plain values.
//
// The machine has a stack and a memo. Every instruction makes at most one value of a fixed size, and places in the memo
// are bounded by the pickle's length, so memory stays in proportion to the file.
#include "io/torch_zip_private.h"
#include <stdlib.h>
#include <string.h>

struct machine {
    dit_arena *arena;
    const char *path;
    const unsigned char *bytes;
    size_t size, at;
    dit_pickle_value **stack, **memo;
    size_t depth, stack_capacity, memo_count, memo_capacity;
    bool stopped;
    dit_error *error;
};

static dit_status fail(struct machine *m, const char *what)
{
    return dit_fail(m->error, DIT_BAD_FILE, "%s: byte %zu of its pickle: %s", m->path, m->at, what);
}

static dit_status no_memory(struct machine *m)
{
    return dit_fail(m->error, DIT_NO_MEMORY, "%s: no memory for its pickle", m->path);
}

static uint64_t take(struct machine *m, int bytes)
{
    uint64_t x = 0;
    if (m->error->status || m->size - m->at < (size_t)bytes) {
        fail(m, "it is cut short");
        return 0;
    }
    for (int i = bytes - 1; i >= 0; i--)
        x = x << 8 | m->bytes[m->at + (size_t)i];
    m->at += (size_t)bytes;
    return x;
}

static void push(struct machine *m, dit_pickle_value *value)
{
    if (m->error->status)
        return;
    if (!value || !dit_grow(&m->stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack))
        no_memory(m);
    else
        m->stack[m->depth++] = value;
}

static dit_pickle_value *new_value(struct machine *m, dit_pickle_value value)
{
    dit_pickle_value *v = dit_arena_alloc(m->arena, sizeof *v);
    if (v)
        *v = value;
    return v;
}

// What there is one of. Calls read such values and nothing changes them.
static void push_constant(struct machine *m, const dit_pickle_value *value)
{
    push(m, (dit_pickle_value *)value);
}

static void push_new(struct machine *m, dit_pickle_value value)
{
    push(m, new_value(m, value));
}

// The value `below` the top, or NULL with an error when there is none above a mark.
static dit_pickle_value *peek(struct machine *m, size_t below)
{
    if (m->error->status)
        return NULL;
    if (m->depth <= below) {
        fail(m, "its stack is empty");
        return NULL;
    }
    dit_pickle_value *v = m->stack[m->depth - 1 - below];
    if (v->kind == DIT_PICKLE_MARK) {
        fail(m, "a mark stands where a value should");
        return NULL;
    }
    return v;
}

static dit_pickle_value *pop(struct machine *m)
{
    dit_pickle_value *v = peek(m, 0);
    m->depth -= v != NULL;
    return v;
}

// The place above the topmost mark, or 0 with an error.
static size_t above_mark(struct machine *m)
{
    for (size_t i = m->depth; i > 0; i--)
        if (m->stack[i - 1]->kind == DIT_PICKLE_MARK)
            return i;
    fail(m, "there is no mark");
    return 0;
}

static void push_text(struct machine *m, uint64_t length)
{
    if (m->error->status || length > m->size - m->at) {
        fail(m, "a text is longer than the pickle");
        return;
    }
    char *text = dit_arena_alloc(m->arena, (size_t)length + 1);
    if (!text) {
        no_memory(m);
        return;
    }
    memcpy(text, m->bytes + m->at, (size_t)length);
    m->at += (size_t)length;
    push_new(m, (dit_pickle_value){.kind = DIT_PICKLE_TEXT, .text = text, .count = (size_t)length});
}

// A line of text, without its end, of at most `room` - 1 bytes.
static void take_line(struct machine *m, char *line, size_t room)
{
    const unsigned char *start = m->bytes + m->at, *end = memchr(start, '\n', m->size - m->at);
    *line = 0;
    if (!end || (size_t)(end - start) >= room) {
        fail(m, "a name is too long");
        return;
    }
    memcpy(line, start, (size_t)(end - start));
    line[end - start] = 0;
    m->at += (size_t)(end - start) + 1;
}

static void push_global(struct machine *m, const char *module, const char *name)
{
    const dit_pickle_value *found = dit_pickle_find_global(module, name);
    if (m->error->status)
        return;
    if (found)
        push_constant(m, found);
    else
        dit_fail(m->error, DIT_UNSUPPORTED,
                 "%s: its pickle needs %.80s.%.80s; only tensors, containers, numbers and texts are read", m->path,
                 module, name);
}

static void push_named_global(struct machine *m)
{
    char module[256], name[256];
    take_line(m, module, sizeof module);
    if (!m->error->status)
        take_line(m, name, sizeof name);
    push_global(m, module, name);
}

static void push_stacked_global(struct machine *m)
{
    const dit_pickle_value *name = pop(m), *module = pop(m);
    if (name && module && (name->kind != DIT_PICKLE_TEXT || module->kind != DIT_PICKLE_TEXT))
        fail(m, "a name is not a text");
    if (name && module && !m->error->status)
        push_global(m, module->text, name->text);
}

// A two's complement number of `length` bytes.
static void push_long(struct machine *m, uint64_t length)
{
    if (length > 8) {
        fail(m, "an integer has more than 64 bits");
        return;
    }
    uint64_t x = take(m, (int)length);
    if (length && length < 8 && x >> (8 * length - 1))
        x |= ~(uint64_t)0 << 8 * length;
    push_new(m, (dit_pickle_value){.kind = DIT_PICKLE_INTEGER, .integer = (int64_t)x});
}

static void push_float(struct machine *m)
{
    union {
        uint64_t u;
        double f;
    } x = {__builtin_bswap64(take(m, 8))};
    push_new(m, (dit_pickle_value){.kind = DIT_PICKLE_NUMBER, .number = x.f});
}

static void remember(struct machine *m, uint64_t place)
{
    dit_pickle_value *v = peek(m, 0);
    if (!v)
        return;
    if (place > m->size) {
        fail(m, "a place in its memo is beyond all bounds");
        return;
    }
    size_t before = m->memo_count;
    if (place >= before) {
        if (!dit_grow(&m->memo, &m->memo_capacity, (size_t)place + 1, sizeof *m->memo)) {
            no_memory(m);
            return;
        }
        m->memo_count = (size_t)place + 1;
        memset(m->memo + before, 0, (m->memo_count - before) * sizeof *m->memo);
    }
    m->memo[place] = v;
}

static void recall(struct machine *m, uint64_t place)
{
    if (place >= m->memo_count || !m->memo[place])
        fail(m, "it recalls what it did not remember");
    else
        push(m, m->memo[place]);
}

// Room for `more` items. Doubling in the arena wastes at most as much again.
static bool reserve(struct machine *m, dit_pickle_value *v, size_t more)
{
    if (v->count + more <= v->capacity)
        return true;
    size_t capacity = 2 * v->capacity + more;
    dit_pickle_value **items = dit_arena_alloc(m->arena, capacity * sizeof *items);
    if (!items) {
        no_memory(m);
        return false;
    }
    if (v->count)
        memcpy(items, v->items, v->count * sizeof *items);
    v->items = items;
    v->capacity = capacity;
    return true;
}

// Adds what lies from `first` on to the container below it (below the mark, with `marked`).
static void add_items(struct machine *m, dit_pickle_kind kind, size_t first, bool marked)
{
    if (m->error->status || first < 1 + (size_t)marked || m->depth < first) {
        fail(m, "there is nothing to add to");
        return;
    }
    dit_pickle_value *to = m->stack[first - 1 - marked];
    size_t count = m->depth - first;
    if (to->kind != kind || (kind == DIT_PICKLE_DICT && count % 2)) {
        fail(m, "items are added to something else than their container");
        return;
    }
    for (size_t i = first; i < m->depth; i++)
        if (m->stack[i]->kind == DIT_PICKLE_MARK) {
            fail(m, "a mark stands where a value should");
            return;
        }
    if (!reserve(m, to, count))
        return;
    if (count)
        memcpy(to->items + to->count, m->stack + first, count * sizeof *to->items);
    to->count += count;
    m->depth = first - marked;
}

static void add_above_mark(struct machine *m, dit_pickle_kind kind)
{
    size_t first = above_mark(m);
    if (first)
        add_items(m, kind, first, true);
}

// Makes a container of what lies from `first` on; `marked`: of the mark below too.
static void push_container(struct machine *m, dit_pickle_kind kind, size_t first, bool marked)
{
    if (m->error->status || first > m->depth || first < (size_t)marked) {
        fail(m, "its stack is empty");
        return;
    }
    size_t count = m->depth - first;
    dit_pickle_value *v = new_value(m, (dit_pickle_value){.kind = kind});
    if (!v) {
        no_memory(m);
        return;
    }
    if (!reserve(m, v, count))
        return;
    for (size_t i = 0; i < count; i++) {
        if (m->stack[first + i]->kind == DIT_PICKLE_MARK) {
            fail(m, "a mark stands where a value should");
            return;
        }
        v->items[i] = m->stack[first + i];
    }
    v->count = count;
    m->depth = first - marked;
    push(m, v);
}

static void push_tuple_of(struct machine *m, size_t count)
{
    push_container(m, DIT_PICKLE_TUPLE, m->depth >= count ? m->depth - count : SIZE_MAX, false);
}

static void push_above_mark(struct machine *m, dit_pickle_kind kind)
{
    size_t first = above_mark(m);
    if (first)
        push_container(m, kind, first, true);
}

static void reduce(struct machine *m)
{
    const dit_pickle_value *arguments = pop(m), *global = pop(m);
    dit_pickle_value *result = new_value(m, (dit_pickle_value){0});
    if (!arguments || !global)
        return;
    if (!result)
        no_memory(m);
    else if (!dit_pickle_call(m->arena, global, arguments, result, m->path, m->error))
        push(m, result);
}

static void push_storage(struct machine *m)
{
    const dit_pickle_value *id = pop(m);
    dit_pickle_value *result = new_value(m, (dit_pickle_value){0});
    if (!id)
        return;
    if (!result)
        no_memory(m);
    else if (!dit_pickle_make_storage(id, result, m->path, m->error))
        push(m, result);
}

// The attributes of a dict, which say nothing about its tensors: `_metadata` of a state dict, a namespace's options.
static void drop_state(struct machine *m)
{
    pop(m);
    const dit_pickle_value *object = peek(m, 0);
    if (object && object->kind != DIT_PICKLE_DICT)
        fail(m, "attributes are set on something that is no dict");
}

static void pop_to_mark(struct machine *m)
{
    size_t first = above_mark(m);
    if (first)
        m->depth = first - 1;
}

static const dit_pickle_value mark = {.kind = DIT_PICKLE_MARK}, none = {.kind = DIT_PICKLE_NONE};
static const dit_pickle_value booleans[] = {{.kind = DIT_PICKLE_BOOL, .integer = 0},
                                            {.kind = DIT_PICKLE_BOOL, .integer = 1}};

static void step(struct machine *m)
{
    int opcode = (int)take(m, 1);
    if (m->error->status)
        return;
    switch (opcode) {
    case 0x80: // PROTO
        if (take(m, 1) > 5)
            fail(m, "its protocol is newer than 5");
        break;
    case 0x95: // FRAME
        take(m, 8);
        break;
    case '.': // STOP
        m->stopped = true;
        break;
    case '(': // MARK
        push_constant(m, &mark);
        break;
    case '0': // POP
        if (m->depth)
            m->depth--;
        break;
    case '1': // POP_MARK
        pop_to_mark(m);
        break;
    case '2': // DUP
        push(m, peek(m, 0));
        break;
    case 'N':
        push_constant(m, &none);
        break;
    case 0x88: // NEWTRUE
    case 0x89: // NEWFALSE
        push_constant(m, &booleans[opcode == 0x88]);
        break;
    case 'J': // BININT
        push_new(m, (dit_pickle_value){.kind = DIT_PICKLE_INTEGER, .integer = (int32_t)take(m, 4)});
        break;
    case 'K': // BININT1
        push_new(m, (dit_pickle_value){.kind = DIT_PICKLE_INTEGER, .integer = (int64_t)take(m, 1)});
        break;
    case 'M': // BININT2
        push_new(m, (dit_pickle_value){.kind = DIT_PICKLE_INTEGER, .integer = (int64_t)take(m, 2)});
        break;
    case 0x8a: // LONG1
        push_long(m, take(m, 1));
        break;
    case 'G': // BINFLOAT
        push_float(m);
        break;
    case 'X': // BINUNICODE
    case 'T': // BINSTRING
    case 'B': // BINBYTES
        push_text(m, take(m, 4));
        break;
    case 0x8c: // SHORT_BINUNICODE
    case 'U':  // SHORT_BINSTRING
    case 'C':  // SHORT_BINBYTES
        push_text(m, take(m, 1));
        break;
    case 0x8d: // BINUNICODE8
    case 0x8e: // BINBYTES8
        push_text(m, take(m, 8));
        break;
    case 'c':
        push_named_global(m);
        break;
    case 0x93:
        push_stacked_global(m);
        break;
    case ')': // EMPTY_TUPLE
        push_tuple_of(m, 0);
        break;
    case 0x85: // TUPLE1, TUPLE2, TUPLE3
    case 0x86:
    case 0x87:
        push_tuple_of(m, (size_t)opcode - 0x84);
        break;
    case 't': // TUPLE
        push_above_mark(m, DIT_PICKLE_TUPLE);
        break;
    case ']': // EMPTY_LIST
        push_container(m, DIT_PICKLE_LIST, m->depth, false);
        break;
    case '}': // EMPTY_DICT
        push_container(m, DIT_PICKLE_DICT, m->depth, false);
        break;
    case 'a': // APPEND
        add_items(m, DIT_PICKLE_LIST, m->depth ? m->depth - 1 : 0, false);
        break;
    case 'e': // APPENDS
        add_above_mark(m, DIT_PICKLE_LIST);
        break;
    case 's': // SETITEM
        add_items(m, DIT_PICKLE_DICT, m->depth > 1 ? m->depth - 2 : 0, false);
        break;
    case 'u': // SETITEMS
        add_above_mark(m, DIT_PICKLE_DICT);
        break;
    case 'R':  // REDUCE
    case 0x81: // NEWOBJ
        reduce(m);
        break;
    case 'b': // BUILD
        drop_state(m);
        break;
    case 'Q': // BINPERSID
        push_storage(m);
        break;
    case 'q': // BINPUT
        remember(m, take(m, 1));
        break;
    case 'r': // LONG_BINPUT
        remember(m, take(m, 4));
        break;
    case 0x94: // MEMOIZE
        remember(m, m->memo_count);
        break;
    case 'h': // BINGET
        recall(m, take(m, 1));
        break;
    case 'j': // LONG_BINGET
        recall(m, take(m, 4));
        break;
    default:
        fail(m, "an instruction that files of tensors do not use");
    }
}

dit_status dit_pickle_read(dit_arena *arena, const char *path, const unsigned char *bytes, size_t size,
                           dit_pickle_value **root, dit_error *error)
{
    struct machine m = {.arena = arena, .path = path, .bytes = bytes, .size = size, .error = error};
    while (!m.stopped && !error->status)
        step(&m);
    if (!error->status && (*root = peek(&m, 0)) && m.depth != 1)
        fail(&m, "it ends with something left over");
    free(m.stack);
    free(m.memo);
    return error->status;
}
