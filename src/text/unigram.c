// text/unigram.c: the best path through a word (Viterbi), as the `tokenizers` library finds it: of equals the first
// seen.
#include "text/unigram.h"
#include "text/character.h"
#include <stdlib.h>
#include <string.h>

dit_status dit_unigram_prepare(dit_unigram *model, const dit_vocabulary *vocabulary, dit_error *error)
{
    dit_trie_entry *entries = malloc(((size_t)vocabulary->count + 1) * sizeof *entries);
    size_t count = 0, size;
    if (!entries)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the tokens of a tokenizer");
    for (int id = 0; id < vocabulary->size; id++) {
        const char *text = dit_vocabulary_text(vocabulary, id, &size);
        if (text && size > 0)
            entries[count++] = (dit_trie_entry){text, (uint32_t)size, id};
    }
    dit_status status = dit_trie_build(&model->trie, entries, count, error);
    free(entries);
    return status;
}

void dit_unigram_free(dit_unigram *model)
{
    dit_trie_free(&model->trie);
    free(model->score);
    *model = (dit_unigram){0};
}

// The best path to a place in the word: its score, and its last token.
struct node {
    double score;
    int32_t id;
    size_t from; // where that token begins; SIZE_MAX: no path ends here
};

static void reach(struct node *node, double score, int32_t id, size_t from)
{
    if (node->from == SIZE_MAX || score > node->score)
        *node = (struct node){score, id, from};
}

static dit_status find_path(const dit_unigram *m, const char *word, size_t size, struct node *nodes, dit_error *error)
{
    const double penalty = 10;
    for (size_t i = 0; i <= size; i++)
        nodes[i] = (struct node){0, 0, SIZE_MAX};
    for (size_t at = 0, n; at < size; at += n) {
        n = dit_character_at(word + at, size - at).size;
        bool known = false; // the character alone is a token
        uint32_t node = 0;
        for (size_t end = at; end < size && (node = dit_trie_child(&m->trie, node, (uint8_t)word[end])); end++) {
            int32_t id = m->trie.value[node];
            if (id < 0)
                continue;
            reach(&nodes[end + 1], nodes[at].score + m->score[id], id, at);
            known = known || end + 1 - at == n;
        }
        if (known)
            continue;
        if (m->unknown < 0)
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "the tokenizer has no token for \"%.*s\", nor one for what it does not know", (int)n,
                            word + at);
        reach(&nodes[at + n], nodes[at].score + (m->least - penalty), m->unknown, at);
    }
    return DIT_OK;
}

// The token of unknown text, or those of its bytes.
static dit_status add_unknown(const dit_unigram *m, const dit_vocabulary *vocabulary, const char *text, size_t size,
                              dit_ids *ids, dit_error *error)
{
    int known = dit_vocabulary_find(vocabulary, text, size);
    bool has_bytes = m->byte_fallback && known < 0;
    for (size_t i = 0; i < size && has_bytes; i++)
        has_bytes = m->byte_id[(uint8_t)text[i]] >= 0;
    if (!has_bytes)
        return dit_ids_add(ids, known < 0 ? m->unknown : known, error);
    if (dit_ids_reserve(ids, size, error))
        return error->status;
    for (size_t i = 0; i < size; i++)
        ids->id[ids->count++] = m->byte_id[(uint8_t)text[i]];
    return DIT_OK;
}

dit_status dit_unigram_encode(const dit_unigram *m, const dit_vocabulary *vocabulary, const char *word, size_t size,
                              dit_ids *ids, dit_error *error)
{
    struct node *nodes = size < SIZE_MAX / sizeof *nodes - 1 ? malloc((size + 1) * sizeof *nodes) : NULL;
    dit_status status = nodes ? find_path(m, word, size, nodes, error)
                              : dit_fail(error, DIT_NO_MEMORY, "no memory to tokenize a word of %zu bytes", size);
    // The path is known from its end: turn it, so that nodes[begin].from is where its token ends.
    size_t end = SIZE_MAX;
    int32_t id = 0;
    for (size_t at = size; !status && at != SIZE_MAX;) {
        struct node node = nodes[at];
        nodes[at] = (struct node){0, id, end};
        end = at;
        id = node.id;
        at = at == 0 ? SIZE_MAX : node.from;
    }
    for (size_t at = 0, to; at < size && !status; at = to) {
        id = nodes[at].id;
        for (to = nodes[at].from; id == m->unknown && to < size && nodes[to].id == id;)
            to = nodes[to].from;
        status =
            id == m->unknown ? add_unknown(m, vocabulary, word + at, to - at, ids, error) : dit_ids_add(ids, id, error);
    }
    free(nodes);
    return status;
}
