// text/tokenizer_steps.c: what a tokenizer.json does to a text before and after the model: normalizer, pre_tokenizer,
// post_processor. Components that do several things are taken apart into simple steps.
#include "text/tokenizer_private.h"
#include <stdlib.h>
#include <string.h>

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory for a tokenizer");
}

static dit_normal_step *add_normal(dit_tokenizer *t, dit_json at, dit_normal kind, dit_error *error)
{
    if (t->normal_count == DIT_MOST_STEPS) {
        dit_json_fail(at, "type", error, "is one step more than the %d that a normalizer may have", DIT_MOST_STEPS);
        return &t->normals[DIT_MOST_STEPS]; // written to, and never read
    }
    t->normals[t->normal_count] = (dit_normal_step){.kind = kind};
    return &t->normals[t->normal_count++];
}

static dit_split_step *add_split(dit_tokenizer *t, dit_json at, dit_split_kind kind, dit_split_behavior behavior,
                                 dit_error *error)
{
    if (t->split_count == DIT_MOST_STEPS) {
        dit_json_fail(at, "type", error, "is one step more than the %d that a pre_tokenizer may have", DIT_MOST_STEPS);
        return &t->splits[DIT_MOST_STEPS];
    }
    t->splits[t->split_count] = (dit_split_step){.kind = kind, .behavior = behavior};
    return &t->splits[t->split_count++];
}

static const char *copy(dit_tokenizer *t, const char *text, dit_error *error)
{
    const char *made = dit_arena_copy_text(t->arena, text);
    if (!made)
        no_memory(error);
    return made ? made : "";
}

static const dit_regex *add_regex(dit_tokenizer *t, dit_json at, const char *key, const char *pattern, dit_error *error)
{
    dit_error fault = {0};
    if (error->status || t->regex_count == DIT_MOST_STEPS)
        return NULL;
    if (dit_regex_compile(&t->regexes[t->regex_count], pattern, strlen(pattern), DIT_REGEX_ONIGURUMA, &fault)) {
        dit_error told = {0};
        dit_json_fail(at, key, &told, "%s", fault.message);
        dit_fail(error, fault.status, "%s", told.message);
        return NULL;
    }
    return t->regexes[t->regex_count++];
}

// {"String": text} or {"Regex": expression}. *text stays NULL for an expression.
static const dit_regex *read_pattern(dit_tokenizer *t, dit_json step, const char **text, dit_error *error)
{
    dit_json pattern = dit_json_object(step, "pattern", error);
    const dit_regex *regex = NULL;
    *text = NULL;
    if (dit_json_has(pattern, "Regex"))
        regex = add_regex(t, pattern, "Regex", dit_json_text(pattern, "Regex", error), error);
    else
        *text = copy(t, dit_json_text(pattern, "String", error), error);
    dit_json_refuse_unread(pattern, error);
    return regex;
}

// ---- Normalizers

static void read_strip(dit_tokenizer *t, dit_json step, dit_error *error)
{
    if (dit_json_bool(step, "strip_left", error))
        add_normal(t, step, DIT_NORMAL_STRIP_LEFT, error);
    if (dit_json_bool(step, "strip_right", error))
        add_normal(t, step, DIT_NORMAL_STRIP_RIGHT, error);
}

static void read_replace(dit_tokenizer *t, dit_json step, dit_error *error)
{
    const char *text, *content = copy(t, dit_json_text(step, "content", error), error);
    const dit_regex *regex = read_pattern(t, step, &text, error);
    dit_normal_step *s = add_normal(t, step, DIT_NORMAL_REPLACE, error);
    s->regex = regex;
    s->find = text;
    s->find_size = text ? strlen(text) : 0;
    s->content = content;
    s->content_size = strlen(content);
}

static void read_prepend(dit_tokenizer *t, dit_json step, dit_error *error)
{
    dit_normal_step *s = add_normal(t, step, DIT_NORMAL_PREPEND, error);
    s->content = copy(t, dit_json_text(step, "prepend", error), error);
    s->content_size = strlen(s->content);
}

static void read_bert_normalizer(dit_tokenizer *t, dit_json step, dit_error *error)
{
    bool clean = dit_json_bool_or(step, "clean_text", true, error);
    bool ideographs = dit_json_bool_or(step, "handle_chinese_chars", true, error);
    bool lower = dit_json_bool_or(step, "lowercase", true, error);
    bool accents = dit_json_bool_or(step, "strip_accents", lower, error);
    if (clean)
        add_normal(t, step, DIT_NORMAL_CLEAN, error);
    if (ideographs)
        add_normal(t, step, DIT_NORMAL_SPACE_IDEOGRAPHS, error);
    if (accents) {
        add_normal(t, step, DIT_NORMAL_NFD, error);
        add_normal(t, step, DIT_NORMAL_STRIP_NONSPACING, error);
    }
    if (lower)
        add_normal(t, step, DIT_NORMAL_LOWERCASE, error);
}

// Decodes base64 in place of *text; the size, or SIZE_MAX when it is none.
static size_t decode_base64(const char *text, unsigned char *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text), size = 0;
    uint32_t group = 0;
    if (n % 4)
        return SIZE_MAX;
    size_t padding = n && text[n - 1] == '=' ? 1 + (text[n - 2] == '=') : 0;
    for (size_t i = 0; i < n - padding; i++) {
        const char *digit = strchr(digits, text[i]);
        if (!digit)
            return SIZE_MAX;
        group = group << 6 | (uint32_t)(digit - digits);
        if (i % 4 > 0)
            bytes[size++] = (unsigned char)(group >> (6 - 2 * (i % 4)));
    }
    return size;
}

static void read_charsmap(dit_tokenizer *t, dit_json step, dit_error *error)
{
    const char *text = dit_json_text(step, "precompiled_charsmap", error);
    dit_error fault = {0};
    if (error->status)
        return;
    if (t->charsmap) {
        dit_json_unsupported(step, "type", error); // a second one
        return;
    }
    unsigned char *bytes = malloc(strlen(text) + 4);
    size_t size = bytes ? decode_base64(text, bytes) : 0;
    if (!bytes)
        no_memory(error);
    else if (size == SIZE_MAX)
        dit_json_fail(step, "precompiled_charsmap", error, "is not base64");
    else if (dit_charsmap_open(&t->charsmap, bytes, size, &fault))
        dit_json_fail(step, "precompiled_charsmap", error, "%s", fault.message);
    else
        add_normal(t, step, DIT_NORMAL_CHARSMAP, error)->map = t->charsmap;
    free(bytes);
}

static dit_status read_normalizer(dit_tokenizer *t, dit_json step, int depth, dit_error *error);

static void read_normalizers(dit_tokenizer *t, dit_json step, int depth, dit_error *error)
{
    dit_json list = dit_json_list(step, "normalizers", error);
    for (size_t i = 0; i < dit_json_count(list) && !error->status; i++)
        read_normalizer(t, dit_json_item(list, i, error), depth + 1, error);
}

static dit_status read_normalizer(dit_tokenizer *t, dit_json step, int depth, dit_error *error)
{
    static const struct {
        const char *type;
        dit_normal normal;
        void (*read)(dit_tokenizer *t, dit_json step, dit_error *error); // NULL: a step without settings
    } known[] = {{"NFC", DIT_NORMAL_NFC, NULL},
                 {"NFD", DIT_NORMAL_NFD, NULL},
                 {"NFKC", DIT_NORMAL_NFKC, NULL},
                 {"NFKD", DIT_NORMAL_NFKD, NULL},
                 {"Lowercase", DIT_NORMAL_LOWERCASE, NULL},
                 {"StripAccents", DIT_NORMAL_STRIP_MARKS, NULL},
                 {"Nmt", DIT_NORMAL_NMT, NULL},
                 {"ByteLevel", DIT_NORMAL_BYTES, NULL},
                 {"Strip", 0, read_strip},
                 {"Replace", 0, read_replace},
                 {"Prepend", 0, read_prepend},
                 {"Precompiled", 0, read_charsmap},
                 {"BertNormalizer", 0, read_bert_normalizer}};
    enum { DEEPEST = 8, KNOWN = sizeof known / sizeof *known };
    const char *type = dit_json_text(step, "type", error);
    size_t i = 0;
    while (i < KNOWN && strcmp(type, known[i].type))
        i++;
    if (error->status || (i == KNOWN && (strcmp(type, "Sequence") || depth == DEEPEST)))
        return error->status ? error->status : dit_json_unsupported(step, "type", error);
    if (i == KNOWN)
        read_normalizers(t, step, depth, error);
    else if (known[i].read)
        known[i].read(t, step, error);
    else
        add_normal(t, step, known[i].normal, error);
    return dit_json_refuse_unread(step, error), error->status;
}

// ---- Pre-tokenizers

static const char *const behaviors[] = {"Removed",        "Isolated",   "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous", NULL};

static dit_split_step *add_text(dit_tokenizer *t, dit_json step, const char *text, dit_split_behavior behavior,
                                dit_error *error)
{
    dit_split_step *s = add_split(t, step, DIT_SPLIT_AT_TEXT, behavior, error);
    s->text = text;
    s->text_size = strlen(text);
    return s;
}

static void add_class(dit_tokenizer *t, dit_json step, bool (*is_member)(int code), dit_split_behavior behavior,
                      dit_error *error)
{
    add_split(t, step, DIT_SPLIT_AT_CLASS, behavior, error)->is_member = is_member;
}

static void read_byte_level(dit_tokenizer *t, dit_json step, dit_error *error)
{
    if (dit_json_bool(step, "add_prefix_space", error))
        add_split(t, step, DIT_SPLIT_PREFIX_SPACE, 0, error);
    dit_json_bool_or(step, "trim_offsets", true, error); // matters for places in the text only
    if (dit_json_bool_or(step, "use_regex", true, error))
        add_split(t, step, DIT_SPLIT_AT_WORDS, DIT_SPLIT_ISOLATED, error);
    add_split(t, step, DIT_SPLIT_BYTES, 0, error);
}

static void read_split(dit_tokenizer *t, dit_json step, dit_error *error)
{
    const char *text;
    const dit_regex *regex = read_pattern(t, step, &text, error);
    dit_split_behavior behavior = (dit_split_behavior)dit_json_choice(step, "behavior", behaviors, error);
    dit_split_step *s;
    if (text)
        s = add_text(t, step, text, behavior, error);
    else
        (s = add_split(t, step, DIT_SPLIT_AT_REGEX, behavior, error))->regex = regex;
    s->invert = dit_json_bool_or(step, "invert", false, error);
}

static void read_metaspace(dit_tokenizer *t, dit_json step, dit_error *error)
{
    static const char *const schemes[] = {
        [DIT_PREFIX_NEVER] = "never", [DIT_PREFIX_FIRST] = "first", [DIT_PREFIX_ALWAYS] = "always", NULL};
    const char *text = copy(t, dit_json_text(step, "replacement", error), error);
    bool prefix = dit_json_bool_or(step, "add_prefix_space", true, error); // older files
    int scheme = dit_json_choice_or(step, "prepend_scheme", schemes, DIT_PREFIX_ALWAYS, error);
    bool cut = dit_json_bool_or(step, "split", true, error);
    dit_json_text_or(step, "str_rep", "", error);
    if (!error->status && (!*text || dit_character_at(text, strlen(text)).size != strlen(text)))
        dit_json_fail(step, "replacement", error, "must be one character");
    dit_split_step *s = add_text(t, step, text, 0, error);
    s->kind = DIT_SPLIT_METASPACE;
    s->prefix = prefix ? scheme : DIT_PREFIX_NEVER;
    if (cut)
        add_text(t, step, text, DIT_SPLIT_MERGED_WITH_NEXT, error);
}

static void read_whitespace(dit_tokenizer *t, dit_json step, dit_error *error)
{
    // `\w` has the joiners here, which Oniguruma's has not.
    static const char words[] = "[\\w\\x{200c}\\x{200d}]+|[^\\w\\s\\x{200c}\\x{200d}]+";
    const dit_regex *regex = add_regex(t, step, "type", words, error);
    dit_split_step *s = add_split(t, step, DIT_SPLIT_AT_REGEX, DIT_SPLIT_REMOVED, error);
    s->regex = regex;
    s->invert = true;
}

static void read_whitespace_split(dit_tokenizer *t, dit_json step, dit_error *error)
{
    add_class(t, step, dit_is_space, DIT_SPLIT_REMOVED, error);
}

static void read_bert_pre_tokenizer(dit_tokenizer *t, dit_json step, dit_error *error)
{
    add_class(t, step, dit_is_space, DIT_SPLIT_REMOVED, error);
    add_class(t, step, dit_is_punctuation, DIT_SPLIT_ISOLATED, error);
}

static void read_punctuation(dit_tokenizer *t, dit_json step, dit_error *error)
{
    int behavior = dit_json_choice_or(step, "behavior", behaviors, DIT_SPLIT_ISOLATED, error);
    add_class(t, step, dit_is_punctuation, (dit_split_behavior)behavior, error);
}

static void read_digits(dit_tokenizer *t, dit_json step, dit_error *error)
{
    bool alone = dit_json_bool_or(step, "individual_digits", false, error);
    add_class(t, step, dit_is_number, alone ? DIT_SPLIT_ISOLATED : DIT_SPLIT_CONTIGUOUS, error);
}

static void read_delimiter(dit_tokenizer *t, dit_json step, dit_error *error)
{
    add_text(t, step, copy(t, dit_json_text(step, "delimiter", error), error), DIT_SPLIT_REMOVED, error);
}

static dit_status read_pre_tokenizer(dit_tokenizer *t, dit_json step, int depth, dit_error *error);

static void read_pre_tokenizers(dit_tokenizer *t, dit_json step, int depth, dit_error *error)
{
    dit_json list = dit_json_list(step, "pretokenizers", error);
    for (size_t i = 0; i < dit_json_count(list) && !error->status; i++)
        read_pre_tokenizer(t, dit_json_item(list, i, error), depth + 1, error);
}

static dit_status read_pre_tokenizer(dit_tokenizer *t, dit_json step, int depth, dit_error *error)
{
    static const struct {
        const char *type;
        void (*read)(dit_tokenizer *t, dit_json step, dit_error *error);
    } known[] = {{"ByteLevel", read_byte_level},
                 {"Split", read_split},
                 {"Metaspace", read_metaspace},
                 {"Whitespace", read_whitespace},
                 {"WhitespaceSplit", read_whitespace_split},
                 {"BertPreTokenizer", read_bert_pre_tokenizer},
                 {"Punctuation", read_punctuation},
                 {"Digits", read_digits},
                 {"CharDelimiterSplit", read_delimiter}};
    enum { DEEPEST = 8, KNOWN = sizeof known / sizeof *known };
    const char *type = dit_json_text(step, "type", error);
    size_t i = 0;
    while (i < KNOWN && strcmp(type, known[i].type))
        i++;
    if (error->status || (i == KNOWN && (strcmp(type, "Sequence") || depth == DEEPEST)))
        return error->status ? error->status : dit_json_unsupported(step, "type", error);
    if (i == KNOWN)
        read_pre_tokenizers(t, step, depth, error);
    else
        known[i].read(t, step, error);
    return dit_json_refuse_unread(step, error), error->status;
}

// ---- Post-processors: tokens around the text. Each one puts its own around those that came before it.

static void put_before(dit_tokenizer *t, const int64_t *ids, size_t count)
{
    memmove(t->before + count, t->before, (size_t)t->before_count * sizeof *t->before);
    for (size_t i = 0; i < count; i++)
        t->before[i] = (int32_t)ids[i];
    t->before_count += (int)count;
}

static void put_after(dit_tokenizer *t, const int64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        t->after[t->after_count++] = (int32_t)ids[i];
}

// Appends the ids of a special token of a template.
static void read_special(dit_tokenizer *t, dit_json specials, dit_json token, int64_t *ids, size_t *count,
                         dit_error *error)
{
    const char *name = dit_json_text(token, "id", error);
    dit_json_int_or(token, "type_id", 0, 0, INT32_MAX, error);
    dit_json special = dit_json_object(specials, error->status ? "" : name, error);
    size_t more =
        dit_json_ints(special, "ids", ids + *count, 1, DIT_MOST_AROUND - *count, 0, dit_tokenizer_size(t) - 1, error);
    for (size_t i = 0; i < more && !error->status; i++)
        if (!dit_tokenizer_token(t, (int)ids[*count + i]))
            dit_json_fail(special, "ids", error, "has %d, which is the id of no token", (int)ids[*count + i]);
    *count += more;
}

static void read_template(dit_tokenizer *t, dit_json processor, dit_error *error)
{
    static const char *const ignored[] = {"pair", NULL};
    dit_json list = dit_json_list(processor, "single", error);
    dit_json specials = dit_json_object_or_empty(processor, "special_tokens", error);
    int64_t before[DIT_MOST_AROUND], after[DIT_MOST_AROUND];
    size_t before_count = 0, after_count = 0;
    bool text_came = false;
    dit_json_ignore(processor, ignored, error);
    for (size_t i = 0; i < dit_json_count(list) && !error->status; i++) {
        dit_json item = dit_json_item(list, i, error);
        bool is_text = dit_json_has(item, "Sequence");
        dit_json piece = dit_json_object(item, is_text ? "Sequence" : "SpecialToken", error);
        if (is_text && text_came)
            dit_json_fail(processor, "single", error, "has the text twice");
        else if (!is_text)
            read_special(t, specials, piece, text_came ? after : before, text_came ? &after_count : &before_count,
                         error);
        text_came = text_came || is_text;
    }
    if (!error->status && !text_came)
        dit_json_fail(processor, "single", error, "has no place for the text");
    if (!error->status &&
        (t->before_count + before_count > DIT_MOST_AROUND || t->after_count + after_count > DIT_MOST_AROUND))
        dit_json_fail(processor, "single", error, "puts more than %d tokens around a text", DIT_MOST_AROUND);
    if (error->status)
        return;
    put_before(t, before, before_count);
    put_after(t, after, after_count);
}

// "cls": [token, id] before the text, and "sep" after it.
static void read_pair(dit_tokenizer *t, dit_json processor, dit_error *error)
{
    static const char *const ignored[] = {"trim_offsets", "add_prefix_space", NULL}; // matter for places only
    static const char *const keys[] = {"cls", "sep"};
    dit_json_ignore(processor, ignored, error);
    for (int i = 0; i < 2 && !error->status; i++) {
        dit_json list = dit_json_list(processor, keys[i], error);
        json_t *value = json_array_get(list.value, 1);
        int64_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (!error->status && (json_array_size(list.value) != 2 || id < 0 || id >= dit_tokenizer_size(t) ||
                               !dit_tokenizer_token(t, (int)id)))
            dit_json_fail(processor, keys[i], error, "must be a token and its id");
        else if (!error->status && (t->before_count == DIT_MOST_AROUND || t->after_count == DIT_MOST_AROUND))
            dit_json_fail(processor, keys[i], error, "is one token more than the %d around a text", DIT_MOST_AROUND);
        else if (!error->status && i == 0)
            put_before(t, &id, 1);
        else if (!error->status)
            put_after(t, &id, 1);
    }
}

static dit_status read_post_processor(dit_tokenizer *t, dit_json processor, int depth, dit_error *error)
{
    static const char *const byte_level[] = {"add_prefix_space", "trim_offsets", "use_regex", NULL};
    enum { DEEPEST = 8 };
    const char *type = dit_json_text(processor, "type", error);
    if (error->status)
        return error->status;
    if (!strcmp(type, "TemplateProcessing"))
        read_template(t, processor, error);
    else if (!strcmp(type, "RobertaProcessing") || !strcmp(type, "BertProcessing"))
        read_pair(t, processor, error);
    else if (!strcmp(type, "ByteLevel")) // changes no ids
        dit_json_ignore(processor, byte_level, error);
    else if (!strcmp(type, "Sequence") && depth < DEEPEST) {
        dit_json list = dit_json_list(processor, "processors", error);
        for (size_t i = 0; i < dit_json_count(list) && !error->status; i++)
            read_post_processor(t, dit_json_item(list, i, error), depth + 1, error);
    } else
        return dit_json_unsupported(processor, "type", error);
    return dit_json_refuse_unread(processor, error), error->status;
}

dit_status dit_tokenizer_read_steps(dit_tokenizer *t, dit_json root, dit_error *error)
{
    static const char *const keys[] = {"normalizer", "pre_tokenizer", "post_processor"};
    static dit_status (*const readers[])(dit_tokenizer * t, dit_json step, int depth,
                                         dit_error *error) = {read_normalizer, read_pre_tokenizer, read_post_processor};
    for (int i = 0; i < 3 && !error->status; i++) {
        dit_json step = dit_json_object_or_empty(root, keys[i], error);
        if (dit_json_has(root, keys[i]))
            readers[i](t, step, 0, error);
    }
    return error->status;
}
