// cli/progress.h: progress of the library's work on stderr: a bar on a terminal, now and then a line elsewhere.
#ifndef DIT_CLI_PROGRESS_H
#define DIT_CLI_PROGRESS_H

#include "dit/dit.h"
#include <stdbool.h>

// For dit_watch.report: draws, and returns non-zero once the program was interrupted. `context` is not used: there is
// one stderr. On a terminal the bar is redrawn at most ten times a second; elsewhere a line is written when a phase
// ends and every ten seconds in between. The line that ends a phase holds its seconds.
int progress_report(void *context, const dit_progress *progress);
// Nothing is drawn from now on; interruptions are still noted.
void progress_silence(void);
// Takes the bar off the terminal, so that other text can be written. The next report draws it again.
void progress_hide(void);
// Ends the phase that was reported last: its bar, if it was not full, goes without a line of its own.
void progress_end(void);

#endif
