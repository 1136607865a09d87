// cli/patience.h: how long threads that wait for work spin before they sleep.
#ifndef DIT_CLI_PATIENCE_H
#define DIT_CLI_PATIENCE_H

// GNU OpenMP lets waiting threads spin for milliseconds. On a machine that others use too they then hold the processor
// that a working thread waits for: DiT-S/2 took 8 to 16 s for what takes 3 s when they spin for 0.1 ms (docs/speed.md).
// The runtime reads its settings before main, so the program starts itself once more with GOMP_SPINCOUNT set, unless
// the user has chosen (GOMP_SPINCOUNT or OMP_WAIT_POLICY). Returns when nothing is to be done or that fails.
void shorten_spinning(char **argv);

#endif
