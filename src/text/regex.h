// text/regex.h: regular expressions over UTF-8 (PCRE2), in the dialect of tokenizer files.
#ifndef DIT_TEXT_REGEX_H
#define DIT_TEXT_REGEX_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct dit_regex dit_regex; // never changes after compiling: any number of threads may use it

enum {
    // The expression is written for Oniguruma (Ruby's syntax, Unicode), as those of tokenizer.json are: `^` and `$`
    // hold
    // at every line, and `\s`, `\w` and `\d` are Unicode's. What the two engines would read differently is refused.
    DIT_REGEX_ONIGURUMA = 1,
    DIT_REGEX_CASELESS = 2,
};

// Compiles valid UTF-8 of `size` bytes. Fails with DIT_BAD_FILE (no expression), DIT_UNSUPPORTED or DIT_NO_MEMORY.
dit_status dit_regex_compile(dit_regex **regex, const char *pattern, size_t size, unsigned flags, dit_error *error);
void dit_regex_free(dit_regex *regex); // may be NULL

// What a match covers: bytes from[0] .. to[0] - 1; parentheses from 1 on, SIZE_MAX where they took no part.
enum { DIT_REGEX_GROUPS = 10 };
typedef struct dit_match {
    bool found;
    size_t from[DIT_REGEX_GROUPS], to[DIT_REGEX_GROUPS];
} dit_match;

// Finds the first match at or after byte `start` of valid UTF-8; what stands before it is seen by lookbehind. Fails
// with DIT_BAD_ARGUMENT (the search takes too many steps) or DIT_NO_MEMORY.
dit_status dit_regex_find(const dit_regex *regex, const char *text, size_t size, size_t start, dit_match *match,
                          dit_error *error);
// Every match from the left, none of them inside another; an empty one not right after another. `start` 0 begins a
// search, and *match carries it on. match->found is false at the end.
dit_status dit_regex_next(const dit_regex *regex, const char *text, size_t size, dit_match *match, dit_error *error);

#endif
