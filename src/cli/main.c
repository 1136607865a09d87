// cli/main.c: the program: finds the command, parses its options, runs it, and turns what happened into an exit code.
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/patience.h"
#include "cli/progress.h"
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

enum { EXIT_FAILED = 1, EXIT_BAD_USAGE = 2 };

static bool be_quiet;

void say(const struct call *call, const char *format, ...)
{
    if (call->quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    progress_hide();
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static dit_status run(const struct command *command, int argc, char **argv, dit_error *error)
{
    struct arguments arguments;
    if (arguments_parse(&arguments, command->options, argc, argv, error))
        goto done;
    if (arguments.global[GLOBAL_HELP].given) {
        help_command(stdout, command);
        goto done;
    }
    if (arguments.operand_count < command->min_operands) {
        dit_fail(error, DIT_BAD_ARGUMENT, "dit %s needs %s", command->name, command->operands);
        goto done;
    }
    if (arguments.operand_count > command->max_operands) {
        dit_fail(error, DIT_BAD_ARGUMENT, "dit %s does not know what to do with \"%.80s\"", command->name,
                 arguments.operands[command->max_operands]);
        goto done;
    }
    if (arguments.global[GLOBAL_THREADS].given)
        dit_set_threads((int)arguments.global[GLOBAL_THREADS].integer);
    be_quiet = arguments.global[GLOBAL_QUIET].given;
    if (be_quiet)
        progress_silence();
    dit_watch watch = {progress_report, NULL};
    struct call call = {arguments.options, arguments.operands, arguments.operand_count, &watch, be_quiet};
    if (command->run(&call, error) && !error->status)
        dit_fail(error, DIT_BAD_FILE, "dit %s failed", command->name);
    progress_end();

done:
    arguments_free(&arguments);
    return error->status;
}

// Results that did not reach the reader are a failure, unless the reader went away on purpose (`| head`).
static int finish_output(void)
{
    bool failed = ferror(stdout) != 0;
    if (fclose(stdout) == 0 && !failed)
        return 0;
    if (errno == EPIPE)
        return 128 + SIGPIPE;
    fprintf(stderr, "dit: standard output: %s\n", strerror(errno));
    return EXIT_FAILED;
}

static int exit_code(const dit_error *error)
{
    if (!error->status)
        return finish_output();
    if (error->status == DIT_CANCELLED && interrupted()) {
        if (!be_quiet)
            fprintf(stderr, "dit: %s\n", error->message);
        return 128 + interrupted();
    }
    fprintf(stderr, "dit: %s\n", error->message);
    return error->status == DIT_BAD_ARGUMENT ? EXIT_BAD_USAGE : EXIT_FAILED;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

// What the first words ask for.
static void dispatch(int argc, char **argv, dit_error *error)
{
    int words = 0;
    if (argc < 2) {
        help_overview(stdout);
        dit_fail(error, DIT_BAD_ARGUMENT, "no command is given");
        return;
    }
    if (asks_for_help(argv[1])) {
        help_overview(stdout);
        return;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("dit %s\n", dit_version());
        return;
    }
    if (argc == 3 && asks_for_help(argv[2]) && help_group(stdout, argv[1]))
        return;
    const struct command *command = command_find(argc - 1, argv + 1, &words, error);
    if (command)
        run(command, argc - 1 - words, argv + 1 + words, error);
}

int main(int argc, char **argv)
{
    dit_error error = {0};
    shorten_spinning(argv);
    setlocale(LC_CTYPE, ""); // numbers stay in the C locale
    interrupts_catch();
    dispatch(argc, argv, &error);
    return exit_code(&error);
}
