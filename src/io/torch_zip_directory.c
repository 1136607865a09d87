// io/torch_zip_directory.c: the central directory of a zip archive (APPNOTE.TXT 6.3, sections 4.3.7 to 4.3.16), with
// the 64-bit extension. Records are used where they lie, so only stored ones are of use.
#include "io/torch_zip_private.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    END_SIZE = 22,
    LONGEST_COMMENT = 65535,
    END_64_SIZE = 56,
    LOCATOR_SIZE = 20,
    ENTRY_SIZE = 46,
    LOCAL_SIZE = 30,
    ZIP_64_FIELD = 1,
};

static uint64_t at(const unsigned char *b, int bytes)
{
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--)
        x = x << 8 | b[i];
    return x;
}

static dit_status fail(const dit_zip *z, dit_error *error, const char *what)
{
    return dit_fail(error, DIT_BAD_FILE, "%s: %s; the archive is damaged or cut short", z->path, what);
}

// Where the directory is, and how many records it lists.
struct place {
    uint64_t offset, size, count;
};

// The 64-bit end record, which a locator just before the ordinary one points at.
static dit_status read_end_64(const dit_zip *z, size_t end, struct place *p, dit_error *error)
{
    if (end < LOCATOR_SIZE || memcmp(z->bytes + end - LOCATOR_SIZE, "PK\6\7", 4))
        return fail(z, error, "the 64-bit end of its directory is missing");
    uint64_t offset = at(z->bytes + end - LOCATOR_SIZE + 8, 8);
    if (offset > end || end - offset < END_64_SIZE || memcmp(z->bytes + offset, "PK\6\6", 4))
        return fail(z, error, "the 64-bit end of its directory is elsewhere");
    p->count = at(z->bytes + offset + 32, 8);
    p->size = at(z->bytes + offset + 40, 8);
    p->offset = at(z->bytes + offset + 48, 8);
    return DIT_OK;
}

static dit_status find_directory(const dit_zip *z, struct place *p, dit_error *error)
{
    if (z->size < END_SIZE)
        return fail(z, error, "it is too short for a zip archive");
    size_t end = z->size - END_SIZE, first = end > LONGEST_COMMENT ? end - LONGEST_COMMENT : 0;
    while (memcmp(z->bytes + end, "PK\5\6", 4)) {
        if (end == first)
            return fail(z, error, "it has no directory");
        end--;
    }
    *p = (struct place){at(z->bytes + end + 16, 4), at(z->bytes + end + 12, 4), at(z->bytes + end + 10, 2)};
    if ((p->count == 0xffff || p->size == UINT32_MAX || p->offset == UINT32_MAX) && read_end_64(z, end, p, error))
        return error->status;
    if (p->offset > end || p->size > end - p->offset || p->count > p->size / ENTRY_SIZE || p->count > INT_MAX)
        return fail(z, error, "its directory is not within the file");
    return DIT_OK;
}

// Replaces the fields that are all ones by those of the 64-bit extra field: size, stored size, offset, in this order.
static bool read_extra(const unsigned char *extra, size_t size, uint64_t *fields[3])
{
    bool wanted = *fields[0] == UINT32_MAX || *fields[1] == UINT32_MAX || *fields[2] == UINT32_MAX;
    for (size_t i = 0; wanted && i + 4 <= size;) {
        size_t length = (size_t)at(extra + i + 2, 2), used = 0;
        if (length > size - i - 4)
            return false;
        if (at(extra + i, 2) == ZIP_64_FIELD) {
            for (int k = 0; k < 3; k++)
                if (*fields[k] == UINT32_MAX) {
                    if (used + 8 > length)
                        return false;
                    *fields[k] = at(extra + i + 4 + used, 8);
                    used += 8;
                }
            return true;
        }
        i += 4 + length;
    }
    return !wanted;
}

// One entry of the directory at `entry`, with `left` bytes before the directory's end. Returns its length in *length.
static dit_status read_entry(dit_zip *z, const unsigned char *entry, uint64_t left, uint64_t directory, size_t *length,
                             dit_error *error)
{
    if (left < ENTRY_SIZE || memcmp(entry, "PK\1\2", 4))
        return fail(z, error, "an entry of its directory does not start as one");
    size_t name_length = (size_t)at(entry + 28, 2), extra_length = (size_t)at(entry + 30, 2);
    *length = ENTRY_SIZE + name_length + extra_length + (size_t)at(entry + 32, 2);
    if (*length > left)
        return fail(z, error, "an entry is longer than its directory");
    uint64_t stored = at(entry + 20, 4), size = at(entry + 24, 4), local = at(entry + 42, 4);
    if (!read_extra(entry + ENTRY_SIZE + name_length, extra_length, (uint64_t *[]){&size, &stored, &local}))
        return fail(z, error, "a 64-bit size is missing");
    char *name = dit_arena_alloc(z->arena, name_length + 1);
    if (!name)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its directory", z->path);
    memcpy(name, entry + ENTRY_SIZE, name_length);
    if (at(entry + 8, 2) & 1 || at(entry + 10, 2) || stored != size)
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s: its record \"%.80s\" is compressed or encrypted; torch.save stores records as they are",
                        z->path, name);
    if (local > directory || directory - local < LOCAL_SIZE || memcmp(z->bytes + local, "PK\3\4", 4))
        return fail(z, error, "a record is not where its directory says");
    uint64_t start = local + LOCAL_SIZE + at(z->bytes + local + 26, 2) + at(z->bytes + local + 28, 2);
    if (start > directory || size > directory - start)
        return fail(z, error, "a record is longer than the file");
    if (strlen(name) != name_length || dit_zip_find(z, name))
        return fail(z, error, "a record's name holds a zero byte or is there twice");
    z->records[z->count] = (dit_zip_record){name, z->bytes + start, size, (uint32_t)at(entry + 16, 4)};
    if (!dit_name_map_add(&z->names, name, (int)z->count))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its directory", z->path);
    z->count++;
    return DIT_OK;
}

dit_status dit_zip_read(dit_zip *z, dit_error *error)
{
    struct place p = {0};
    if (find_directory(z, &p, error))
        return error->status;
    z->records = calloc((size_t)p.count + 1, sizeof *z->records);
    if (!z->records)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its directory", z->path);
    uint64_t offset = 0;
    for (uint64_t i = 0; i < p.count; i++) {
        size_t length = 0;
        if (read_entry(z, z->bytes + p.offset + offset, p.size - offset, p.offset, &length, error))
            return error->status;
        offset += length;
    }
    return DIT_OK;
}

void dit_zip_free(dit_zip *zip)
{
    dit_name_map_free(&zip->names);
    free(zip->records);
}

const dit_zip_record *dit_zip_find(const dit_zip *zip, const char *name)
{
    int i = dit_name_map_find(&zip->names, name);
    return i < 0 ? NULL : &zip->records[i];
}
