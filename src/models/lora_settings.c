// models/lora_settings.c: alpha and its kin of a file of adapters, as PEFT and diffusers write them.
#include "io/json.h"
#include "models/lora_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// alpha_pattern: {expression: alpha}, where the expression matches a layer's name, or its end after a dot.
static dit_status read_patterns(dit_lora_settings *s, dit_json patterns, dit_error *error)
{
    const char *key;
    json_t *value;
    size_t count = json_object_size(patterns.value);
    if (!count)
        return error->status;
    s->patterns = calloc(count, sizeof *s->patterns);
    if (!s->patterns)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its patterns", dit_json_file_name(patterns.file));
    json_object_foreach(patterns.value, key, value)
    {
        char whole[1000];
        int n = snprintf(whole, sizeof whole, "^(?:.*\\.)?(?:%s)$", key);
        struct dit_lora_alpha *p = &s->patterns[s->pattern_count];
        p->alpha = dit_json_number(patterns, key, -1e6, 1e6, error);
        if (!error->status && (size_t)n >= sizeof whole)
            dit_json_fail(patterns, key, error, "is too long an expression");
        if (error->status || dit_regex_compile(&p->layers, whole, (size_t)n, 0, error))
            return error->status;
        s->pattern_count++;
    }
    return DIT_OK;
}

// `prefix` stands before the names of the settings.
static dit_status read_object(dit_lora_settings *s, dit_json json, const char *prefix, dit_error *error)
{
    char alpha[80], root[80], pattern[80];
    snprintf(alpha, sizeof alpha, "%slora_alpha", prefix);
    snprintf(root, sizeof root, "%suse_rslora", prefix);
    snprintf(pattern, sizeof pattern, "%salpha_pattern", prefix);
    if (dit_json_has(json, alpha))
        s->alpha = dit_json_number(json, alpha, -1e6, 1e6, error);
    s->by_root = dit_json_bool_or(json, root, false, error);
    return read_patterns(s, dit_json_object_or_empty(json, pattern, error), error);
}

// Pipelines write every network's settings under its name, a transformer alone writes them as they are.
static const char *prefix_of(dit_json json, dit_lora_part part)
{
    static const char *const parts[] = {"transformer.", "text_encoder.", "text_encoder_2.", "text_encoder_3."};
    bool alone = part == DIT_LORA_TRANSFORMER && !dit_json_has(json, "transformer.lora_alpha") &&
                 dit_json_has(json, "lora_alpha");
    return alone ? "" : parts[part];
}

dit_status dit_lora_settings_read(dit_lora_settings *s, const dit_tensor_file *file, dit_lora_part part,
                                  dit_error *error)
{
    const char *path = dit_tensor_file_path(file), *slash = strrchr(path, '/');
    const char *metadata = dit_tensor_file_metadata(file, "lora_adapter_metadata");
    char beside[4096];
    dit_json_file *json = NULL;
    int n = snprintf(beside, sizeof beside, "%.*sadapter_config.json", slash ? (int)(slash - path) + 1 : 0, path);
    *s = (dit_lora_settings){.alpha = (double)NAN};
    if (metadata) {
        if (!dit_json_parse(&json, path, metadata, strlen(metadata), 0, error))
            read_object(s, dit_json_root(json), prefix_of(dit_json_root(json), part), error);
    } else if (n > 0 && (size_t)n < sizeof beside && !access(beside, F_OK)) {
        if (!dit_json_open(&json, beside, 0, error))
            read_object(s, dit_json_root(json), "", error);
    }
    dit_json_close(json);
    return error->status;
}

void dit_lora_settings_free(dit_lora_settings *s)
{
    for (int i = 0; i < s->pattern_count; i++)
        dit_regex_free(s->patterns[i].layers);
    free(s->patterns);
    *s = (dit_lora_settings){0};
}

double dit_lora_settings_scale(const dit_lora_settings *s, const char *layer, size_t length, const float *own,
                               int64_t rank, dit_error *error)
{
    double alpha = isnan(s->alpha) ? (double)rank : s->alpha;
    dit_match match = {0};
    for (int i = 0; i < s->pattern_count && !match.found; i++) {
        if (dit_regex_find(s->patterns[i].layers, layer, length, 0, &match, error))
            return 0;
        if (match.found)
            alpha = s->patterns[i].alpha;
    }
    return (own ? (double)*own : alpha) / (s->by_root ? sqrt((double)rank) : (double)rank);
}
