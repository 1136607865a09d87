// base/progress.c: progress and cancellation.
#include "base/progress.h"

dit_status dit_report(const dit_watch *watch, const dit_progress *progress, dit_error *error)
{
    if (!watch || !watch->report || !watch->report(watch->context, progress))
        return DIT_OK;
    return dit_fail(error, DIT_CANCELLED, "stopped during %s, %llu of %llu", progress->phase,
                    (unsigned long long)progress->done, (unsigned long long)progress->total);
}

bool dit_watch_stops(void *watch)
{
    const dit_progress question = {.phase = "run", .unit = "step"};
    const dit_watch *w = watch;
    return w && w->report && w->report(w->context, &question);
}
