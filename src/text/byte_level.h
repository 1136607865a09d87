// text/byte_level.h: the byte-level view of text (Radford et al. 2019, GPT-2, section 2.2): text is split into words by
// one rule, and every byte of a word is a symbol, so that no text is unknown.
#ifndef DIT_TEXT_BYTE_LEVEL_H
#define DIT_TEXT_BYTE_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Length in bytes of the first word of valid UTF-8 of at least one byte. The words are the matches of GPT-2's
// expression
//     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// An English contraction, or letters, digits or other signs, each with one space before them, or space that is more
// than that; a run of spaces leaves its last one to the next word.
size_t dit_word_length(const char *text, size_t size);

// In files a byte is written as a character: itself where that is visible (0x21-0x7E, 0xA1-0xAC, 0xAE-0xFF as Latin-1),
// and the others as U+0100, U+0101, ... in their order. A space is U+0120.
void dit_byte_to_text(uint8_t byte, char text[4]);

#endif
