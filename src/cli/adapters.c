// cli/adapters.c: files of low-rank adapters.
#include "cli/adapters.h"
#include <stdio.h>
#include <string.h>

dit_status adapters_add(dit_model *model, const struct option_value *lora, dit_error *error)
{
    for (size_t i = 0; i < lora->count && !error->status; i++) {
        char path[4096];
        double strength = 1;
        const char *equals = strrchr(lora->texts[i], '=');
        int length = (int)(equals ? (size_t)(equals - lora->texts[i]) : strlen(lora->texts[i]));
        if (equals && parse_float(equals + 1, "--lora FILE=S", &strength, error))
            break;
        if ((size_t)snprintf(path, sizeof path, "%.*s", length, lora->texts[i]) >= sizeof path)
            return dit_fail(error, DIT_NO_FILE, "--lora: the path is too long");
        dit_model_add_lora(model, path, strength, error);
    }
    return error->status;
}

dit_status adapters_in_prompt(const char *prompt, dit_prompt_loras *loras, dit_error *error)
{
    if (dit_prompt_take_loras(prompt, loras, error)) {
        dit_error_locate(error, "--prompt");
        return error->status;
    }
    for (size_t i = 0; i < loras->count; i++) {
        const char *name = loras->lora[i].name;
        if (!strchr(name, '/') && name[0] != '.') // a prompt may come from anywhere; a file only from that folder
            continue;
        dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: <lora:%.100s> is no name of a file in --lora-dir", name);
        dit_prompt_loras_free(loras);
        return error->status;
    }
    return DIT_OK;
}

dit_status adapters_add_named(dit_model *model, const char *folder, const dit_prompt_loras *loras, dit_error *error)
{
    for (size_t i = 0; i < loras->count && !error->status; i++) {
        char path[4096];
        if ((size_t)snprintf(path, sizeof path, "%s/%s.safetensors", folder, loras->lora[i].name) >= sizeof path)
            return dit_fail(error, DIT_NO_FILE, "--lora-dir: the path is too long");
        dit_model_add_lora(model, path, loras->lora[i].weight, error);
    }
    return error->status;
}
