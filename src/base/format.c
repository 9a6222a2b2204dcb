/* SPDX-License-Identifier: Apache-2.0 */
#include "base/format.h"
#include <stdint.h>

struct sink {
    char *out;
    size_t size, length;
};

static void format_put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->out[s->length++] = c;
}

static void put_string(struct sink *s, const char *text)
{
    for (text = text ? text : "(null)"; *text; text++)
        format_put(s, (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void put_number(struct sink *s, uint64_t value, unsigned base)
{
    char digits[20];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (n)
        format_put(s, digits[--n]);
}

static void put_signed(struct sink *s, long value)
{
    if (value < 0)
        format_put(s, '-');
    put_number(s, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

size_t sm_vformat(char *out, size_t size, const char *format, va_list args)
{
    struct sink s = {out, size, 0};

    for (; *format; format++) {
        if (*format != '%') {
            format_put(&s, *format);
            continue;
        }
        switch (*++format) {
        case 's':
            put_string(&s, va_arg(args, const char *));
            break;
        case 'd':
            put_signed(&s, va_arg(args, int));
            break;
        case 'z': /* zu, zx */
            put_number(&s, va_arg(args, size_t), *++format == 'x' ? 16 : 10);
            break;
        case 'l': /* lx */
            format++;
            put_number(&s, va_arg(args, unsigned long), 16);
            break;
        case 'p':
            put_string(&s, "0x");
            put_number(&s, (uintptr_t)va_arg(args, void *), 16);
            break;
        case '\0':
            format--;
            break;
        default:
            format_put(&s, *format);
            break;
        }
    }
    if (size)
        out[s.length] = '\0';
    return s.length;
}

size_t sm_format(char *out, size_t size, const char *format, ...)
{
    va_list args;
    size_t length;

    va_start(args, format);
    length = sm_vformat(out, size, format, args);
    va_end(args);
    return length;
}
