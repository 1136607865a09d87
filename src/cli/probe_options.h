// cli/probe_options.h: what `dit forward`, `dit grad` and `dit bench` read from the command line alike.
#ifndef DIT_CLI_PROBE_OPTIONS_H
#define DIT_CLI_PROBE_OPTIONS_H

#include "cli/command.h"
#include "models/probe.h"

#define PROBE_INPUTS                                                                                                   \
    {                                                                                                                  \
        "inputs", OPTION_PATH, .value = "FILE", .required = true,                                                      \
                               .help = "safetensors with the arguments, by their published names"                      \
    }
#define PROBE_METHOD                                                                                                   \
    {                                                                                                                  \
        "method", OPTION_TEXT, .value = "NAME", .choices = "forward|encode|decode", .preset = "forward",               \
                               .help = "which of the class's methods runs"                                             \
    }
#define PROBE_DTYPE                                                                                                    \
    {                                                                                                                  \
        "dtype", OPTION_TEXT, .value = "TYPE", .choices = "f32|bf16|f16", .preset = "f32",                             \
                              .help = "what the network computes in"                                                   \
    }

#define PROBE_MEMORY                                                                                                   \
    {                                                                                                                  \
        "memory", OPTION_BYTES, .value = "SIZE", .unset = "no bound",                                                  \
                                .help = "hold at most this much memory, such as 8G; other weights are streamed"        \
    }

dit_method probe_method(const struct option_value *value);
dit_dtype probe_dtype(const struct option_value *value);

#endif
