/* error.h: how every function of libdit reports a failure. It comes with dit.h. */
#ifndef DIT_ERROR_H
#define DIT_ERROR_H

#if defined(__GNUC__)
#define DIT_API __attribute__((visibility("default")))
#else
#define DIT_API
#endif

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

#endif
