// cli/interrupt.h: Ctrl-C and its kin ask the work to stop; a second one ends the program at once.
#ifndef DIT_CLI_INTERRUPT_H
#define DIT_CLI_INTERRUPT_H

// SIGINT, SIGTERM and SIGHUP are noted from now on, and SIGPIPE and SIGXFSZ become write errors.
void interrupts_catch(void);
// The signal that asked to stop, or 0. A program that stops for it exits with 128 + signal (130 for Ctrl-C).
int interrupted(void);
// Forgets it: the interactive mode goes on with the next prompt.
void interrupts_forget(void);

#endif
