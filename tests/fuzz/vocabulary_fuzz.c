// tests/fuzz/vocabulary_fuzz.c: any bytes as the vocabularies of folders without a tokenizer.json. The first byte says
// which file the rest is; of vocab.json and merges.txt, the second starts after the first zero byte.
#include "text/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *folder(void)
{
    static char path[64];
    if (!*path) {
        snprintf(path, sizeof path, "%s/dit-fuzz-vocabulary-%d", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm",
                 (int)getpid());
        if (mkdir(path, 0700))
            abort();
    }
    return path;
}

static void put(const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
        abort();
}

static void take_away(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    unlink(path);
}

// Every id is a token.
static void encode(const dit_tokenizer *t)
{
    static const char text[] = "A red\tpanda's caf\xc3\xa9 \xef\xb7\xba <extra_id_3> </s> [MASK] 42";
    dit_error error = {0};
    int32_t *ids;
    size_t count;
    if (dit_tokenizer_encode(t, text, sizeof text - 1, 0, &ids, &count, &error)) {
        if (!*error.message || ids)
            abort();
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!dit_tokenizer_token(t, ids[i]))
            abort();
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct {
        const char *name, *class; // what tokenizer_config.json says; NULL: there is none
    } kinds[] = {{"spiece.model", NULL},
                 {"tokenizer.model", "{\"tokenizer_class\": \"GemmaTokenizer\", \"add_bos_token\": true}"},
                 {"vocab.txt", NULL},
                 {"vocab.json", NULL},
                 {"tokenizer_config.json", NULL},
                 {"special_tokens_map.json", NULL},
                 {"added_tokens.json", NULL},
                 {"tokenizer.gguf", NULL}};
    enum { KINDS = sizeof kinds / sizeof *kinds, MERGES = 3, GGUF = KINDS - 1 };
    if (size == 0)
        return 0;
    int kind = bytes[0] % KINDS;
    const uint8_t *rest = bytes + 1, *second = memchr(rest, 0, size - 1);
    size_t first_size = kind == MERGES && second ? (size_t)(second - rest) : size - 1;
    put(kinds[kind].name, rest, first_size);
    if (kind == MERGES)
        put("merges.txt", second ? second + 1 : rest, second ? size - 2 - first_size : 0);
    if (kinds[kind].class)
        put("tokenizer_config.json", kinds[kind].class, strlen(kinds[kind].class));
    if (kind > MERGES && kind != GGUF) // settings need a vocabulary that is whole
        put("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n##b\n", 24);

    dit_error error = {0};
    dit_tokenizer *t;
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder(), kind == GGUF ? "tokenizer.gguf" : "");
    if (!dit_tokenizer_open(&t, path, &error)) {
        encode(t);
        dit_tokenizer_close(t);
    } else if (!*error.message || t)
        abort();

    for (int i = 0; i < KINDS; i++)
        take_away(kinds[i].name);
    take_away("merges.txt");
    return 0;
}
