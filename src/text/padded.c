// text/padded.c: rows of token ids.
#include "text/padded.h"
#include <stdlib.h>
#include <string.h>

dit_status dit_encode_padded(const dit_tokenizer *tokenizer, const char *text, size_t length, int64_t *ids,
                             uint8_t *mask, dit_error *error)
{
    int pad = dit_tokenizer_find(tokenizer, "<pad>");
    int32_t *found = NULL;
    size_t count = 0;
    if (dit_tokenizer_encode(tokenizer, text, strlen(text), length, &found, &count, error))
        return error->status;
    for (size_t i = 0; i < length; i++) {
        ids[i] = i < count ? found[i] : pad < 0 ? 0 : pad;
        mask[i] = i < count;
    }
    free(found);
    return DIT_OK;
}
