// cli/help_documents.c: the manual page and the shell completions, made from the tables of commands and options.
#include "cli/command.h"
#include <string.h>

// ---- Manual page (man 7 man)

// Text with roff's own characters made harmless; a line must not begin with a dot or an apostrophe.
static void print_roff(FILE *out, const char *text)
{
    bool line_start = true;
    for (const char *s = text; *s; s++) {
        if (line_start && (*s == '.' || *s == '\''))
            fputs("\\&", out);
        if (*s == '\\')
            fputs("\\e", out);
        else if (*s == '-')
            fputs("\\-", out);
        else
            fputc(*s, out);
        line_start = *s == '\n';
    }
}

static void man_option(FILE *out, const struct option *o)
{
    fputs(".TP\n", out);
    if (o->letter)
        fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", out);
    print_roff(out, o->name);
    fputs("\\fR", out);
    if (o->value) {
        fputs(" \\fI", out);
        print_roff(out, o->value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    char text[768];
    help_describe_option(text, sizeof text, o);
    print_roff(out, text);
    fputc('\n', out);
}

static void man_command(FILE *out, const struct command *command)
{
    fprintf(out, ".SS dit %s", command->name);
    if (command->operands)
        fprintf(out, " %s", command->operands);
    fputc('\n', out);
    print_roff(out, command->summary);
    fputs(".\n", out);
    if (command->details) {
        fputs(".PP\n", out);
        print_roff(out, command->details);
        fputc('\n', out);
    }
    for (const struct option *o = command->options; o && o->name; o++)
        man_option(out, o);
    for (const char *const *e = command->examples; e && e[0]; e += 2) {
        fputs(".PP\n", out);
        print_roff(out, e[1]);
        fputs(":\n.RS\n.nf\n", out);
        print_roff(out, e[0]);
        fputs("\n.fi\n.RE\n", out);
    }
}

void help_man_page(FILE *out)
{
    fprintf(out, ".TH DIT 1 \"\" \"dit %s\" \"User Commands\"\n", dit_version());
    fputs(".SH NAME\ndit \\- diffusion transformers in C\n"
          ".SH SYNOPSIS\n\\fBdit\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
          ".SH COMMANDS\n",
          out);
    for (size_t i = 0; COMMANDS[i]; i++)
        man_command(out, COMMANDS[i]);
    fputs(".SH OPTIONS OF EVERY COMMAND\n", out);
    for (const struct option *o = GLOBAL_OPTIONS; o->name; o++)
        man_option(out, o);
    fputs(".SH EXIT STATUS\n"
          "0 when the work is done, 1 when it failed, 2 when the command line is wrong, 128 plus the number of the "
          "signal "
          "that stopped it (130 for Ctrl\\-C).\n"
          ".SH ENVIRONMENT\n.TP\n\\fBDIT_CPU\\fR\n"
          "which kernels to use (portable, avx2 or avx512) instead of the best that the processor has\n"
          ".TP\n\\fBOMP_NUM_THREADS\\fR\nhow many threads to use without \\fB\\-\\-threads\\fR\n",
          out);
}

// ---- Completions

static bool takes_file(const struct option *o)
{
    return o->kind == OPTION_PATH || o->kind == OPTION_PATHS;
}

// The choices as words: "f32 bf16 f16".
static void print_choices(FILE *out, const char *choices)
{
    for (const char *s = choices; *s; s++)
        fputc(*s == '|' ? ' ' : *s, out);
}

static void bash_flags(FILE *out, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++) {
        fprintf(out, " --%s", o->name);
        if (o->letter)
            fprintf(out, " -%c", o->letter);
    }
}

// What may follow an option that takes a value: one of its choices, a file, or anything.
static void bash_values(FILE *out, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++) {
        if (o->kind == OPTION_FLAG)
            continue;
        fprintf(out, "        --%s", o->name);
        if (o->letter)
            fprintf(out, "|-%c", o->letter);
        fputs(") ", out);
        if (o->choices) {
            fputs("COMPREPLY=($(compgen -W '", out);
            print_choices(out, o->choices);
            fputs("' -- \"$word\")); return;;\n", out);
        } else if (takes_file(o))
            fputs("COMPREPLY=($(compgen -f -- \"$word\")); return;;\n", out);
        else
            fputs("return;;\n", out);
    }
}

// A group's name stands once, however many parts it has.
static void print_first_words(FILE *out)
{
    for (size_t i = 0; COMMANDS[i]; i++) {
        size_t length = strcspn(COMMANDS[i]->name, " ");
        if (i == 0 || strncmp(COMMANDS[i - 1]->name, COMMANDS[i]->name, length + 1) != 0 ||
            COMMANDS[i]->name[length] == 0)
            fprintf(out, " %.*s", (int)length, COMMANDS[i]->name);
    }
}

static void bash(FILE *out)
{
    fputs("# bash completions of dit, made by \"dit help --completions bash\"\n"
          "_dit() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]-}\n"
          "    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        COMPREPLY=($(compgen -W '--help --version",
          out);
    print_first_words(out);
    fputs("' -- \"$word\")); return\n    fi\n"
          "    ((COMP_CWORD > 2)) && case \"$command ${COMP_WORDS[2]}\" in\n",
          out);
    for (size_t i = 0; COMMANDS[i]; i++)
        if (strchr(COMMANDS[i]->name, ' '))
            fprintf(out, "    '%s') command='%s';;\n", COMMANDS[i]->name, COMMANDS[i]->name);
    fputs("    esac\n    case $command in\n", out);
    for (size_t i = 0; COMMANDS[i]; i++) {
        fprintf(out, "    '%s')\n        case $before in\n", COMMANDS[i]->name);
        bash_values(out, COMMANDS[i]->options);
        bash_values(out, GLOBAL_OPTIONS);
        fputs("        esac\n        [[ $word == -* ]] && COMPREPLY=($(compgen -W '", out);
        bash_flags(out, COMMANDS[i]->options);
        bash_flags(out, GLOBAL_OPTIONS);
        fputs("' -- \"$word\")) && return\n", out);
        if (strcmp(COMMANDS[i]->name, "help") == 0) {
            fputs("        COMPREPLY=($(compgen -W '", out);
            print_first_words(out);
            fputs("' -- \"$word\")); return\n", out);
        }
        fputs("        ;;\n", out);
    }
    for (size_t i = 0; COMMANDS[i]; i++) {
        const char *space = strchr(COMMANDS[i]->name, ' ');
        if (space)
            fprintf(out, "    %.*s) COMPREPLY+=($(compgen -W '%s' -- \"$word\")); return;;\n",
                    (int)(space - COMMANDS[i]->name), COMMANDS[i]->name, space + 1);
    }
    fputs("    esac\n    COMPREPLY=($(compgen -f -- \"$word\"))\n}\ncomplete -o filenames -F _dit dit\n", out);
}

// Text inside a single-quoted word of zsh's _arguments: quotes, and the characters that end a description.
static void print_zsh(FILE *out, const char *text)
{
    for (const char *s = text; *s; s++) {
        if (*s == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *s))
            fprintf(out, "\\%c", *s);
        else
            fputc(*s, out);
    }
}

static void zsh_options(FILE *out, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++) {
        bool repeated = o->kind == OPTION_TEXTS || o->kind == OPTION_PATHS;
        fprintf(out, "            '%s--%s%s[", repeated ? "*" : "", o->name, o->kind == OPTION_FLAG ? "" : "=");
        print_zsh(out, o->help);
        fputc(']', out);
        if (o->kind != OPTION_FLAG) {
            fputc(':', out);
            print_zsh(out, o->value);
            fputc(':', out);
            if (o->choices) {
                fputc('(', out);
                print_choices(out, o->choices);
                fputc(')', out);
            } else if (takes_file(o))
                fputs("_files", out);
        }
        fputs("' \\\n", out);
    }
}

static void zsh(FILE *out)
{
    fputs("#compdef dit\n# zsh completions of dit, made by \"dit help --completions zsh\"\n"
          "_dit() {\n    if ((CURRENT == 2)); then\n        local -a commands=(\n",
          out);
    for (size_t i = 0; COMMANDS[i]; i++) {
        fprintf(out, "            '%.*s:", (int)strcspn(COMMANDS[i]->name, " "), COMMANDS[i]->name);
        print_zsh(out, COMMANDS[i]->summary);
        fputs("'\n", out);
    }
    fputs("        )\n        _describe command commands\n        return\n    fi\n"
          "    local name=$words[2]\n    case \"$words[2] ${words[3]-}\" in\n",
          out);
    for (size_t i = 0; COMMANDS[i]; i++)
        if (strchr(COMMANDS[i]->name, ' '))
            fprintf(out, "    '%s'*) name='%s';;\n", COMMANDS[i]->name, COMMANDS[i]->name);
    fputs("    esac\n    case $name in\n", out);
    for (size_t i = 0; COMMANDS[i]; i++) {
        fprintf(out, "    '%s')\n        _arguments \\\n", COMMANDS[i]->name);
        zsh_options(out, COMMANDS[i]->options);
        zsh_options(out, GLOBAL_OPTIONS);
        fputs("            '*:file:_files'\n        ;;\n", out);
    }
    fputs("    esac\n}\n_dit \"$@\"\n", out);
}

// Text inside a single-quoted word of fish.
static void print_fish(FILE *out, const char *text)
{
    for (const char *s = text; *s; s++) {
        if (*s == '\'' || *s == '\\')
            fputc('\\', out);
        fputc(*s, out);
    }
}

static void fish_options(FILE *out, const struct option *options, const char *command)
{
    for (const struct option *o = options; o && o->name; o++) {
        fputs("complete -c dit -n '__fish_seen_subcommand_from ", out);
        fprintf(out, "%.*s' -l %s", (int)strcspn(command, " "), command, o->name);
        if (o->letter)
            fprintf(out, " -s %c", o->letter);
        if (o->choices) {
            fputs(" -x -a '", out);
            print_choices(out, o->choices);
            fputc('\'', out);
        } else if (takes_file(o))
            fputs(" -r -F", out);
        else if (o->kind != OPTION_FLAG)
            fputs(" -x", out);
        fputs(" -d '", out);
        print_fish(out, o->help);
        fputs("'\n", out);
    }
}

static void fish(FILE *out)
{
    fputs("# fish completions of dit, made by \"dit help --completions fish\"\n", out);
    for (size_t i = 0; COMMANDS[i]; i++) {
        const char *name = COMMANDS[i]->name, *space = strchr(name, ' ');
        fprintf(out, "complete -c dit -n __fish_use_subcommand -f -a %.*s -d '", (int)strcspn(name, " "), name);
        print_fish(out, COMMANDS[i]->summary);
        fputs("'\n", out);
        if (space)
            fprintf(out, "complete -c dit -n '__fish_seen_subcommand_from %.*s' -a %s\n", (int)(space - name), name,
                    space + 1);
        fish_options(out, COMMANDS[i]->options, name);
        fish_options(out, GLOBAL_OPTIONS, name);
    }
}

dit_status help_completions(FILE *out, const char *shell, dit_error *error)
{
    if (strcmp(shell, "bash") == 0)
        bash(out);
    else if (strcmp(shell, "zsh") == 0)
        zsh(out);
    else if (strcmp(shell, "fish") == 0)
        fish(out);
    else
        return dit_fail(error, DIT_BAD_ARGUMENT, "no completions for %.30s", shell);
    return DIT_OK;
}
