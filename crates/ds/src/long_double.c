/* Arithmetic on C `long double`, for INCRBYFLOAT and HINCRBYFLOAT.
 *
 * Values cross the border as 16 opaque bytes, copied in and out, so that the caller needs neither
 * the type's size nor its alignment. Every text conversion runs in the "C" locale of the calling
 * thread only, so that a host program's setlocale() cannot turn the decimal point into a comma. */
#define _GNU_SOURCE
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

_Static_assert(sizeof(long double) <= 16, "the border format holds 16 bytes");

enum { TEXT_LIMIT = 5 * 1024 };

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

/* A failure leaves 0, with which uselocale() changes nothing. */
static void make_c_locale(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static locale_t enter_c_locale(void) {
    pthread_once(&c_locale_once, make_c_locale);
    return uselocale(c_locale);
}

static long double load(const unsigned char *from) {
    long double value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* x87 values carry padding; zeroing it keeps the sixteen bytes initialised. */
static void store(unsigned char *to, long double value) {
    memset(to, 0, 16);
    memcpy(to, &value, sizeof value);
}

/* Returns 1 and stores the number if all of `text` is one, else 0. */
int ochre_long_double_parse(const char *text, size_t length, unsigned char *out) {
    char copy[TEXT_LIMIT];
    if (length == 0 || length >= sizeof copy) return 0;
    unsigned char first = (unsigned char)text[0];
    if (first == ' ' || (first >= '\t' && first <= '\r')) return 0;
    memcpy(copy, text, length);
    copy[length] = '\0';

    locale_t before = enter_c_locale();
    char *end = copy;
    errno = 0;
    long double value = strtold(copy, &end);
    int failure = errno;
    uselocale(before);

    if ((size_t)(end - copy) != length || isnan(value) || failure == EINVAL) return 0;
    if (failure == ERANGE && (isinf(value) || value == 0)) return 0;
    store(out, value);
    return 1;
}

void ochre_long_double_from_i64(int64_t value, unsigned char *out) {
    store(out, (long double)value);
}

void ochre_long_double_add(const unsigned char *a, const unsigned char *b, unsigned char *out) {
    store(out, load(a) + load(b));
}

void ochre_long_double_subtract(const unsigned char *a, const unsigned char *b, unsigned char *out) {
    store(out, load(a) - load(b));
}

int ochre_long_double_is_less(const unsigned char *a, const unsigned char *b) {
    return load(a) < load(b) ? 1 : 0;
}

/* Stores the product rounded up to a whole number; returns -1 or 1 if it is below or above what `out` can hold, else 0. */
int ochre_long_double_times_up(const unsigned char *value, int64_t factor, int64_t *out) {
    long double product = ceill(load(value) * (long double)factor);
    if (product < -0x1p63L) return -1;
    if (!(product < 0x1p63L)) return 1;
    *out = (int64_t)product;
    return 0;
}

void ochre_long_double_largest(unsigned char *out) { store(out, LDBL_MAX); }

int ochre_long_double_is_finite(const unsigned char *value) {
    return isfinite(load(value)) ? 1 : 0;
}

/* Prints with 17 decimals; returns the length without the final NUL, or -1 if it does not fit. */
int ochre_long_double_print(const unsigned char *value, char *out, size_t capacity) {
    locale_t before = enter_c_locale();
    int length = snprintf(out, capacity, "%.17Lf", load(value));
    uselocale(before);
    return length < 0 || (size_t)length >= capacity ? -1 : length;
}
