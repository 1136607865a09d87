// cli/option.c: parses a command line by a table of options.
#include "cli/option.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option GLOBAL_OPTIONS[GLOBAL_COUNT + 1] = {
    [GLOBAL_THREADS] = {"threads", OPTION_INT, .value = "N", .min = 1, .max = 1024,
                        .unset = "one for each processor core", .help = "threads to compute with"},
    [GLOBAL_QUIET] = {"quiet", OPTION_FLAG, .letter = 'q', .help = "print results and errors only"},
    [GLOBAL_HELP] = {"help", OPTION_FLAG, .letter = 'h', .help = "explain the command and exit"},
    {0},
};

size_t option_count(const struct option *options)
{
    size_t n = 0;
    while (options && options[n].name)
        n++;
    return n;
}

static bool is_repeated(const struct option *option)
{
    return option->kind == OPTION_TEXTS || option->kind == OPTION_PATHS;
}

// ---- Finding an option

struct tables {
    const struct option *own;
    size_t own_count;
};

static const struct option *option_at(size_t i, const struct tables *tables)
{
    if (i < tables->own_count)
        return &tables->own[i];
    i -= tables->own_count;
    return i < GLOBAL_COUNT ? &GLOBAL_OPTIONS[i] : NULL;
}

static const char *option_name(size_t i, const void *context)
{
    const struct option *option = option_at(i, context);
    return option ? option->name : NULL;
}

// The option with this long name (`length` bytes), or with this letter when `length` is 0.
static const struct option *find(const struct tables *tables, const char *name, size_t length, size_t *index)
{
    const struct option *option;
    for (*index = 0; (option = option_at(*index, tables)); ++*index)
        if (length ? strlen(option->name) == length && memcmp(option->name, name, length) == 0
                   : option->letter && option->letter == *name)
            return option;
    return NULL;
}

static dit_status fail_unknown(const struct tables *tables, const char *flag, dit_error *error)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(flag, "="), flag);
    const char *near = name[0] == '-' && name[1] == '-' ? nearest_word(name + 2, option_name, tables) : NULL;
    if (near)
        return dit_fail(error, DIT_BAD_ARGUMENT, "unknown option %s; did you mean --%s?", name, near);
    return dit_fail(error, DIT_BAD_ARGUMENT, "unknown option %s", name);
}

// ---- Values

struct choices {
    const char *text;
    char word[64];
};

static const char *choice_at(size_t i, const void *context)
{
    struct choices *choices = (struct choices *)context;
    const char *s = choices->text;
    for (; i > 0; i--) {
        s += strcspn(s, "|");
        if (!*s)
            return NULL;
        s++;
    }
    snprintf(choices->word, sizeof choices->word, "%.*s", (int)strcspn(s, "|"), s);
    return choices->word;
}

static dit_status check_choice(const struct option *option, const char *text, const char *what, dit_error *error)
{
    struct choices choices = {option->choices, ""};
    const char *word;
    for (size_t i = 0; (word = choice_at(i, &choices)); i++)
        if (strcmp(word, text) == 0)
            return DIT_OK;
    return dit_fail(error, DIT_BAD_ARGUMENT, "%s must be one of %s, not \"%.60s\"", what, option->choices, text);
}

static dit_status check_range(const struct option *option, double value, const char *text, const char *what,
                              dit_error *error)
{
    if ((option->min == 0 && option->max == 0) || (value >= option->min && value <= option->max))
        return DIT_OK;
    return dit_fail(error, DIT_BAD_ARGUMENT, "%s must be between %.15g and %.15g, not %.60s", what, option->min,
                    option->max, text);
}

static dit_status add_text(struct option_value *value, const char *text, dit_error *error)
{
    const char **texts = realloc(value->texts, (value->count + 1) * sizeof *texts);
    if (!texts)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    texts[value->count++] = text;
    value->texts = texts;
    value->text = text;
    return DIT_OK;
}

static dit_status set_value(const struct option *option, struct option_value *value, const char *text, const char *what,
                            dit_error *error)
{
    dit_status status = DIT_OK;
    switch (option->kind) {
    case OPTION_FLAG:
        break;
    case OPTION_INT:
        status = parse_int(text, what, &value->integer, error);
        return status ? status : check_range(option, (double)value->integer, text, what, error);
    case OPTION_UINT64:
        return parse_uint64(text, what, &value->natural, error);
    case OPTION_FLOAT:
        status = parse_float(text, what, &value->number, error);
        return status ? status : check_range(option, value->number, text, what, error);
    case OPTION_BYTES:
        return parse_bytes(text, what, &value->natural, error);
    case OPTION_SHAPE:
        return parse_shape(text, what, &value->shape, error);
    case OPTION_TEXT:
        value->text = text;
        status = check_utf8(text, what, error);
        return status || !option->choices ? status : check_choice(option, text, what, error);
    case OPTION_TEXTS:
        status = check_utf8(text, what, error);
        return status ? status : add_text(value, text, error);
    case OPTION_PATH:
    case OPTION_PATHS:
        if (!*text)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs a file name, not an empty text", what);
        value->text = text;
        return option->kind == OPTION_PATH ? DIT_OK : add_text(value, text, error);
    }
    return status;
}

// ---- The command line

// `--steps` as the next word after `--prompt` is a forgotten value rather than a prompt; `--prompt=--steps` is clear.
static bool looks_like_option(const struct tables *tables, const char *word)
{
    size_t index;
    return strncmp(word, "--", 2) == 0 && word[2] && find(tables, word + 2, strcspn(word + 2, "="), &index);
}

// Reads the option at argv[*i], and its value, which may be the word after it.
static dit_status read_option(struct arguments *arguments, const struct tables *tables, int argc, char **argv, int *i,
                              dit_error *error)
{
    const char *word = argv[*i], *given = NULL;
    bool is_long = word[1] == '-';
    size_t index, length = is_long ? strcspn(word + 2, "=") : 0;
    if (is_long && length == 0)
        return fail_unknown(tables, word, error);
    const struct option *option = find(tables, is_long ? word + 2 : word + 1, length, &index);
    if (!option)
        return fail_unknown(tables, word, error);
    if (is_long && word[2 + length] == '=')
        given = word + 2 + length + 1;
    else if (!is_long && word[2])
        given = word + 2;

    char what[64];
    snprintf(what, sizeof what, "--%s", option->name);
    struct option_value *value =
        index < tables->own_count ? &arguments->options[index] : &arguments->global[index - tables->own_count];
    if (value->given && !is_repeated(option))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s is given twice", what);
    value->given = true;
    if (option->kind == OPTION_FLAG) {
        if (given)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s takes no value", what);
        return DIT_OK;
    }
    if (!given) {
        if (*i + 1 >= argc)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs a value (%s)", what, option->value);
        given = argv[++*i];
        if (looks_like_option(tables, given))
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs a value (%s); write %s=%.40s if that is the value", what,
                            option->value, what, given);
    }
    return set_value(option, value, given, what, error);
}

static dit_status set_presets(struct arguments *arguments, const struct tables *tables, dit_error *error)
{
    for (size_t i = 0; i < tables->own_count; i++) {
        const struct option *option = &tables->own[i];
        struct option_value *value = &arguments->options[i];
        char what[64];
        snprintf(what, sizeof what, "the preset of --%s", option->name);
        if (!value->given && option->preset && set_value(option, value, option->preset, what, error))
            return error->status;
    }
    return DIT_OK;
}

static dit_status check_required(const struct arguments *arguments, const struct tables *tables, dit_error *error)
{
    for (size_t i = 0; i < tables->own_count; i++)
        if (tables->own[i].required && !arguments->options[i].given)
            return dit_fail(error, DIT_BAD_ARGUMENT, "--%s %s is needed", tables->own[i].name, tables->own[i].value);
    return DIT_OK;
}

dit_status arguments_parse(struct arguments *arguments, const struct option *options, int argc, char **argv,
                           dit_error *error)
{
    struct tables tables = {options, option_count(options)};
    *arguments = (struct arguments){0};
    arguments->options = calloc(tables.own_count + 1, sizeof *arguments->options);
    arguments->operands = calloc((size_t)argc + 1, sizeof *arguments->operands);
    if (!arguments->options || !arguments->operands)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    arguments->count = tables.own_count;
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        if (!ended && strcmp(argv[i], "--") == 0)
            ended = true;
        else if (!ended && argv[i][0] == '-' && argv[i][1]) {
            if (read_option(arguments, &tables, argc, argv, &i, error))
                return error->status;
        } else
            arguments->operands[arguments->operand_count++] = argv[i];
    }
    if (set_presets(arguments, &tables, error))
        return error->status;
    return arguments->global[GLOBAL_HELP].given ? DIT_OK : check_required(arguments, &tables, error);
}

void arguments_free(struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->count; i++)
        free(arguments->options[i].texts);
    free(arguments->options);
    free(arguments->operands);
    *arguments = (struct arguments){0};
}
