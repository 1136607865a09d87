// train/text_condition.c: a vocabulary for a run, and captions in it.
#include "train/text_condition.h"
#include "io/atomic_file.h"
#include "io/file.h"
#include "text/bpe_learn.h"
#include "text/padded.h"
#include "train/export.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dit_text_condition {
    dit_tokenizer *tokenizer;
    size_t length;
    char path[4096]; // of tokenizer.json
    bool made;       // by this opening
};

static dit_status add(dit_bpe_learner *learner, const char *text, dit_error *error)
{
    return text ? dit_bpe_learner_add(learner, text, strlen(text), error) : DIT_OK;
}

static dit_status learn(const dit_dataset *set, const char *path, int vocabulary, dit_error *error)
{
    enum { LEAST = 2 }; // a merge that occurs once helps nobody
    dit_bpe_learner *learner = dit_bpe_learner_new();
    if (!learner)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to learn the vocabulary", path);
    for (size_t i = 0; i < dit_dataset_count(set) && !error->status; i++) {
        dit_sample sample = dit_dataset_sample(set, i);
        add(learner, sample.text, error);
        for (int k = 0; k < sample.keyword_count && !error->status; k++)
            add(learner, sample.keywords[k], error);
    }
    if (!error->status)
        dit_bpe_learner_save(learner, path, vocabulary, LEAST, NULL, error);
    dit_bpe_learner_free(learner);
    return error->status;
}

// A model that starts from a trained one speaks its vocabulary: the tokenizer beside the transformer at `start`.
static dit_status adopt(const char *start, const char *path, dit_error *error)
{
    char from[4096], *bytes = NULL;
    size_t size;
    if ((size_t)snprintf(from, sizeof from, "%s/../tokenizer/tokenizer.json", start) >= sizeof from)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", start);
    if (!dit_file_read(from, 64 << 20, &bytes, &size, error))
        dit_atomic_file_save(path, bytes, size, error);
    free(bytes);
    return error->status;
}

static dit_status make_vocabulary(const dit_dataset *set, const char *path, const dit_recipe *r, dit_error *error)
{
    return r->model.start ? adopt(r->model.start, path, error) : learn(set, path, r->model.vocabulary, error);
}

// The tokens that the tokenizer puts around every text must leave room for one.
static dit_status check_length(const dit_text_condition *t, dit_error *error)
{
    int64_t *ids = malloc(t->length * sizeof *ids);
    uint8_t *mask = malloc(t->length);
    if (!ids || !mask)
        dit_fail(error, DIT_NO_MEMORY, "no memory for texts of %zu tokens", t->length);
    else if (dit_encode_padded(t->tokenizer, "", t->length, ids, mask, error))
        dit_error_locate(error, "model.text_length");
    free(ids);
    free(mask);
    return error->status;
}

dit_status dit_text_condition_open(dit_text_condition **text, const dit_dataset *set, const char *folder,
                                   const dit_recipe *recipe, dit_error *error)
{
    dit_text_condition *t = calloc(1, sizeof *t);
    *text = t;
    if (!t)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the tokenizer");
    t->length = (size_t)recipe->model.text_length;
    if ((size_t)snprintf(t->path, sizeof t->path, "%s/tokenizer.json", folder) >= sizeof t->path)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", folder);
    t->made = access(t->path, F_OK) != 0;
    if ((t->made && make_vocabulary(set, t->path, recipe, error)) || dit_tokenizer_open(&t->tokenizer, t->path, error))
        return error->status;
    if (dit_tokenizer_size(t->tokenizer) > recipe->model.vocabulary)
        return dit_fail(error, DIT_BAD_FILE, "%s: has %d tokens, model.vocabulary is %d", t->path,
                        dit_tokenizer_size(t->tokenizer), recipe->model.vocabulary);
    return check_length(t, error);
}

void dit_text_condition_discard(const dit_text_condition *text)
{
    if (text && text->made)
        unlink(text->path);
}

void dit_text_condition_close(dit_text_condition *text)
{
    if (text)
        dit_tokenizer_close(text->tokenizer);
    free(text);
}

dit_status dit_text_condition_encode(const dit_text_condition *t, const char *caption, int64_t *ids, uint8_t *mask,
                                     dit_error *error)
{
    return dit_encode_padded(t->tokenizer, caption, t->length, ids, mask, error);
}

dit_status dit_text_condition_save(const dit_text_condition *t, const char *model_folder, dit_error *error)
{
    char path[4096], *bytes = NULL;
    size_t size;
    if ((size_t)snprintf(path, sizeof path - 20, "%s/tokenizer", model_folder) >= sizeof path - 20)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", model_folder);
    if (!dit_make_folder(path, error) && !dit_file_read(t->path, 64 << 20, &bytes, &size, error)) {
        strcat(path, "/tokenizer.json");
        dit_atomic_file_save(path, bytes, size, error);
    }
    free(bytes);
    return error->status;
}
