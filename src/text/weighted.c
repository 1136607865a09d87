// text/weighted.c: brackets to weights, and weighted parts to rows of tokens.
#include "text/weighted.h"
#include "base/arena.h"
#include "text/character.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double round_weight = 1.1, square_weight = 1 / 1.1;

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory for a prompt");
}

// ---- Taking a prompt apart

static bool add_part(dit_prompt_parts *p, const char *text, size_t size, bool is_break)
{
    char *copy = malloc(size + 1);
    if (!copy || !dit_grow(&p->part, &p->room, p->count + 1, sizeof *p->part)) {
        free(copy);
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = 0;
    p->part[p->count++] = (dit_prompt_part){copy, size, 1, is_break};
    return true;
}

// BREAK as a word of its own, with the space around it: its place, and what it takes. SIZE_MAX: there is none.
static size_t find_break(const char *text, size_t size, size_t *length)
{
    static const char word[] = "BREAK";
    enum { SIZE = sizeof word - 1 };
    for (size_t at = 0; at + SIZE <= size; at++) {
        size_t from = at, to = at + SIZE;
        if (memcmp(text + at, word, SIZE) || (at > 0 && dit_is_word(dit_last_character(text, at).code)) ||
            (to < size && dit_is_word(dit_character_at(text + to, size - to).code)))
            continue;
        while (from > 0 && dit_is_space(dit_last_character(text, from).code))
            from -= dit_last_character(text, from).size;
        while (to < size && dit_is_space(dit_character_at(text + to, size - to).code))
            to += dit_character_at(text + to, size - to).size;
        *length = to - from;
        return from;
    }
    return SIZE_MAX;
}

// Text without brackets, which may hold BREAK.
static bool add_text(dit_prompt_parts *p, const char *text, size_t size)
{
    size_t length;
    for (size_t at; (at = find_break(text, size, &length)) != SIZE_MAX; text += at + length, size -= at + length)
        if (!add_part(p, text, at, false) || !add_part(p, "", 0, true))
            return false;
    return add_part(p, text, size, false);
}

// ":1.2)" at the start of a text: the bytes that it takes, 0 when it is none.
static size_t closing_weight(const char *text, size_t size, double *weight)
{
    char number[32];
    size_t at = 1, n = 0;
    while (at < size && dit_is_space((unsigned char)text[at]))
        at++;
    for (; at < size && n + 1 < sizeof number && strchr("+-.0123456789", text[at] ? text[at] : 'x'); at++)
        number[n++] = text[at];
    while (at < size && dit_is_space((unsigned char)text[at]))
        at++;
    number[n] = 0;
    char *end;
    *weight = strtod(number, &end);
    return n > 0 && !*end && at < size && text[at] == ')' && isfinite(*weight) ? at + 1 : 0;
}

struct brackets { // the parts at which open brackets begin
    size_t *at;
    size_t count, room;
};

static bool open_bracket(struct brackets *b, size_t part)
{
    if (!dit_grow(&b->at, &b->room, b->count + 1, sizeof *b->at))
        return false;
    b->at[b->count++] = part;
    return true;
}

static void close_bracket(struct brackets *b, dit_prompt_parts *p, double weight)
{
    for (size_t i = b->at[--b->count]; i < p->count; i++)
        p->part[i].weight *= weight;
}

// One sign or run of text; the bytes that it takes, 0 when memory is out.
static size_t parse_next(const char *text, size_t size, struct brackets *round, struct brackets *square,
                         dit_prompt_parts *p)
{
    double weight;
    size_t taken;
    bool escapes = *text == '\\' && size > 1 && strchr("()[]\\", text[1] ? text[1] : 'x');
    if (*text == '\\')
        return add_part(p, text + 1, escapes, false) ? 1u + escapes : 0;
    if (*text == '(' || *text == '[')
        return open_bracket(*text == '(' ? round : square, p->count);
    if (*text == ':' && round->count > 0 && (taken = closing_weight(text, size, &weight))) {
        close_bracket(round, p, weight);
        return taken;
    }
    if (*text == ')' && round->count > 0)
        return close_bracket(round, p, round_weight), 1;
    if (*text == ']' && square->count > 0)
        return close_bracket(square, p, square_weight), 1;
    taken = 1;
    if (!strchr("()[]:", *text ? *text : 'x'))
        while (taken < size && !strchr("\\()[]:", text[taken] ? text[taken] : 'x'))
            taken++;
    return add_text(p, text, taken) ? taken : 0;
}

// Neighbours of one weight become one part.
static bool merge_parts(dit_prompt_parts *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        dit_prompt_part *last = kept ? &p->part[kept - 1] : NULL, now = p->part[i];
        if (!last || last->is_break || now.is_break || last->weight != now.weight) {
            p->part[kept++] = now;
            continue;
        }
        char *longer = realloc(last->text, last->size + now.size + 1);
        if (!longer) {
            memmove(&p->part[kept], &p->part[i], (p->count - i) * sizeof *p->part);
            p->count -= i - kept;
            return false;
        }
        memcpy(longer + last->size, now.text, now.size + 1);
        last->text = longer;
        last->size += now.size;
        free(now.text);
    }
    p->count = kept;
    return true;
}

dit_status dit_prompt_parse(const char *prompt, size_t size, dit_prompt_parts *parts, dit_error *error)
{
    struct brackets round = {0}, square = {0};
    dit_prompt_parts p = {0};
    dit_status status = dit_text_check(prompt, size, "the prompt", error);
    bool fits = true;
    for (size_t at = 0, taken; at < size && !status && fits; at += taken) {
        taken = parse_next(prompt + at, size - at, &round, &square, &p);
        fits = taken > 0;
    }
    while (round.count > 0)
        close_bracket(&round, &p, round_weight);
    while (square.count > 0)
        close_bracket(&square, &p, square_weight);
    if (!status && (!fits || (p.count == 0 && !add_part(&p, "", 0, false)) || !merge_parts(&p)))
        status = no_memory(error);
    free(round.at);
    free(square.at);
    if (status)
        dit_prompt_parts_free(&p);
    else
        *parts = p;
    return status;
}

void dit_prompt_parts_free(dit_prompt_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        free(parts->part[i].text);
    free(parts->part);
    *parts = (dit_prompt_parts){0};
}

// ---- Rows

struct rows {
    const dit_tokenizer *tokenizer;
    const int32_t *before, *after;
    size_t before_count, after_count, room, length;
    int32_t pad, comma; // -1: no token is a comma
    int32_t *ids;       // [rows * length]
    float *weights;
    uint8_t *mask;
    size_t rows, ids_room, weights_room, mask_room;
    const dit_row_rule *rule;
    int32_t *row; // [room] the row that is being filled
    float *row_weights;
    size_t count, last_comma; // SIZE_MAX: no comma in this row
};

static bool end_row(struct rows *r)
{
    size_t at = r->rows * r->length, end = at + r->length;
    if (!dit_grow(&r->ids, &r->ids_room, end, sizeof *r->ids) ||
        !dit_grow(&r->weights, &r->weights_room, end, sizeof *r->weights) ||
        !dit_grow(&r->mask, &r->mask_room, end, sizeof *r->mask))
        return false;
    for (size_t i = at; i < end; i++) {
        r->weights[i] = 1;
        r->mask[i] = i - at < r->before_count + r->count + r->after_count;
    }
    memcpy(r->ids + at, r->before, r->before_count * sizeof *r->ids);
    at += r->before_count;
    memcpy(r->ids + at, r->row, r->count * sizeof *r->ids);
    memcpy(r->weights + at, r->row_weights, r->count * sizeof *r->weights);
    at += r->count;
    memcpy(r->ids + at, r->after, r->after_count * sizeof *r->ids);
    for (at += r->after_count; at < end; at++)
        r->ids[at] = r->pad;
    r->rows++;
    r->count = 0;
    r->last_comma = SIZE_MAX;
    return true;
}

// Ends a full row; what follows its last comma, if that is near, goes to the next one.
static bool end_full_row(struct rows *r, bool is_comma)
{
    enum { NEAR = 20 };
    size_t full = r->count, kept = full;
    if (!is_comma && r->last_comma != SIZE_MAX && full - r->last_comma <= NEAR)
        kept = r->last_comma + 1;
    r->count = kept;
    if (!end_row(r))
        return false;
    memmove(r->row, r->row + kept, (full - kept) * sizeof *r->row);
    memmove(r->row_weights, r->row_weights + kept, (full - kept) * sizeof *r->row_weights);
    r->count = full - kept;
    // A comma at the very end moves nothing: the row was full of text up to it.
    return true;
}

// Without the spaces around: a tokenizer that keeps spaces puts one before each text itself.
static void strip(const char **text, size_t *size)
{
    while (*size > 0 && dit_is_space(dit_character_at(*text, *size).code)) {
        size_t taken = dit_character_at(*text, *size).size;
        *text += taken;
        *size -= taken;
    }
    while (*size > 0 && dit_is_space(dit_last_character(*text, *size).code))
        *size -= dit_last_character(*text, *size).size;
}

static dit_status add_tokens(struct rows *r, const dit_prompt_part *part, bool alone, dit_error *error)
{
    int32_t *ids = NULL;
    char *clean = NULL;
    size_t count = 0, size = part->size;
    bool fits = true;
    if (r->rule->clean && r->rule->clean(part->text, part->size, &clean, &size, error))
        return error->status;
    const char *text = clean ? clean : part->text;
    if (r->rule->one && !r->rule->keeps_spaces && !alone)
        strip(&text, &size);
    if (alone || size > 0)
        dit_tokenizer_encode_bare(r->tokenizer, text, size, &ids, &count, error);
    free(clean);
    for (size_t i = 0; i < count && fits; i++) {
        bool is_comma = ids[i] == r->comma;
        if (r->count == r->room && r->rule->one)
            break;
        if (r->count == r->room)
            fits = end_full_row(r, is_comma);
        if (is_comma)
            r->last_comma = r->count;
        r->row[r->count] = ids[i];
        r->row_weights[r->count++] = (float)part->weight;
    }
    free(ids);
    return fits ? error->status : no_memory(error);
}

static dit_status fill_rows(struct rows *r, const dit_prompt_parts *parts, size_t least, dit_error *error)
{
    for (size_t i = 0; i < parts->count && !error->status; i++)
        if (!parts->part[i].is_break)
            add_tokens(r, &parts->part[i], parts->count == 1, error);
        else if (!r->rule->one && !end_row(r))
            no_memory(error);
    if (!error->status && (r->count > 0 || r->rows == 0) && !end_row(r))
        no_memory(error);
    while (!error->status && r->rows < least)
        if (!end_row(r))
            no_memory(error);
    return error->status;
}

dit_status dit_weigh_prompt(const dit_tokenizer *tokenizer, const char *prompt, size_t size, const dit_row_rule *rule,
                            dit_weighted_prompt *weighted, dit_error *error)
{
    enum { MOST = 1 << 20 };
    dit_error ours = {0};
    dit_prompt_parts parts = {0};
    dit_tokenizer_habits habits = dit_tokenizer_ask(tokenizer);
    const size_t room = rule->room;
    struct rows r = {.tokenizer = tokenizer,
                     .room = room,
                     .rule = rule,
                     .pad = rule->end_fills_up ? habits.eos_id : habits.pad_id,
                     .last_comma = SIZE_MAX};
    if (room < 1 || room > MOST || rule->least > MOST)
        return dit_fail(error, DIT_BAD_ARGUMENT, "rows of %zu tokens, at least %zu of them: must be 1 to %d", room,
                        rule->least, MOST);
    r.before = dit_tokenizer_before(tokenizer, &r.before_count);
    r.after = dit_tokenizer_after(tokenizer, &r.after_count);
    r.length = r.before_count + room + r.after_count;
    r.comma = dit_tokenizer_find(tokenizer, ",</w>");
    if (r.pad < 0)
        r.pad = habits.pad_id;
    if (r.pad < 0) // as dit_encode_padded fills up
        r.pad = dit_tokenizer_find(tokenizer, "<pad>");
    if (r.pad < 0)
        r.pad = 0;
    r.row = malloc(room * sizeof *r.row);
    r.row_weights = malloc(room * sizeof *r.row_weights);
    if (!r.row || !r.row_weights)
        no_memory(&ours);
    else if (!dit_prompt_parse(prompt, size, &parts, &ours))
        fill_rows(&r, &parts, rule->least, &ours);
    dit_prompt_parts_free(&parts);
    free(r.row);
    free(r.row_weights);
    if (ours.status) {
        free(r.ids);
        free(r.weights);
        free(r.mask);
        return dit_fail(error, ours.status, "%s", ours.message);
    }
    *weighted = (dit_weighted_prompt){r.ids, r.weights, r.mask, r.rows, r.length};
    return DIT_OK;
}

void dit_weighted_prompt_free(dit_weighted_prompt *weighted)
{
    free(weighted->ids);
    free(weighted->weights);
    free(weighted->mask);
    *weighted = (dit_weighted_prompt){0};
}

// ---- <lora:name:0.8>

static dit_status add_lora(dit_prompt_loras *l, const char *text, size_t size, dit_error *error)
{
    const char *colon = memchr(text, ':', size);
    size_t name_size = colon ? (size_t)(colon - text) : size;
    char number[32] = "1", *end;
    size_t n = colon ? size - name_size - 1 : 1;
    if (colon && n < sizeof number) {
        memcpy(number, colon + 1, n);
        number[n] = 0;
    }
    double weight = strtod(number, &end);
    bool is_number = n > 0 && n < sizeof number && !*end && isfinite(weight) && !dit_is_space((unsigned char)*number);
    if (name_size == 0 || !is_number)
        return dit_fail(error, DIT_BAD_ARGUMENT, "<lora:%.*s>: must be <lora:NAME> or <lora:NAME:WEIGHT>",
                        size > 60 ? 60 : (int)size, text);
    char *name = malloc(name_size + 1);
    if (!name || !dit_grow(&l->lora, &l->room, l->count + 1, sizeof *l->lora)) {
        free(name);
        return no_memory(error);
    }
    memcpy(name, text, name_size);
    name[name_size] = 0;
    l->lora[l->count++] = (dit_prompt_lora){name, weight};
    return DIT_OK;
}

dit_status dit_prompt_take_loras(const char *prompt, dit_prompt_loras *loras, dit_error *error)
{
    static const char start[] = "<lora:";
    enum { START = sizeof start - 1 };
    dit_prompt_loras l = {.prompt = malloc(strlen(prompt) + 1)};
    dit_status status = l.prompt ? dit_text_check(prompt, strlen(prompt), "the prompt", error) : no_memory(error);
    size_t to = 0;
    while (*prompt && !status) {
        const char *end = strncmp(prompt, start, START) ? NULL : strchr(prompt, '>');
        if (end) {
            status = add_lora(&l, prompt + START, (size_t)(end - prompt) - START, error);
            prompt = end + 1;
        } else
            l.prompt[to++] = *prompt++;
    }
    if (status) {
        dit_prompt_loras_free(&l);
        return status;
    }
    l.prompt[to] = 0;
    *loras = l;
    return DIT_OK;
}

void dit_prompt_loras_free(dit_prompt_loras *loras)
{
    for (size_t i = 0; i < loras->count; i++)
        free(loras->lora[i].name);
    free(loras->lora);
    free(loras->prompt);
    *loras = (dit_prompt_loras){0};
}
