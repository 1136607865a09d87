// text/split.c: matches of a step's pattern, and what its behavior makes of them.
#define _GNU_SOURCE // memmem
#include "text/split.h"
#include "base/arena.h"
#include "text/byte_level.h"
#include <stdlib.h>
#include <string.h>

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory to split a text into words");
}

static bool add_place(dit_pieces *p, struct dit_piece piece)
{
    if (!dit_grow(&p->piece, &p->room, p->count + 1, sizeof *p->piece))
        return false;
    p->piece[p->count++] = piece;
    return true;
}

dit_status dit_pieces_add(dit_pieces *p, const char *text, size_t size, int32_t id, bool first, dit_error *error)
{
    if (id < 0 && size == 0)
        return DIT_OK;
    size_t at = p->text.size;
    if (!add_place(p, (struct dit_piece){at, size, id, first}) || !dit_text_append(&p->text, text, size))
        return no_memory(error);
    return DIT_OK;
}

void dit_pieces_free(dit_pieces *p)
{
    free(p->text.bytes);
    free(p->piece);
    *p = (dit_pieces){0};
}

// ---- Matches

struct spans {
    struct span {
        size_t from, to;
        bool matches;
    } * span;
    size_t count, room;
    size_t done; // the text before this is in spans
};

static bool add_span(struct spans *s, size_t from, size_t to, bool matches)
{
    if (!dit_grow(&s->span, &s->room, s->count + 1, sizeof *s->span))
        return false;
    s->span[s->count++] = (struct span){from, to, matches};
    s->done = to;
    return true;
}

static bool add_match(struct spans *s, size_t from, size_t to)
{
    return (s->done == from || add_span(s, s->done, from, false)) && add_span(s, from, to, true);
}

static dit_status find_regex(const dit_split_step *step, const char *text, size_t size, struct spans *s,
                             dit_error *error)
{
    dit_match match = {0};
    dit_status status = DIT_OK;
    dit_text known = {0}; // what every PCRE2 knows: its bytes are at the same places
    if (!dit_text_append(&known, text, size))
        return no_memory(error);
    dit_text_stand_in(known.bytes, known.size);
    while (!(status = dit_regex_next(step->regex, known.bytes, size, &match, error)) && match.found)
        if (!add_match(s, match.from[0], match.to[0])) {
            status = no_memory(error);
            break;
        }
    free(known.bytes);
    return status;
}

static bool find_text(const dit_split_step *step, const char *text, size_t size, struct spans *s)
{
    for (const char *found;
         step->text_size && (found = memmem(text + s->done, size - s->done, step->text, step->text_size));)
        if (!add_match(s, (size_t)(found - text), (size_t)(found - text) + step->text_size))
            return false;
    return true;
}

static bool find_class(const dit_split_step *step, const char *text, size_t size, struct spans *s)
{
    for (size_t at = 0; at < size;) {
        dit_character c = dit_character_at(text + at, size - at);
        if (step->is_member(c.code) && !add_match(s, at, at + c.size))
            return false;
        at += c.size;
    }
    return true;
}

static bool find_words(const char *text, size_t size, struct spans *s)
{
    for (size_t at = 0, n; at < size; at += n) {
        n = dit_word_length(text + at, size - at);
        if (!add_match(s, at, at + n))
            return false;
    }
    return true;
}

static dit_status find_matches(const dit_split_step *step, const char *text, size_t size, struct spans *s,
                               dit_error *error)
{
    bool fits = true;
    dit_status status = DIT_OK;
    s->count = s->done = 0;
    if (step->kind == DIT_SPLIT_AT_REGEX)
        status = find_regex(step, text, size, s, error);
    else if (step->kind == DIT_SPLIT_AT_TEXT)
        fits = find_text(step, text, size, s);
    else if (step->kind == DIT_SPLIT_AT_CLASS)
        fits = find_class(step, text, size, s);
    else
        fits = find_words(text, size, s);
    if (!status && (!fits || (s->done < size && !add_span(s, s->done, size, false))))
        return no_memory(error);
    for (size_t i = 0; i < s->count && step->invert; i++)
        s->span[i].matches = !s->span[i].matches;
    return status;
}

// ---- Behaviors

// Joins spans as the behavior says. Each one left is a piece, but those that match where matches are removed.
static void join_spans(struct spans *s, dit_split_behavior behavior)
{
    bool previous = false, backwards = behavior == DIT_SPLIT_MERGED_WITH_NEXT;
    size_t kept = 0;
    if (behavior == DIT_SPLIT_REMOVED || behavior == DIT_SPLIT_ISOLATED)
        return;
    // Merging with the next is merging with the previous from the other end: spans are kept at the end of the list.
    for (size_t i = 0; i < s->count; i++) {
        struct span now = s->span[backwards ? s->count - 1 - i : i];
        struct span *last = !kept ? NULL : backwards ? &s->span[s->count - kept] : &s->span[kept - 1];
        bool joins = behavior == DIT_SPLIT_CONTIGUOUS ? now.matches == previous : now.matches && !previous;
        previous = now.matches;
        if (joins && last && backwards)
            last->from = now.from;
        else if (joins && last)
            last->to = now.to;
        else {
            kept++;
            s->span[backwards ? s->count - kept : kept - 1] = now;
        }
    }
    if (backwards)
        memmove(s->span, s->span + s->count - kept, kept * sizeof *s->span);
    s->count = kept;
}

static dit_status cut(dit_pieces *pieces, const dit_split_step *step, dit_error *error)
{
    dit_pieces made = {0};
    struct spans spans = {0};
    dit_status status = DIT_OK;
    for (size_t i = 0; i < pieces->count && !status; i++) {
        struct dit_piece p = pieces->piece[i];
        if (p.id >= 0) {
            status = add_place(&made, p) ? DIT_OK : no_memory(error);
            continue;
        }
        status = find_matches(step, pieces->text.bytes + p.at, p.size, &spans, error);
        if (!status)
            join_spans(&spans, step->behavior);
        for (size_t k = 0; k < spans.count && !status; k++) {
            struct span s = spans.span[k];
            if (s.from == s.to || (s.matches && step->behavior == DIT_SPLIT_REMOVED))
                continue;
            if (!add_place(&made, (struct dit_piece){p.at + s.from, s.to - s.from, -1, p.first && s.from == 0}))
                status = no_memory(error);
        }
    }
    free(spans.span);
    if (status) {
        free(made.piece);
        return status;
    }
    free(pieces->piece);
    pieces->piece = made.piece;
    pieces->count = made.count;
    pieces->room = made.room;
    return DIT_OK;
}

// ---- Changes

// The piece with `text` for its spaces and, where the step says so, before it.
static bool append_metaspaces(dit_text *to, const dit_split_step *step, const char *text, struct dit_piece p)
{
    bool starts = *text == ' ' || (p.size >= step->text_size && !memcmp(text, step->text, step->text_size));
    bool wanted = step->prefix == DIT_PREFIX_ALWAYS || (step->prefix == DIT_PREFIX_FIRST && p.first);
    bool fits = starts || !wanted || dit_text_append(to, step->text, step->text_size);
    for (size_t at = 0, n; at < p.size && fits; at += n) {
        bool space = text[at] == ' ';
        const char *next = space ? NULL : memchr(text + at, ' ', p.size - at);
        n = space ? 1 : next ? (size_t)(next - text) - at : p.size - at;
        fits = space ? dit_text_append(to, step->text, step->text_size) : dit_text_append(to, text + at, n);
    }
    return fits;
}

static bool append_changed(dit_text *to, const dit_split_step *step, const char *text, struct dit_piece p)
{
    bool fits = true;
    char written[4];
    if (step->kind == DIT_SPLIT_METASPACE)
        return append_metaspaces(to, step, text, p);
    if (step->kind == DIT_SPLIT_PREFIX_SPACE)
        return (*text == ' ' || dit_text_append(to, " ", 1)) && dit_text_append(to, text, p.size);
    for (size_t at = 0; at < p.size && fits; at++) {
        dit_byte_to_text((uint8_t)text[at], written);
        fits = dit_text_append(to, written, strlen(written));
    }
    return fits;
}

static dit_status change(dit_pieces *pieces, const dit_split_step *step, dit_error *error)
{
    dit_text made = {0};
    bool fits = true;
    for (size_t i = 0; i < pieces->count && fits; i++) {
        struct dit_piece *p = &pieces->piece[i];
        size_t at = made.size;
        if (p->id >= 0)
            continue;
        fits = append_changed(&made, step, pieces->text.bytes + p->at, *p);
        *p = (struct dit_piece){at, made.size - at, -1, p->first};
    }
    if (!fits) {
        free(made.bytes);
        return no_memory(error);
    }
    free(pieces->text.bytes);
    pieces->text = made;
    return DIT_OK;
}

dit_status dit_split(dit_pieces *pieces, const dit_split_step *steps, int count, dit_error *error)
{
    dit_status status = DIT_OK;
    for (int i = 0; i < count && !status; i++)
        status =
            steps[i].kind >= DIT_SPLIT_PREFIX_SPACE ? change(pieces, &steps[i], error) : cut(pieces, &steps[i], error);
    return status;
}
