// cli/help.c: `dit help` and --help, made from the tables of commands and options.
#include "cli/command.h"
#include <string.h>

enum { WIDTH = 100 };
static const double BOUNDLESS = 1e9; // a bound of which nobody needs to know

void help_overview(FILE *out)
{
    fprintf(out, "dit %s: diffusion transformers in C\n\nusage: dit COMMAND [OPTIONS]\n\n", dit_version());
    for (size_t i = 0; COMMANDS[i]; i++)
        fprintf(out, "  %-12s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    fprintf(out,
            "\n\"dit help COMMAND\" or \"dit COMMAND --help\" explains one; \"dit --version\" prints the version.\n");
}

bool help_group(FILE *out, const char *name)
{
    size_t length = strlen(name);
    bool found = false;
    for (size_t i = 0; COMMANDS[i]; i++)
        if (strncmp(COMMANDS[i]->name, name, length) == 0 && COMMANDS[i]->name[length] == ' ') {
            fprintf(out, "  dit %-16s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
            found = true;
        }
    return found;
}

// Words of `text` in the columns `indent` to WIDTH; the cursor stands at `column`.
static void print_wrapped(FILE *out, const char *text, int indent, int column)
{
    for (const char *s = text; *s;) {
        int length = (int)strcspn(s, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, s);
        column += length;
        s += length;
        s += strspn(s, " ");
    }
    fputc('\n', out);
}

void help_describe_option(char *text, size_t size, const struct option *o)
{
    char notes[256] = "";
    size_t n = 0;
#define NOTE(...) n += (size_t)snprintf(notes + n, n < sizeof notes ? sizeof notes - n : 0, __VA_ARGS__)
    if (o->required)
        NOTE("; needed");
    if (o->kind == OPTION_TEXTS || o->kind == OPTION_PATHS)
        NOTE("; may be repeated");
    if (o->kind == OPTION_TEXT && o->choices)
        for (const char *c = o->choices; *c; c += strcspn(c, "|") + (c[strcspn(c, "|")] != 0))
            NOTE("%s%.*s", c == o->choices ? "; one of " : ", ", (int)strcspn(c, "|"), c);
    if ((o->kind == OPTION_INT || o->kind == OPTION_FLOAT) && o->max >= BOUNDLESS)
        NOTE("; at least %.15g", o->min);
    else if ((o->kind == OPTION_INT || o->kind == OPTION_FLOAT) && (o->min != 0 || o->max != 0))
        NOTE("; %.15g to %.15g", o->min, o->max);
    if (o->preset || o->unset)
        NOTE("; default: %s", o->preset ? o->preset : o->unset);
#undef NOTE
    snprintf(text, size, "%s%s%s%s", o->help, n ? " (" : "", n ? notes + 2 : "", n ? ")" : "");
}

static void print_option(FILE *out, const struct option *o)
{
    char flag[96], text[768];
    char letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(flag, sizeof flag, "  %s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    help_describe_option(text, sizeof text, o);
    int column = fprintf(out, "%-30s", flag);
    if (column > 30) {
        fprintf(out, "\n%30s", "");
        column = 30;
    }
    print_wrapped(out, text, 30, 30);
}

void help_command(FILE *out, const struct command *command)
{
    fprintf(out, "dit %s: %s\n\nusage: dit %s", command->name, command->summary, command->name);
    if (command->operands)
        fprintf(out, " %s", command->operands);
    for (const struct option *o = command->options; o && o->name; o++)
        if (o->required)
            fprintf(out, " --%s %s", o->name, o->value);
    fprintf(out, " [OPTIONS]\n\n");
    if (command->details) {
        int length = (int)strlen(command->details);
        while (length > 0 && command->details[length - 1] == '\n')
            length--;
        fprintf(out, "%.*s\n\n", length, command->details);
    }
    for (const struct option *o = command->options; o && o->name; o++)
        print_option(out, o);
    for (const struct option *o = GLOBAL_OPTIONS; o->name; o++)
        print_option(out, o);
    if (!command->examples)
        return;
    fprintf(out, "\nexamples:\n");
    for (const char *const *e = command->examples; e[0]; e += 2)
        fprintf(out, "  # %s\n  %s\n", e[1], e[0]);
}

enum { MAN, COMPLETIONS };
static const struct option options[] = {
    [MAN] = {"man", OPTION_FLAG, .help = "print the manual page, in man's own format"},
    [COMPLETIONS] = {"completions", OPTION_TEXT, .value = "SHELL", .choices = "bash|zsh|fish",
                     .help = "print the shell's completions"},
    {0},
};

static dit_status run(const struct call *call, dit_error *error)
{
    if (call->option[MAN].given)
        help_man_page(stdout);
    else if (call->option[COMPLETIONS].given)
        return help_completions(stdout, call->option[COMPLETIONS].text, error);
    else if (call->operands == 0)
        help_overview(stdout);
    else {
        int words;
        if (call->operands == 1 && help_group(stdout, call->operand[0]))
            return DIT_OK;
        const struct command *command = command_find(call->operands, (char **)call->operand, &words, error);
        if (!command)
            return error->status;
        if (words < call->operands)
            return dit_fail(error, DIT_BAD_ARGUMENT, "dit help explains one command; found \"%.60s\" after it",
                            call->operand[words]);
        help_command(stdout, command);
    }
    return DIT_OK;
}

static const char *const examples[] = {
    "dit help generate",
    "what \"dit generate\" does",
    "source <(dit help --completions bash)",
    "completions for this shell",
    NULL,
};

const struct command command_help = {
    .name = "help",
    .summary = "explain a command",
    .operands = "[COMMAND]",
    .max_operands = 2,
    .options = options,
    .examples = examples,
    .run = run,
};
