// io/gguf_private.h: what the reader and the writer of GGUF files share.
#ifndef DIT_IO_GGUF_PRIVATE_H
#define DIT_IO_GGUF_PRIVATE_H

#include "io/gguf.h"

enum {
    DIT_GGUF_ALIGNMENT = 32, // of tensor data, where the metadata does not say otherwise
    DIT_GGUF_RANK = 4,
};

// A tensor type of the format. Sources: ggml's enum ggml_type and its table of block sizes.
struct dit_gguf_format {
    int number;
    const char *name;
    dit_dtype dtype; // DIT_DTYPES when nothing here reads it
    int block, bytes;
};
// NULL when there is none.
const struct dit_gguf_format *dit_gguf_format_numbered(uint32_t number);
const struct dit_gguf_format *dit_gguf_format_of(dit_dtype dtype);

#endif
