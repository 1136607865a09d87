// cli/option.h: command line options declared as data; parsing, help, man page and completions read the same tables.
#ifndef DIT_CLI_OPTION_H
#define DIT_CLI_OPTION_H

#include "base/error.h"
#include "base/tensor.h"
#include <stdbool.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   // no value
    OPTION_INT,    // decimal integer in [min, max]
    OPTION_UINT64, // decimal integer of 64 bits, such as a seed
    OPTION_FLOAT,  // finite decimal number in [min, max]
    OPTION_TEXT,   // valid UTF-8; one of `choices` where the option has them
    OPTION_PATH,   // a file name: any bytes, not empty
    OPTION_TEXTS,  // text that may be given several times
    OPTION_PATHS,  // paths that may be given several times
    OPTION_SHAPE,  // extents of at least 1, such as 2,4,32,32
    OPTION_BYTES,  // an amount of memory with its unit, such as 8G
};

// One option. A table of them ends with a row without a name; a command indexes its table by an enum of its own:
//   enum { STEPS, OUTPUT };
//   static const struct option options[] = {
//       [STEPS] = {"steps", OPTION_INT, .value = "N", .min = 1, .max = 1000, .preset = "20", .help = "sampler steps"},
//       [OUTPUT] = {"output", OPTION_PATH, .letter = 'o', .value = "FILE", .required = true, .help = "picture to
//       write"}, {0}};
struct option {
    const char *name; // without the dashes
    enum option_kind kind;
    char letter;         // short form, or 0
    bool required;       // its absence is bad usage
    const char *value;   // what the value is called in the help: "N", "FILE"; NULL for a flag
    double min, max;     // OPTION_INT and OPTION_FLOAT, inclusive; both 0: no bound
    const char *choices; // OPTION_TEXT: the allowed values, separated by '|'; NULL: any text
    const char *preset;  // the value when the option is not given, as one would type it; NULL: none
    const char *unset;   // instead of a preset, in words for the help: "the model's own"
    const char *help;    // a few words, lower case
};

// What was given for one option, or its preset.
struct option_value {
    bool given;         // on the command line
    int64_t integer;    // OPTION_INT
    uint64_t natural;   // OPTION_UINT64, OPTION_BYTES
    double number;      // OPTION_FLOAT
    const char *text;   // OPTION_TEXT, OPTION_PATH; of a repeated option the last
    const char **texts; // OPTION_TEXTS, OPTION_PATHS: [count], in the order given
    size_t count;
    dit_shape shape; // OPTION_SHAPE
};

// Options every command has, in the order of GLOBAL_OPTIONS.
enum { GLOBAL_THREADS, GLOBAL_QUIET, GLOBAL_HELP, GLOBAL_COUNT };
extern const struct option GLOBAL_OPTIONS[GLOBAL_COUNT + 1];

// A parsed command line. Texts point into argv; release the rest with arguments_free.
struct arguments {
    struct option_value *options; // [count], one for each row of the command's table
    size_t count;
    struct option_value global[GLOBAL_COUNT];
    const char **operands; // what stands without a flag, in order
    int operand_count;
};

// Parses argv[0..argc) (the command's name is not part of it) by `options` and GLOBAL_OPTIONS. `--x v`, `--x=v`, `-o v`
// and `-ov` are the same; `--` ends the options. Unknown and doubled flags, missing values and values out of range are
// DIT_BAD_ARGUMENT with a message that names the flag. Required options are not looked at when --help is given.
dit_status arguments_parse(struct arguments *arguments, const struct option *options, int argc, char **argv,
                           dit_error *error);
void arguments_free(struct arguments *arguments);

size_t option_count(const struct option *options);
// Strict readers of one value; DIT_BAD_ARGUMENT, naming `what`, for anything but one number that fills the text.
dit_status parse_int(const char *text, const char *what, int64_t *value, dit_error *error);
dit_status parse_uint64(const char *text, const char *what, uint64_t *value, dit_error *error);
dit_status parse_float(const char *text, const char *what, double *value, dit_error *error);
// "512M", "2.5G", "8GiB": K, M, G and T are powers of 1000, so that a bound holds in either reading; with iB of 1024.
// At least 1M.
dit_status parse_bytes(const char *text, const char *what, uint64_t *bytes, dit_error *error);
dit_status parse_shape(const char *text, const char *what, dit_shape *shape, dit_error *error);
// DIT_BAD_ARGUMENT unless `text` is UTF-8.
dit_status check_utf8(const char *text, const char *what, dit_error *error);

// The candidate that a misspelt `word` probably means, or NULL. `candidate(i, context)` gives the i-th one and NULL
// after the last.
const char *nearest_word(const char *word, const char *(*candidate)(size_t i, const void *context),
                         const void *context);

#endif
