// cli/interactive.c: the interactive prompt, with libedit.
#include "cli/interactive.h"
#include "cli/interrupt.h"
#include "cli/option.h"
#include "cli/progress.h"
#include <histedit.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000, MAX_SIZE = 16384, MAX_STEPS = 1000 };

// ---- Reading lines

struct reader {
    EditLine *editor; // NULL when standard input is not a terminal
    History *history;
    char *history_path;
    char *line; // of getline, without a terminal
    size_t line_size;
};

static char *prompt_text(EditLine *editor)
{
    static char text[] = "dit> ";
    (void)editor;
    return text;
}

// ${XDG_STATE_HOME:-~/.local/state}/dit/history, its folders made; NULL when there is no home.
static char *history_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    if (state && *state)
        path = asprintf(&path, "%s/dit/history", state) < 0 ? NULL : path;
    else if (home && *home)
        path = asprintf(&path, "%s/.local/state/dit/history", home) < 0 ? NULL : path;
    for (char *slash = path; slash && (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        mkdir(path, 0700); // where it is there already, or cannot be made, saving the history tells
        *slash = '/';
    }
    return path;
}

static void reader_open(struct reader *reader)
{
    *reader = (struct reader){0};
    if (!isatty(STDIN_FILENO))
        return;
    HistEvent event;
    reader->editor = el_init("dit", stdin, stdout, stderr);
    reader->history = history_init();
    reader->history_path = history_path();
    if (reader->history) {
        history(reader->history, &event, H_SETSIZE, HISTORY_LINES);
        history(reader->history, &event, H_SETUNIQUE, 1);
        if (reader->history_path)
            history(reader->history, &event, H_LOAD, reader->history_path);
    }
    if (reader->editor) {
        el_set(reader->editor, EL_PROMPT, prompt_text);
        el_set(reader->editor, EL_EDITOR, "emacs");
        el_set(reader->editor, EL_SIGNAL, 1); // it restores the terminal before our own handler sees a signal
        if (reader->history)
            el_set(reader->editor, EL_HIST, history, reader->history);
        el_source(reader->editor, NULL); // ~/.editrc
    }
}

static void reader_close(struct reader *reader)
{
    HistEvent event;
    if (reader->history && reader->history_path)
        history(reader->history, &event, H_SAVE, reader->history_path);
    if (reader->editor)
        el_end(reader->editor);
    if (reader->history)
        history_end(reader->history);
    free(reader->history_path);
    free(reader->line);
}

// The next line without its end, or NULL at the end of the input. Ctrl-C at the prompt begins a new line; SIGTERM ends
// the input.
static char *read_line(struct reader *reader)
{
    for (;;) {
        char *line;
        if (reader->editor) {
            int count;
            const char *typed = el_gets(reader->editor, &count);
            free(reader->line);
            reader->line = typed ? strdup(typed) : NULL;
            line = reader->line;
        } else
            line = getline(&reader->line, &reader->line_size, stdin) < 0 ? NULL : reader->line;
        if (line) {
            line[strcspn(line, "\r\n")] = 0;
            return line;
        }
        if (!reader->editor || interrupted() != SIGINT)
            return NULL;
        interrupts_forget();
        putchar('\n');
    }
}

static void remember(struct reader *reader, const char *line)
{
    HistEvent event;
    if (reader->history && *line)
        history(reader->history, &event, H_ENTER, line);
}

// ---- Commands

struct session {
    struct interactive_settings *settings;
    bool ended;
};

static dit_status set_seed(struct session *session, const char *value, dit_error *error)
{
    session->settings->keep_seed = strcmp(value, "random") != 0;
    return session->settings->keep_seed ? parse_uint64(value, "!seed", &session->settings->seed, error) : DIT_OK;
}

static dit_status set_size(struct session *session, const char *value, dit_error *error)
{
    int width, height, end = 0;
    if (sscanf(value, "%5dx%5d%n", &width, &height, &end) == 2 && !value[end]) {
        // both were given
    } else if (sscanf(value, "%5d%n", &width, &end) == 1 && !value[end])
        height = width;
    else
        return dit_fail(error, DIT_BAD_ARGUMENT, "!size needs pixels, such as 64 or 96x64, not \"%.60s\"", value);
    if (width < 1 || height < 1 || width > MAX_SIZE || height > MAX_SIZE)
        return dit_fail(error, DIT_BAD_ARGUMENT, "!size must be between 1 and %d, not %.60s", MAX_SIZE, value);
    session->settings->width = width;
    session->settings->height = height;
    return DIT_OK;
}

static dit_status set_steps(struct session *session, const char *value, dit_error *error)
{
    int64_t steps;
    if (parse_int(value, "!steps", &steps, error))
        return error->status;
    if (steps < 1 || steps > MAX_STEPS)
        return dit_fail(error, DIT_BAD_ARGUMENT, "!steps must be between 1 and %d, not %.60s", MAX_STEPS, value);
    session->settings->steps = (int)steps;
    return DIT_OK;
}

static dit_status set_guidance(struct session *session, const char *value, dit_error *error)
{
    double scale;
    if (parse_float(value, "!guidance", &scale, error))
        return error->status;
    if (scale < 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "!guidance must not be negative, and is %.60s", value);
    session->settings->guidance_scale = scale;
    return DIT_OK;
}

static dit_status set_negative(struct session *session, const char *value, dit_error *error)
{
    struct interactive_settings *s = session->settings;
    if (strlen(value) >= sizeof s->negative_prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "!negative takes %zu bytes at most", sizeof s->negative_prompt - 1);
    if (check_utf8(value, "!negative", error))
        return error->status;
    strcpy(s->negative_prompt, value);
    return DIT_OK;
}

// A name for the library to look up when it draws; nothing: the model's own.
static dit_status set_name(char name[24], const char *what, const char *value, dit_error *error)
{
    if (strlen(value) >= 24 || check_utf8(value, what, error))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: there is no %.60s", what, value);
    strcpy(name, value);
    return DIT_OK;
}

static dit_status set_sampler(struct session *session, const char *value, dit_error *error)
{
    return set_name(session->settings->sampler, "!sampler", value, error);
}

static dit_status set_schedule(struct session *session, const char *value, dit_error *error)
{
    return set_name(session->settings->schedule, "!schedule", value, error);
}

static dit_status show(struct session *session, const char *value, dit_error *error)
{
    const struct interactive_settings *s = session->settings;
    (void)value;
    (void)error;
    if (s->keep_seed)
        printf("seed %" PRIu64 "\n", s->seed);
    else
        printf("seed random\n");
    if (s->width)
        printf("size %dx%d\n", s->width, s->height);
    if (s->steps)
        printf("steps %d\n", s->steps);
    if (s->guidance_scale >= 0)
        printf("guidance %g\n", s->guidance_scale);
    if (*s->sampler)
        printf("sampler %s\n", s->sampler);
    if (*s->schedule)
        printf("schedule %s\n", s->schedule);
    if (*s->negative_prompt)
        printf("negative %s\n", s->negative_prompt);
    return DIT_OK;
}

static dit_status quit(struct session *session, const char *value, dit_error *error)
{
    (void)value;
    (void)error;
    session->ended = true;
    return DIT_OK;
}

static dit_status help(struct session *session, const char *value, dit_error *error);

static const struct {
    const char *name, *value, *help;
    dit_status (*run)(struct session *session, const char *value, dit_error *error);
} commands[] = {
    {"seed", "N|random", "noise to start from; random: another one for every picture", set_seed},
    {"size", "N|WxH", "pixels", set_size},
    {"steps", "N", "steps of the sampler", set_steps},
    {"guidance", "G", "how closely to follow the prompt", set_guidance},
    {"sampler", "NAME", "how steps are taken, as --sampler; without NAME: the model's own", set_sampler},
    {"schedule", "NAME", "where steps are taken, as --schedule; without NAME: the model's own", set_schedule},
    {"negative", "TEXT", "what to steer away from; without TEXT: nothing", set_negative},
    {"show", "", "the settings", show},
    {"help", "", "this list", help},
    {"quit", "", "end (Ctrl-D)", quit},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static dit_status help(struct session *session, const char *value, dit_error *error)
{
    (void)session;
    (void)value;
    (void)error;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  !%-9s %-9s %s\n", commands[i].name, commands[i].value, commands[i].help);
    printf("  %-20s %s\n", "any other line", "a prompt; an empty line draws the last one again");
    return DIT_OK;
}

static const char *command_name(size_t i, const void *context)
{
    (void)context;
    return i < COMMAND_COUNT ? commands[i].name : NULL;
}

// `line` is what follows the `!`: a name, and after spaces its value.
static dit_status run_command(struct session *session, const char *line, dit_error *error)
{
    char name[32];
    size_t length = strcspn(line, " \t");
    snprintf(name, sizeof name, "%.*s", (int)length, line);
    const char *value = line + length + strspn(line + length, " \t");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(session, value, error);
    const char *near = nearest_word(name, command_name, NULL);
    if (near)
        return dit_fail(error, DIT_BAD_ARGUMENT, "no command !%s; did you mean !%s?", name, near);
    return dit_fail(error, DIT_BAD_ARGUMENT, "no command !%s; !help lists them", name);
}

// ---- The loop

static dit_status draw_prompt(struct session *session, const char *prompt, interactive_draw draw, void *context,
                              dit_error *error)
{
    struct interactive_settings *s = session->settings;
    if (check_utf8(prompt, "the prompt", error))
        return error->status;
    uint32_t seed;
    if (!s->keep_seed && getrandom(&seed, sizeof seed, 0) == sizeof seed)
        s->seed = seed; // 32 bits are enough, and easy to type again
    dit_status status = draw(context, s, prompt, error);
    progress_end();
    return status;
}

dit_status interactive_run(struct interactive_settings *settings, interactive_draw draw, void *context,
                           dit_error *error)
{
    struct session session = {settings, false};
    struct reader reader;
    char *last = NULL, *line;
    reader_open(&reader);
    bool on_terminal = reader.editor != NULL;
    if (on_terminal)
        printf("Type what to draw; !help lists the commands, Ctrl-D ends.\n");
    while (!session.ended && (line = read_line(&reader))) {
        dit_error fault = {0};
        line += strspn(line, " \t");
        remember(&reader, line);
        if (*line == '!')
            run_command(&session, line + 1, &fault);
        else {
            if (*line) {
                free(last);
                last = strdup(line);
            }
            if (last)
                draw_prompt(&session, last, draw, context, &fault);
        }
        fflush(stdout);
        if (fault.status && !on_terminal) {
            *error = fault;
            break;
        }
        if (fault.status)
            fprintf(stderr, "dit: %s\n", fault.message);
        if (interrupted() && interrupted() != SIGINT) {
            dit_fail(error, DIT_CANCELLED, "stopped");
            break;
        }
        interrupts_forget();
    }
    free(last);
    reader_close(&reader);
    return error->status;
}
