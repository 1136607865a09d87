// base/text_pair.h: a key and its text, as the metadata of files holds them.
#ifndef DIT_BASE_TEXT_PAIR_H
#define DIT_BASE_TEXT_PAIR_H

typedef struct dit_text_pair {
    const char *key, *value; // UTF-8
} dit_text_pair;

#endif
