// text/bpe_learn.c: learning merges: words with counts, pairs with counts, and the words in which each pair occurs.
#include "text/bpe_learn.h"
#include "base/arena.h"
#include "io/atomic_file.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/normalize.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { PAD, END, SPECIALS, FIRST_MERGE = SPECIALS + 256, LARGEST_VOCABULARY = 1 << 20 };
static const char *const special_tokens[SPECIALS] = {"<pad>", "<end>"};

// A word that occurs `count` times, at first as its bytes, then as ever fewer tokens.
struct word {
    const char *bytes;
    size_t size;
    uint64_t count;
    int32_t *ids; // [length]
    size_t length;
};

struct dit_bpe_learner {
    dit_arena *arena; // the bytes of words
    struct word *words;
    size_t count, capacity;
    uint32_t *table; // a hash table of places in `words` plus one; 0: empty
    size_t table_size;
};

dit_bpe_learner *dit_bpe_learner_new(void)
{
    dit_bpe_learner *l = calloc(1, sizeof *l);
    if (l && !(l->arena = dit_arena_new())) {
        free(l);
        return NULL;
    }
    return l;
}

void dit_bpe_learner_free(dit_bpe_learner *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        free(l->words[i].ids);
    free(l->words);
    free(l->table);
    dit_arena_free(l->arena);
    free(l);
}

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory to learn a vocabulary");
}

// ---- Counting words

// Where the word is in the table, or would be (FNV-1a).
static size_t table_place(const dit_bpe_learner *l, const char *bytes, size_t size)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    size_t at = (size_t)(h ^ h >> 32) & (l->table_size - 1);
    for (; l->table[at]; at = (at + 1) & (l->table_size - 1)) {
        const struct word *w = &l->words[l->table[at] - 1];
        if (w->size == size && !memcmp(w->bytes, bytes, size))
            break;
    }
    return at;
}

static bool table_grow(dit_bpe_learner *l)
{
    size_t size = l->table_size ? 2 * l->table_size : 4096;
    uint32_t *larger = calloc(size, sizeof *larger);
    if (!larger)
        return false;
    free(l->table);
    l->table = larger;
    l->table_size = size;
    for (size_t i = 0; i < l->count; i++)
        l->table[table_place(l, l->words[i].bytes, l->words[i].size)] = (uint32_t)(i + 1);
    return true;
}

static dit_status count_word(dit_bpe_learner *l, const char *bytes, size_t size, dit_error *error)
{
    if (l->count >= UINT32_MAX / 2 || (2 * l->count >= l->table_size && !table_grow(l)))
        return no_memory(error);
    size_t place = table_place(l, bytes, size);
    if (l->table[place]) {
        l->words[l->table[place] - 1].count++;
        return DIT_OK;
    }
    char *copy = dit_arena_alloc(l->arena, size);
    if (!copy || !dit_grow(&l->words, &l->capacity, l->count + 1, sizeof *l->words))
        return no_memory(error);
    memcpy(copy, bytes, size);
    l->words[l->count++] = (struct word){.bytes = copy, .size = size, .count = 1};
    l->table[place] = (uint32_t)l->count;
    return DIT_OK;
}

dit_status dit_bpe_learner_add(dit_bpe_learner *l, const char *text, size_t size, dit_error *error)
{
    // The steps that the file written below lists.
    static const dit_normal_step steps[] = {{.kind = DIT_NORMAL_NFKC},
                                            {.kind = DIT_NORMAL_LOWERCASE},
                                            {.kind = DIT_NORMAL_STRIP_LEFT},
                                            {.kind = DIT_NORMAL_STRIP_RIGHT}};
    dit_status status = dit_text_check(text, size, "the text", error);
    dit_text normal;
    if (status || (status = dit_text_normalize(text, size, steps, sizeof steps / sizeof *steps, &normal, error)))
        return status;
    char *spaced = malloc(normal.size + 1); // every text starts with a space, so that its first word is like the others
    if (spaced) {
        spaced[0] = ' ';
        memcpy(spaced + 1, normal.bytes, normal.size);
    } else
        status = no_memory(error);
    for (size_t at = 0, end = normal.size + 1; at < end && normal.size > 0 && !status;) {
        size_t length = dit_word_length(spaced + at, end - at);
        status = count_word(l, spaced + at, length, error);
        at += length;
    }
    free(spaced);
    free(normal.bytes);
    return status;
}

// ---- Learning merges

struct pairs {
    dit_bpe index;   // from a pair to its number, which stands in the place of the joined id
    uint64_t *pair;  // [count]
    uint64_t *times; // [count] how often it occurs
    struct places {
        uint32_t *word; // the words that it occurs in, or did before a merge; a word may come twice
        size_t count, capacity;
    } * places; // [count]
    size_t count, pair_room, times_room, places_room;
};

static void free_pairs(struct pairs *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->places[i].word);
    free(p->pair);
    free(p->times);
    free(p->places);
    dit_bpe_free(&p->index);
}

// The number of a pair, which is added when it is new; -1 when memory is out.
static ptrdiff_t pair_number(struct pairs *p, uint64_t pair)
{
    const struct dit_merge *found = dit_bpe_find(&p->index, pair);
    if (found)
        return found->id;
    size_t n = p->count;
    if (!dit_grow(&p->pair, &p->pair_room, n + 1, sizeof *p->pair) ||
        !dit_grow(&p->times, &p->times_room, n + 1, sizeof *p->times) ||
        !dit_grow(&p->places, &p->places_room, n + 1, sizeof *p->places) ||
        dit_bpe_add(&p->index, (int32_t)(pair >> 32), (int32_t)pair, (int32_t)n, NULL))
        return -1;
    p->pair[n] = pair;
    p->times[n] = 0;
    p->places[n] = (struct places){0};
    return (ptrdiff_t)p->count++;
}

// Counts the pairs of a word. Those that hold `token` (-1: all) are new in it, and get the word's place.
static bool add_word_pairs(struct pairs *p, const struct word *w, uint32_t place, int32_t token)
{
    for (size_t i = 0; i + 1 < w->length; i++) {
        ptrdiff_t n = pair_number(p, dit_pair(w->ids[i], w->ids[i + 1]));
        if (n < 0)
            return false;
        p->times[n] += w->count;
        struct places *places = &p->places[n];
        if (token >= 0 && w->ids[i] != token && w->ids[i + 1] != token)
            continue;
        if (places->count > 0 && places->word[places->count - 1] == place)
            continue;
        if (!dit_grow(&places->word, &places->capacity, places->count + 1, sizeof *places->word))
            return false;
        places->word[places->count++] = place;
    }
    return true;
}

static void remove_word_pairs(struct pairs *p, const struct word *w)
{
    for (size_t i = 0; i + 1 < w->length; i++)
        p->times[dit_bpe_find(&p->index, dit_pair(w->ids[i], w->ids[i + 1]))->id] -= w->count;
}

// Joins the pair wherever it stands in the word, from the left.
static void join_in_word(struct word *w, uint64_t pair, int32_t token)
{
    size_t to = 0;
    for (size_t from = 0; from < w->length; to++) {
        bool joins = from + 1 < w->length && dit_pair(w->ids[from], w->ids[from + 1]) == pair;
        w->ids[to] = joins ? token : w->ids[from];
        from += joins ? 2 : 1;
    }
    w->length = to;
}

static bool has_pair(const struct word *w, uint64_t pair)
{
    for (size_t i = 0; i + 1 < w->length; i++)
        if (dit_pair(w->ids[i], w->ids[i + 1]) == pair)
            return true;
    return false;
}

static bool join_everywhere(dit_bpe_learner *l, struct pairs *p, size_t best, int32_t token)
{
    uint64_t pair = p->pair[best];
    struct places places = p->places[best]; // taken out: `p` grows below
    p->places[best] = (struct places){0};
    bool fits = true;
    for (size_t i = 0; i < places.count && fits; i++) {
        struct word *w = &l->words[places.word[i]];
        if (!has_pair(w, pair))
            continue;
        remove_word_pairs(p, w);
        join_in_word(w, pair, token);
        fits = add_word_pairs(p, w, places.word[i], token);
    }
    free(places.word);
    return fits;
}

static size_t most_frequent(const struct pairs *p)
{
    size_t best = 0;
    for (size_t i = 1; i < p->count; i++)
        if (p->times[i] > p->times[best] || (p->times[i] == p->times[best] && p->pair[i] < p->pair[best]))
            best = i;
    return best;
}

// The bytes in the order of their characters in the file: those that are visible as themselves, then the others.
static void byte_order(uint8_t order[256])
{
    int n = 0;
    for (int wide = 0; wide < 2; wide++)
        for (int byte = 0; byte < 256; byte++) {
            char text[4];
            dit_byte_to_text((uint8_t)byte, text);
            if ((dit_character_at(text, strlen(text)).code >= 0x100) == wide)
                order[n++] = (uint8_t)byte;
        }
}

static bool start_words(dit_bpe_learner *l, const uint8_t order[256])
{
    int32_t id_of[256];
    for (int i = 0; i < 256; i++)
        id_of[order[i]] = SPECIALS + i;
    for (size_t i = 0; i < l->count; i++) {
        struct word *w = &l->words[i];
        free(w->ids);
        w->ids = malloc(w->size * sizeof *w->ids);
        if (!w->ids)
            return false;
        w->length = w->size;
        for (size_t k = 0; k < w->size; k++)
            w->ids[k] = id_of[(unsigned char)w->bytes[k]];
    }
    return true;
}

// merges: [size - FIRST_MERGE] pairs. Returns how many were learned, or -1 when memory is out.
static ptrdiff_t learn(dit_bpe_learner *l, const uint8_t order[256], int size, int least, uint64_t *merges)
{
    struct pairs p = {0};
    ptrdiff_t learned = 0;
    bool fits = start_words(l, order);
    for (size_t i = 0; i < l->count && fits; i++)
        fits = add_word_pairs(&p, &l->words[i], (uint32_t)i, -1);
    while (fits && p.count > 0 && FIRST_MERGE + learned < size) {
        size_t best = most_frequent(&p);
        if (p.times[best] < (uint64_t)least || p.times[best] == 0)
            break;
        merges[learned] = p.pair[best];
        fits = join_everywhere(l, &p, best, (int32_t)(FIRST_MERGE + learned));
        learned++;
    }
    free_pairs(&p);
    return fits ? learned : -1;
}

// ---- The file

// names[i] is token i as the file writes it, in the arena. False when memory is out.
static bool name_tokens(dit_arena *arena, const uint8_t order[256], const uint64_t *merges, size_t count,
                        const char **names)
{
    char text[4];
    for (int i = 0; i < SPECIALS; i++)
        names[i] = special_tokens[i];
    for (int i = 0; i < 256; i++) {
        dit_byte_to_text(order[i], text);
        if (!(names[SPECIALS + i] = dit_arena_copy_text(arena, text)))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *joined = dit_arena_printf(arena, "%s%s", names[merges[i] >> 32], names[(uint32_t)merges[i]]);
        if (!(names[FIRST_MERGE + i] = joined))
            return false;
    }
    return true;
}

static json_t *added_tokens(void)
{
    json_t *list = json_array();
    for (int i = 0; i < SPECIALS; i++)
        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", i, "content", special_tokens[i],
                                        "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1));
    return list;
}

static json_t *document(const char *const *names, const uint64_t *merges, size_t count)
{
    json_t *vocabulary = json_object(), *list = json_array();
    for (size_t i = 0; i < FIRST_MERGE + count; i++)
        json_object_set_new(vocabulary, names[i], json_integer((json_int_t)i));
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("[s, s]", names[merges[i] >> 32], names[(uint32_t)merges[i]]));
    json_t *normalizer =
        json_pack("{s:s, s:[{s:s}, {s:s}, {s:s, s:b, s:b}]}", "type", "Sequence", "normalizers", "type", "NFKC", "type",
                  "Lowercase", "type", "Strip", "strip_left", 1, "strip_right", 1);
    json_t *byte_level = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets",
                                   1, "use_regex", 1);
    const char *end = special_tokens[END];
    json_t *template =
        json_pack("{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}], s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}], "
                  "s:{s:{s:s, s:[i], s:[s]}}}",
                  "type", "TemplateProcessing", "single", "Sequence", "id", "A", "type_id", 0, "SpecialToken", "id",
                  end, "type_id", 0, "pair", "Sequence", "id", "A", "type_id", 0, "Sequence", "id", "B", "type_id", 1,
                  "special_tokens", end, "id", end, "ids", END, "tokens", end);
    json_t *model = json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout",
                              "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                              "byte_fallback", 0, "ignore_merges", 0, "vocab", vocabulary, "merges", list);
    return json_pack("{s:s, s:n, s:n, s:o, s:o, s:O, s:o, s:o, s:o}", "version", "1.0", "truncation", "padding",
                     "added_tokens", added_tokens(), "normalizer", normalizer, "pre_tokenizer", byte_level,
                     "post_processor", template, "decoder", byte_level, "model", model);
}

dit_status dit_bpe_learner_save(dit_bpe_learner *l, const char *path, int size, int least, int *learned,
                                dit_error *error)
{
    uint8_t order[256];
    char *text = NULL;
    json_t *json = NULL;
    dit_status status = DIT_OK;
    if (size < FIRST_MERGE || size > LARGEST_VOCABULARY)
        return dit_fail(error, DIT_BAD_ARGUMENT, "a vocabulary of %d tokens: it has %d to %d", size, FIRST_MERGE,
                        LARGEST_VOCABULARY);
    uint64_t *merges = calloc((size_t)size, sizeof *merges);
    const char **names = calloc((size_t)size, sizeof *names);
    byte_order(order);
    ptrdiff_t count = merges && names ? learn(l, order, size, least, merges) : -1;
    if (count >= 0 && name_tokens(l->arena, order, merges, (size_t)count, names) &&
        (json = document(names, merges, (size_t)count)))
        text = json_dumps(json, JSON_COMPACT);
    if (text)
        status = dit_atomic_file_save(path, text, strlen(text), error);
    else
        status = no_memory(error);
    if (learned)
        *learned = FIRST_MERGE + (int)count;
    free(text);
    json_decref(json);
    free(names);
    free(merges);
    return status;
}
