// tests/fuzz/prompt_fuzz.c: any bytes as a prompt: cleaned, taken apart by its weights, cut into rows.
#include "text/character.h"
#include "text/clean.h"
#include "text/weighted.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static dit_tokenizer *committed(void)
{
    static dit_tokenizer *t;
    dit_error error = {0};
    if (!t && dit_tokenizer_open(&t, DIT_SOURCE_DIR "/tests/fixtures/tokenizers/clip-files", &error))
        abort();
    return t;
}

// What is cleaned is UTF-8 with a zero byte at its end.
static void check(dit_status status, char *made, size_t size, const dit_error *error)
{
    if (status ? made || !*error->message : !made || made[size] || dit_text_check(made, size, "", NULL))
        abort();
    free(made);
}

static void take_apart(const char *text, size_t size)
{
    dit_error error = {0};
    dit_prompt_parts parts;
    dit_weighted_prompt weighted;
    dit_prompt_loras loras;
    if (!dit_prompt_parse(text, size, &parts, &error)) {
        if (parts.count == 0)
            abort();
        dit_prompt_parts_free(&parts);
    }
    error = (dit_error){0};
    const bool one = size % 2;
    if (!dit_weigh_prompt(committed(), text, size, &(dit_row_rule){.room = 75, .least = one ? 1 : 2, .one = one},
                          &weighted, &error)) {
        if ((one ? weighted.rows != 1 : weighted.rows < 2) || weighted.length != 77)
            abort();
        for (size_t i = 0; i < weighted.rows * weighted.length; i++)
            if (!dit_tokenizer_token(committed(), weighted.ids[i]))
                abort();
        dit_weighted_prompt_free(&weighted);
    }
    error = (dit_error){0};
    if (!dit_prompt_take_loras(text, &loras, &error)) {
        if (strlen(loras.prompt) > strlen(text))
            abort();
        dit_prompt_loras_free(&loras);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    dit_error error = {0};
    char *text, *made;
    size_t text_size, made_size;
    if (dit_text_repair((const char *)bytes, size, &text, &text_size, &error))
        abort();
    dit_status status = dit_clean_caption(text, text_size, &made, &made_size, &error);
    check(status, made, made_size, &error);
    error = (dit_error){0};
    status = dit_clean_lower(text, text_size, &made, &made_size, &error);
    check(status, made, made_size, &error);
    take_apart(text, text_size);
    free(text);
    return 0;
}
