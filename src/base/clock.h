// base/clock.h: how long things take.
#ifndef DIT_BASE_CLOCK_H
#define DIT_BASE_CLOCK_H

// Seconds since some moment of the past, which never go back.
double dit_seconds_now(void);

#endif
