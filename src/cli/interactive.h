// cli/interactive.h: a prompt on which pictures are asked for one after another (`dit generate -i`).
#ifndef DIT_CLI_INTERACTIVE_H
#define DIT_CLI_INTERACTIVE_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

// What the next picture is drawn with; the `!` commands change it. 0 and "" mean the model's own.
struct interactive_settings {
    uint64_t seed;
    bool keep_seed; // false: every picture draws a new seed
    int width, height;
    int steps;
    double guidance_scale;          // negative: the model's own
    char sampler[24], schedule[24]; // names of --sampler and --schedule
    char negative_prompt[1024];
};

// Draws one picture for `prompt` (UTF-8). A failure is printed and the next line is read.
typedef dit_status (*interactive_draw)(void *context, const struct interactive_settings *settings, const char *prompt,
                                       dit_error *error);

// Reads lines from standard input until its end or `!quit`: a line is a prompt, a line that begins with `!` a command
// (`!help` lists them), an empty line draws the last prompt again. On a terminal the arrows recall earlier lines, which
// are kept between runs; Ctrl-C stops the picture being drawn, or empties the line. When standard input is not a
// terminal the first failure ends the run and is returned.
dit_status interactive_run(struct interactive_settings *settings, interactive_draw draw, void *context,
                           dit_error *error);

#endif
