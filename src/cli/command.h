// cli/command.h: what a command of the program is. A new command is a file src/cli/NAME.c that defines
// `const struct command command_NAME`, and the row COMMAND(NAME) in src/cli/commands.def.
#ifndef DIT_CLI_COMMAND_H
#define DIT_CLI_COMMAND_H

#include "cli/option.h"
#include "dit/dit.h"
#include <stdio.h>

// What a running command gets.
struct call {
    const struct option_value *option; // indexed by the command's own enum
    const char *const *operand;        // [operands]
    int operands;
    const dit_watch *watch; // pass it on to the library: draws progress, and stops the work after Ctrl-C
    bool quiet;             // say nothing but results and errors
};

struct command {
    const char *name;     // as typed; two words for a part of a group ("data check")
    const char *summary;  // one line, lower case, no full stop
    const char *operands; // what stands without a flag, for the usage line: "FILE|DIR"; NULL: nothing
    int min_operands, max_operands;
    const struct option *options;
    const char *details;         // paragraphs for help and man page; lines of at most 100 columns
    const char *const *examples; // command line, explanation, command line, explanation, ..., NULL
    // Prints its result on stdout and nothing else. DIT_BAD_ARGUMENT means that a flag is at fault (exit code 2); a
    // file at fault is DIT_BAD_FILE or DIT_NO_FILE (1).
    dit_status (*run)(const struct call *call, dit_error *error);
};

// Every command, in the order of the help; ends with NULL.
extern const struct command *const COMMANDS[];
// The command that the first words of argv name, and how many words it took (1 or 2); NULL with a message (and a
// suggestion) when there is none.
const struct command *command_find(int argc, char **argv, int *words, dit_error *error);

void help_overview(FILE *out);
// The commands whose names begin with the word `name`; false when there is none.
bool help_group(FILE *out, const char *name);
void help_command(FILE *out, const struct command *command);
// "steps of the sampler (1 to 1000; default: 20)"
void help_describe_option(char *text, size_t size, const struct option *option);
void help_man_page(FILE *out);
dit_status help_completions(FILE *out, const char *shell, dit_error *error);

// Fails before any work when `path` could not be written: its folder does not exist or is read-only, it is a folder
// itself, or the disk has less than `bytes` left (0: not known). `what` is the flag's name: "--output".
dit_status check_output_path(const char *path, const char *what, uint64_t bytes, dit_error *error);
// The same for a folder that will be made when it does not exist.
dit_status check_output_folder(const char *path, const char *what, dit_error *error);

// A line for people on stderr ("seed 42"), unless --quiet; a progress bar on the terminal is redrawn below it.
void say(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
