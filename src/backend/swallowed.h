// backend/swallowed.h: masks that are added to attention's scores and leave nothing of them.
#ifndef DIT_BACKEND_SWALLOWED_H
#define DIT_BACKEND_SWALLOWED_H

#include <math.h>
#include <stdbool.h>

// A score below this is the bias that was added to it: nothing is left of q . k. Public text encoders mask so, and a
// query whose keys are all shut attends to all of them alike. The log-sum-exp of such a row cannot hold how many they
// are, so that a backward pass counts them.
static inline bool dit_swallowed(double lse)
{
    return isfinite(lse) && lse < -1e20;
}

#endif
