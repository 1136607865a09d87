// cli/format.h: numbers as people read them. Each writes into `text`, an array, which it returns.
#ifndef DIT_CLI_FORMAT_H
#define DIT_CLI_FORMAT_H

enum { FORMAT_SIZE = 32 };

// "512 B", "46.0 kB", "3.21 GB" (powers of 1000).
char *format_bytes(char text[FORMAT_SIZE], double bytes);
// "11488", "675 M", "8.03 G": three digits from a million on.
char *format_count(char text[FORMAT_SIZE], double count);
// "0:07", "12:34", "3:05:00"
char *format_duration(char text[FORMAT_SIZE], double seconds);

#endif
