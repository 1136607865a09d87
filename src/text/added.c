// text/added.c: finding added tokens.
#include "text/added.h"
#include "base/arena.h"
#include "text/character.h"

static bool add(dit_added_spans *s, size_t from, size_t to, int32_t id)
{
    if (!dit_grow(&s->span, &s->room, s->count + 1, sizeof *s->span))
        return false;
    s->span[s->count++] = (dit_added_span){from, to, id};
    return true;
}

static bool stands_alone(const char *text, size_t size, size_t from, size_t to)
{
    return (from == 0 || !dit_is_word(dit_last_character(text, from).code)) &&
           (to == size || !dit_is_word(dit_character_at(text + to, size - to).code));
}

static size_t spaces_before(const char *text, size_t from, size_t least)
{
    while (from > least) {
        dit_character c = dit_last_character(text, from);
        if (!dit_is_space(c.code))
            break;
        from -= c.size;
    }
    return from;
}

static size_t spaces_after(const char *text, size_t size, size_t to)
{
    while (to < size) {
        dit_character c = dit_character_at(text + to, size - to);
        if (!dit_is_space(c.code))
            break;
        to += c.size;
    }
    return to;
}

dit_status dit_added_find(const dit_trie *trie, const dit_added_token *tokens, const char *text, size_t size,
                          dit_added_spans *spans, dit_error *error)
{
    size_t done = 0, length = 0;
    bool fits = true;
    spans->count = 0;
    for (size_t at = 0; at < size && fits && trie->count > 1;) {
        int found = dit_trie_longest(trie, text + at, size - at, &length);
        size_t from = at, to = at + length;
        at += found < 0 ? 1 : length;
        if (found < 0 || (tokens[found].single_word && !stands_alone(text, size, from, to)))
            continue;
        if (tokens[found].strip_left)
            from = from > done ? spaces_before(text, from, done) : done;
        if (tokens[found].strip_right)
            to = spaces_after(text, size, to);
        if (from >= to) // the one before took all of it along
            continue;
        fits = (done >= from || add(spans, done, from, -1)) && add(spans, from, to, tokens[found].id);
        done = to;
    }
    if (!fits || (done < size && !add(spans, done, size, -1)))
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the tokens of a text");
    return DIT_OK;
}
