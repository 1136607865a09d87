/* dit.h: the public interface of libdit, diffusion transformers in C.
 *
 * The library never exits, never prints and never aborts on input. Every function that can fail returns a dit_status
 * and leaves a message (what, where, what to do) in the dit_error that it was given.
 */
#ifndef DIT_H
#define DIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DIT_API __attribute__((visibility("default")))
#else
#define DIT_API
#endif

/* "0.1.0" */
DIT_API const char *dit_version(void);

typedef enum dit_status {
    DIT_OK = 0,
    DIT_BAD_ARGUMENT, /* the caller asked for something impossible (the program exits with 2) */
    DIT_BAD_FILE,     /* a file is malformed or does not fit the model */
    DIT_BAD_NUMBER,   /* a computation produced NaN or infinity where none may be */
    DIT_NO_FILE,      /* a file cannot be opened, read or written */
    DIT_NO_MEMORY,    /* memory or disk space ran out */
    DIT_UNSUPPORTED,  /* well-formed, but nothing here handles it */
    DIT_CANCELLED,    /* the caller's callback asked to stop */
} dit_status;

/* The first failure of a piece of work. Zero-initialise; later failures do not overwrite the first one. */
typedef struct dit_error {
    dit_status status;
    char message[560]; /* one line of printable text */
} dit_error;

/* A picture: 8 bits a channel, sRGB, rows from the top. `pixels` is (height, width, channels) with 1 (grey), 3 (RGB) or
 * 4 (RGB and alpha) channels; whoever received the picture releases it with dit_image_free. */
typedef struct dit_image {
    int width, height, channels;
    uint8_t *pixels;
} dit_image;

/* Releases the pixels and zeroes the picture. NULL and a zeroed picture are fine. */
DIT_API void dit_image_free(dit_image *image);

/* How far a long piece of work has come. */
typedef struct dit_progress {
    const char *phase;        /* "load", "encode", "sample", "decode", "train", ... */
    const char *unit;         /* what is counted: "step", "sample", "byte" */
    uint64_t done, total;     /* in units; total is 0 when it is not known */
    const char *note;         /* a few words, such as "loss 0.127", or NULL */
    const dit_image *preview; /* the picture so far, when there is one; it belongs to the library */
} dit_progress;

/* Who watches the work: `report` is called from the thread that called the library, at least once a step, and stops the
 * work by returning non-zero; the function that was at work then returns DIT_CANCELLED and leaves nothing half-written.
 */
typedef struct dit_watch {
    int (*report)(void *context, const dit_progress *progress);
    void *context;
} dit_watch;

#ifdef __cplusplus
}
#endif
#endif
