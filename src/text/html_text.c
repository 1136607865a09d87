// text/html_text.c: markup left away. A page is scanned twice, as Python's html.parser does it for a text that comes in
// one piece: the first scan stops at what may be incomplete, the second one takes the rest as it is.
#include "base/arena.h"
#include "text/html.h"
#include "text/html_private.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct page {
    const char *text;
    size_t size, at;
    dit_text *out;
    struct open_tag {
        size_t from, size; // its name, in `text`
        bool hides;        // what is inside of it is not shown
    } * tags;              // [count] open ones, the outermost first
    size_t count, room, hiding;
    bool fits;
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_alpha(c) || (c >= '0' && c <= '9');
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

static char at(const struct page *p, size_t i)
{
    return i < p->size ? p->text[i] : 0;
}

static void show(struct page *p, const char *text, size_t size)
{
    if (!p->hiding)
        p->fits = p->fits && dit_text_append(p->out, text, size);
}

// ---- Open tags

static bool name_is(const struct page *p, const struct open_tag *tag, const char *name, size_t size)
{
    return tag->size == size && !strncasecmp(p->text + tag->from, name, size);
}

static void open_tag(struct page *p, size_t from, size_t size)
{
    static const char *const hiding[] = {"script", "style", "template", "rt", "rp"};
    if (!dit_grow(&p->tags, &p->room, p->count + 1, sizeof *p->tags)) {
        p->fits = false;
        return;
    }
    struct open_tag *tag = &p->tags[p->count++];
    *tag = (struct open_tag){from, size, false};
    for (size_t i = 0; i < sizeof hiding / sizeof *hiding; i++)
        tag->hides = tag->hides || name_is(p, tag, hiding[i], strlen(hiding[i]));
    p->hiding += tag->hides;
}

// Closes the innermost tag of a name, and those inside of it.
static void close_tag(struct page *p, const char *name, size_t size)
{
    size_t i = p->count;
    while (i > 0 && !name_is(p, &p->tags[i - 1], name, size))
        i--;
    if (i == 0)
        return;
    while (p->count >= i)
        p->hiding -= p->tags[--p->count].hides;
}

// ---- Markup. Each returns the place after it; 0: it is not complete.

static size_t find(const struct page *p, size_t from, char c)
{
    const char *found = from < p->size ? memchr(p->text + from, c, p->size - from) : NULL;
    return found ? (size_t)(found - p->text) + 1 : 0;
}

static size_t tag_name_end(const struct page *p, size_t i)
{
    while (i < p->size && !strchr("\t\n\r\f />", p->text[i] ? p->text[i] : '>'))
        i++;
    return i;
}

// The attributes after a tag's name: up to the sign that ends the tag, or that no attribute has.
static size_t attributes_end(const struct page *p, size_t i)
{
    for (;;) {
        size_t start = i;
        while (is_blank(at(p, i)) || (at(p, i) == '/' && at(p, i + 1) != '>'))
            i++;
        char before = p->text[i - 1];
        if (i >= p->size || at(p, i) == '>' || at(p, i) == '/' ||
            (before != '\'' && before != '"' && before != '/' && !is_blank(before)))
            return i;
        for (i++; i < p->size && !is_blank(p->text[i]) && !strchr("/=>", p->text[i] ? p->text[i] : 'a');)
            i++;
        size_t value = i;
        while (is_blank(at(p, value)))
            value++;
        if (at(p, value) == '=') {
            while (at(p, value) == '=' || is_blank(at(p, value)))
                value++;
            char quote = at(p, value);
            if (quote == '\'' || quote == '"') {
                size_t end = find(p, value + 1, quote);
                if (!end)
                    return value; // an open quote: no attribute
                i = end;
            } else
                for (i = value; i < p->size && p->text[i] != '>' && !is_blank(p->text[i]);)
                    i++;
        }
        if (i == start)
            return i;
    }
}

// Text up to </script> or </style>.
static size_t skip_raw_text(const struct page *p, size_t i, const char *name, size_t size)
{
    for (; (i = find(p, i, '<'));) {
        size_t j = i;
        if (at(p, j) != '/')
            continue;
        for (j++; is_blank(at(p, j));)
            j++;
        if (p->size - j < size || strncasecmp(p->text + j, name, size))
            continue;
        for (j += size; is_blank(at(p, j));)
            j++;
        if (at(p, j) == '>')
            return i - 1;
    }
    return p->size;
}

static size_t start_tag(struct page *p, size_t i)
{
    size_t name = i + 1, name_size = tag_name_end(p, name) - name, end = attributes_end(p, name + name_size);
    while (is_blank(at(p, end)))
        end++;
    char next = at(p, end);
    bool closes = next == '/' && at(p, end + 1) == '>';
    if (next == '>' || closes) {
        end += closes ? 2 : 1;
        if (closes)
            return end;
        open_tag(p, name, name_size);
        bool raw = (name_size == 6 && !strncasecmp(p->text + name, "script", 6)) ||
                   (name_size == 5 && !strncasecmp(p->text + name, "style", 5));
        return raw ? skip_raw_text(p, end, p->text + name, name_size) : end;
    }
    if (end >= p->size || next == '/' || next == '=' || is_alpha(next))
        return 0;
    show(p, p->text + i, end - i); // no tag after all
    return end;
}

static size_t end_tag(struct page *p, size_t i)
{
    size_t name = i + 2, end;
    while (is_blank(at(p, name)))
        name++;
    for (end = name; is_alnum(at(p, end)) || (at(p, end) && strchr("-.:_", at(p, end)));)
        end++;
    size_t after = end;
    while (is_blank(at(p, after)))
        after++;
    if (!find(p, i + 1, '>'))
        return 0;
    if (is_alpha(at(p, name)) && at(p, after) == '>') {
        close_tag(p, p->text + name, end - name);
        return after + 1;
    }
    if (!is_alpha(at(p, i + 2)))
        return find(p, i + 2, '>'); // a comment, of a kind
    end = tag_name_end(p, i + 2);
    close_tag(p, p->text + i + 2, end - i - 2);
    return find(p, end, '>');
}

static size_t comment(const struct page *p, size_t i)
{
    for (i += 4; i < p->size; i++)
        if (p->text[i] == '-' && at(p, i + 1) == '-') {
            size_t j = i + 2;
            while (is_blank(at(p, j)))
                j++;
            if (at(p, j) == '>')
                return j + 1;
        }
    return 0;
}

// <![CDATA[ text ]]>, which is shown; others of the kind are not.
static size_t marked_section(struct page *p, size_t i)
{
    for (size_t j = i + 3; j < p->size; j++)
        if (p->text[j] == ']') {
            size_t k = j + 1;
            while (is_blank(at(p, k)))
                k++;
            if (at(p, k) != ']')
                continue;
            for (k++; is_blank(at(p, k));)
                k++;
            if (at(p, k) != '>')
                continue;
            if (j >= i + 9 && !strncasecmp(p->text + i + 3, "cdata[", 6))
                show(p, p->text + i + 9, j - i - 9);
            return k + 1;
        }
    return 0;
}

static size_t markup(struct page *p, size_t i)
{
    const char *text = p->text + i;
    size_t left = p->size - i;
    if (left > 1 && is_alpha(text[1]))
        return start_tag(p, i);
    if (left > 1 && text[1] == '/')
        return end_tag(p, i);
    if (left > 3 && !memcmp(text, "<!--", 4))
        return comment(p, i);
    if (left > 2 && !memcmp(text, "<![", 3))
        return marked_section(p, i);
    return find(p, i + 2, '>'); // <? ... > and <! ... >
}

// ---- Character references

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

// "&#" and a number, which needs an end. *stop: the scan ends here.
static size_t number(struct page *p, size_t i, bool *stop)
{
    int64_t code;
    size_t n = dit_html_number(p->text + i + 2, p->size - i - 2, &code), end = i + 2 + n;
    if (n && end < p->size && !is_hex(p->text[end])) {
        if (!p->hiding)
            p->fits = p->fits && dit_html_append_code(p->out, code);
        return end + (p->text[end] == ';');
    }
    *stop = true;
    if (!find(p, i, ';'))
        return i;
    show(p, "&#", 2);
    return i + 2;
}

// "&" and a name, which needs an end, too: at the end of the page one of its own signs serves.
static size_t name(struct page *p, size_t i, bool last, bool *stop)
{
    size_t end = i + 1;
    while (is_alnum(at(p, end)) || at(p, end) == '-' || at(p, end) == '.')
        end++;
    if (end == p->size)
        for (end--; end > i + 1 && is_alnum(p->text[end]);)
            end--;
    if (end == i + 1) {
        *stop = true;
        return last && p->size == i + 2 ? i + 1 : i; // of "&x" at the end Python loses the first sign
    }
    const char *found = dit_html_entity(p->text + i + 1, end - i - 1, NULL);
    show(p, found ? found : p->text + i, found ? strlen(found) : end - i);
    return end + (at(p, end) == ';');
}

// ---- The page

// `last`: nothing more comes, so what is not complete is text.
static void scan(struct page *p, bool last)
{
    bool stop = false;
    while (p->at < p->size && p->fits && !stop) {
        size_t i = p->at, from = i;
        while (i < p->size && p->text[i] != '<' && p->text[i] != '&')
            i++;
        show(p, p->text + from, i - from);
        p->at = i;
        char next = at(p, i + 1);
        if (i + 1 >= p->size)
            break;
        if (p->text[i] == '&' && (next == '#' || is_alpha(next)))
            p->at = next == '#' ? number(p, i, &stop) : name(p, i, last, &stop);
        else if (p->text[i] == '&' || !(is_alpha(next) || next == '/' || next == '!' || next == '?')) {
            show(p, p->text + i, 1);
            p->at = i + 1;
        } else if (!(p->at = markup(p, i))) {
            p->at = i;
            if (!last)
                break;
            size_t end = find(p, i + 1, '>'), other = find(p, i + 1, '<');
            p->at = end ? end : other ? other - 1 : i + 1;
            show(p, p->text + i, p->at - i);
        }
    }
    if (last && p->at < p->size)
        show(p, p->text + p->at, p->size - p->at);
}

bool dit_html_text(const char *text, size_t size, dit_text *out)
{
    struct page p = {.text = text, .size = size, .out = out, .fits = dit_text_append(out, "", 0)};
    scan(&p, false);
    scan(&p, true);
    free(p.tags);
    return p.fits;
}
