// io/json_private.h: what a parsed file is, for json.c and json_parse.c.
#ifndef DIT_IO_JSON_PRIVATE_H
#define DIT_IO_JSON_PRIVATE_H

#include "base/arena.h"
#include "io/json.h"

struct dit_json_file {
    dit_arena *arena; // names and paths
    const char *name;
    json_t *root;
    json_t *read;        // an object whose keys are the places (path, U+001F, key) that a getter asked for
    bool minus_infinity; // the top level's lambda_min_clipped is -infinity, and -1e308 stands in its place
};

#endif
