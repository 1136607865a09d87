"""Reads the pictures of a bitmap font: which glyph draws a character sequence, and the glyph's PNG.

The OpenType tables (Microsoft's OpenType specification 1.9): cmap format 12 (character to glyph), GSUB lookup type 4
(a sequence of glyphs to one, which is how emoji of several characters are drawn), CBLC (where each bitmap lies) and CBDT
(the bitmaps).
"""

import struct


class BitmapFont:
    def __init__(self, data):
        self.data = data
        tables = self._read("H", 4)[0]
        self.tables = {}
        for i in range(tables):
            tag = data[12 + 16 * i:16 + 16 * i].decode("latin-1")
            self.tables[tag] = self._read("I", 20 + 16 * i)[0]
        self.characters = self._characters()
        self.ligatures = self._ligatures()
        self.bitmaps = self._bitmaps()
        self._first = {}

    def _read(self, fields, offset):
        return struct.unpack_from(">" + fields, self.data, offset)

    def _array(self, count, offset):
        return self._read(f"{count}H", offset)

    def _characters(self):
        """{character: glyph}"""
        cmap, found = self.tables["cmap"], {}
        for i in range(self._read("H", cmap + 2)[0]):
            table = cmap + self._read("I", cmap + 8 + 8 * i)[0]
            if self._read("H", table)[0] != 12:
                continue
            for group in range(self._read("I", table + 12)[0]):
                first, last, glyph = self._read("III", table + 16 + 12 * group)
                for code in range(first, last + 1):
                    found[chr(code)] = glyph + code - first
        return found

    def _coverage(self, offset):
        """The glyphs of a coverage table, in its order."""
        form, count = self._array(2, offset)
        if form == 1:
            return self._array(count, offset + 4)
        ranges = (self._array(2, offset + 4 + 6 * i) for i in range(count))
        return [glyph for first, last in ranges for glyph in range(first, last + 1)]

    def _ligatures(self):
        """{(glyph, glyph, ...): glyph} of all ligature lookups; an earlier lookup wins."""
        gsub, found = self.tables["GSUB"], {}
        lookups = gsub + self._array(5, gsub)[4]
        for offset in self._array(self._array(1, lookups)[0], lookups + 2):
            lookup = lookups + offset
            kind, _, count = self._array(3, lookup)
            if kind != 4:
                continue
            for subtable in (lookup + offset for offset in self._array(count, lookup + 6)):
                _, coverage, sets = self._array(3, subtable)
                for first, place in zip(self._coverage(subtable + coverage), self._array(sets, subtable + 6)):
                    self._ligature_set(subtable + place, first, found)
        return found

    def _ligature_set(self, offset, first, found):
        for place in self._array(self._array(1, offset)[0], offset + 2):
            glyph, components = self._array(2, offset + place)
            rest = self._array(components - 1, offset + place + 4)
            found.setdefault((first, *rest), glyph)

    def _bitmaps(self):
        """{glyph: (offset of its record in CBDT, image format)}"""
        cblc, found = self.tables["CBLC"], {}
        for strike in range(self._read("I", cblc + 4)[0]):
            arrays, _, count, _ = self._read("IIII", cblc + 8 + 48 * strike)
            for i in range(count):
                first, last, place = self._read("HHI", cblc + arrays + 8 * i)
                self._index_subtable(cblc + arrays + place, first, last, found)
        return found

    def _index_subtable(self, offset, first, last, found):
        index_format, image_format, data = self._read("HHI", offset)
        start = self.tables["CBDT"] + data
        if index_format not in (1, 3):
            raise ValueError(f"the font's bitmap index has format {index_format}; formats 1 and 3 are read")
        offsets = self._read(f"{last - first + 2}{'I' if index_format == 1 else 'H'}", offset + 8)
        for i, glyph in enumerate(range(first, last + 1)):
            if offsets[i + 1] > offsets[i]:
                found[glyph] = (start + offsets[i], image_format)

    def glyph(self, text):
        """The one glyph that draws `text`, or None."""
        glyphs = tuple(self.characters.get(c) for c in text)
        return glyphs[0] if len(glyphs) == 1 else self.ligatures.get(glyphs)

    def png(self, glyph):
        """The glyph's PNG file, or None."""
        place, form = self.bitmaps.get(glyph, (0, None))
        if form not in (17, 18, 19):
            return None
        place += {17: 5, 18: 8, 19: 0}[form]  # small, big or no metrics before the length
        length = self._read("I", place)[0]
        return self.data[place + 4:place + 4 + length]

    def first_use(self, glyph, text):
        """The first text that was asked about for this glyph: `text`, unless another came before."""
        return self._first.setdefault(glyph, text)

    @property
    def used(self):
        return len(self._first)
