// cli/terminal.h: what the terminal is and can show.
#ifndef DIT_CLI_TERMINAL_H
#define DIT_CLI_TERMINAL_H

#include "dit/dit.h"
#include <stdbool.h>

// Is the file descriptor a terminal that understands escape sequences (TERM is neither empty nor "dumb")?
bool terminal_is_interactive(int fd);
// Its width in characters; 80 when it does not say.
int terminal_columns(int fd);
// Does the locale show UTF-8?
bool terminal_is_utf8(void);

// Draws a picture on the terminal behind `fd`, at most `max_rows` lines high (0: as high as the terminal allows): with
// pixels where the terminal has the kitty or sixel protocol, with coloured symbols elsewhere. Draws nothing when `fd`
// is not a terminal, and returns whether it drew.
bool terminal_picture(int fd, const dit_image *image, int max_rows);

#endif
