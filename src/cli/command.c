// cli/command.c: the table of commands, and finding one by its name.
#include "cli/command.h"
#include <string.h>

#define COMMAND(name) extern const struct command command_##name;
#include "cli/commands.def"
#undef COMMAND

const struct command *const COMMANDS[] = {
#define COMMAND(name) &command_##name,
#include "cli/commands.def"
#undef COMMAND
    NULL,
};

static const char *command_name(size_t i, const void *context)
{
    (void)context;
    return COMMANDS[i] ? COMMANDS[i]->name : NULL;
}

static const struct command *find_exact(const char *name)
{
    for (size_t i = 0; COMMANDS[i]; i++)
        if (strcmp(COMMANDS[i]->name, name) == 0)
            return COMMANDS[i];
    return NULL;
}

// The parts of the group `name`, as "dit data check, dit data list".
static bool group_parts(const char *name, char *text, size_t size)
{
    size_t length = strlen(name), n = 0;
    for (size_t i = 0; COMMANDS[i]; i++)
        if (strncmp(COMMANDS[i]->name, name, length) == 0 && COMMANDS[i]->name[length] == ' ' && n < size)
            n += (size_t)snprintf(text + n, size - n, "%sdit %s", n ? ", " : "", COMMANDS[i]->name);
    return n > 0;
}

const struct command *command_find(int argc, char **argv, int *words, dit_error *error)
{
    char name[64], parts[256];
    if (argc > 1) {
        snprintf(name, sizeof name, "%.30s %.30s", argv[0], argv[1]);
        *words = 2;
        const struct command *command = find_exact(name);
        if (command)
            return command;
    }
    *words = 1;
    const struct command *command = find_exact(argv[0]);
    if (command)
        return command;
    if (group_parts(argv[0], parts, sizeof parts))
        dit_fail(error, DIT_BAD_ARGUMENT, "dit %s needs one word more: %s", argv[0], parts);
    else if (argv[0][0] == '-')
        dit_fail(error, DIT_BAD_ARGUMENT, "the command comes before its options, as in \"dit help\"; found %.60s",
                 argv[0]);
    else {
        const char *near = nearest_word(argv[0], command_name, NULL);
        if (near)
            dit_fail(error, DIT_BAD_ARGUMENT, "no command \"%.60s\"; did you mean \"dit %s\"?", argv[0], near);
        else
            dit_fail(error, DIT_BAD_ARGUMENT, "no command \"%.60s\"; \"dit help\" lists them", argv[0]);
    }
    return NULL;
}
