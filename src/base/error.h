// base/error.h: how a failure is reported: a status, and a message made where the fact is known.
#ifndef DIT_BASE_ERROR_H
#define DIT_BASE_ERROR_H

#include "dit/error.h"
#include <stdarg.h>

// Records a failure in `error` unless one is recorded already, and returns the recorded status. The message says what
// was expected, what was found, where, and what to do; bytes below space and above '~' that do not form valid UTF-8
// are replaced by '?', so text from a file may be quoted. `error` may be NULL.
dit_status dit_fail(dit_error *error, dit_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

// As dit_fail, for an errno value: appends ": " and the system's words for it. A full disk is DIT_NO_MEMORY.
dit_status dit_fail_errno(dit_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Puts "where: " before the recorded message, once the caller knows the file or flag at fault.
void dit_error_locate(dit_error *error, const char *where);

// Replaces what a terminal should not get from a file (control characters, bytes that are not UTF-8) by '?'.
void dit_make_printable(char *text);

#endif
