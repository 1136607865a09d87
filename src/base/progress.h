// base/progress.h: long work tells its watcher how far it has come, and learns whether to stop.
#ifndef DIT_BASE_PROGRESS_H
#define DIT_BASE_PROGRESS_H

#include "base/error.h"
#include "dit/dit.h"
#include <stdbool.h>

// Reports to `watch` (NULL: nobody watches). DIT_CANCELLED, recorded in `error`, when the watcher wants the work to
// stop.
dit_status dit_report(const dit_watch *watch, const dit_progress *progress, dit_error *error);
// Whether the watcher wants the work to stop, asked without anything to tell (a report of 0 of 0). `watch` is a const
// dit_watch * or NULL: it fits where a plan takes `cancelled`.
bool dit_watch_stops(void *watch);

#endif
