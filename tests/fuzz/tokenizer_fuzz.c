// tests/fuzz/tokenizer_fuzz.c: any bytes as a tokenizer.json, as a text to encode, and as a text to learn from.
#include "text/bpe_learn.h"
#include "text/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Every id is a token, and the end comes last however short the text is cut.
static void encode(const dit_tokenizer *t, const char *text, size_t size, size_t most)
{
    dit_error error = {0};
    int32_t *ids;
    size_t count;
    if (dit_tokenizer_encode(t, text, size, most, &ids, &count, &error)) {
        if (!*error.message || ids)
            abort();
        return;
    }
    if (most && count > most)
        abort();
    for (size_t i = 0; i < count; i++)
        if (!dit_tokenizer_token(t, ids[i]))
            abort();
    free(ids);
}

static const char *write_file(const uint8_t *bytes, size_t size)
{
    static char path[64];
    if (!*path)
        snprintf(path, sizeof path, "%s/dit-fuzz-tokenizer-%d", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm",
                 (int)getpid());
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
        abort();
    return path;
}

static dit_tokenizer *committed(void)
{
    static dit_tokenizer *t;
    dit_error error = {0};
    if (!t && dit_tokenizer_open(&t, DIT_SOURCE_DIR "/tests/fixtures/tokenizer", &error))
        abort();
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char text[] = "A red\tpanda's caf\xc3\xa9 \xef\xb7\xba <end> 42";
    dit_error error = {0};
    dit_tokenizer *t;
    const char *path = write_file(bytes, size);
    if (!dit_tokenizer_open(&t, path, &error)) {
        encode(t, text, sizeof text - 1, 0);
        dit_tokenizer_close(t);
    } else if (!*error.message || t)
        abort();

    encode(committed(), (const char *)bytes, size, 0);
    encode(committed(), (const char *)bytes, size, 3);

    dit_bpe_learner *learner = dit_bpe_learner_new();
    error = (dit_error){0};
    if (learner && !dit_bpe_learner_add(learner, (const char *)bytes, size, &error) && size % 8 == 0 &&
        dit_bpe_learner_save(learner, path, 270, 1, NULL, &error))
        abort();
    dit_bpe_learner_free(learner);
    unlink(path);
    return 0;
}
