// text/padded.c: rows of token ids.
#include "text/padded.h"
#include <stdlib.h>
#include <string.h>

dit_status dit_encode_padded(const dit_tokenizer *tokenizer, const char *text, size_t length, int64_t *ids,
                             uint8_t *mask, dit_error *error)
{
    int pad = dit_tokenizer_ask(tokenizer).pad_id;
    if (pad < 0)
        pad = dit_tokenizer_find(tokenizer, "<pad>");
    return dit_encode_padded_with(tokenizer, pad < 0 ? 0 : pad, text, length, ids, mask, error);
}

dit_status dit_encode_padded_with(const dit_tokenizer *tokenizer, int pad, const char *text, size_t length,
                                  int64_t *ids, uint8_t *mask, dit_error *error)
{
    dit_tokenizer_habits habits = dit_tokenizer_ask(tokenizer);
    int32_t *found = NULL;
    size_t count = 0;
    if (dit_tokenizer_encode(tokenizer, text, strlen(text), length, &found, &count, error))
        return error->status;
    size_t start = habits.pad_left ? length - count : 0;
    for (size_t i = 0; i < length; i++) {
        bool is_text = i >= start && i - start < count;
        ids[i] = is_text ? found[i - start] : pad;
        mask[i] = is_text;
    }
    free(found);
    return DIT_OK;
}
