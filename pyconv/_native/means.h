/* Rows of means:  sums[i] += entered[i] − left[i];  y[i] = sums[i] / divisor, rounded half to even.

   A window goes down its column: one row enters it and one leaves, which integers can take away
   again exactly. Sums are of less than 2^24, so that they are exact in float. The product with
   1 / divisor is closer to the quotient than 1, and what it leaves over says how it is rounded.

   Sums of few samples are of 16 bits. From their least value, ⌊divisor / 2⌋ more, the quotient is
   rounded half up, and is the upper half of a product: t · m / 2^(16 + shift) with
   m = ⌈2^(16 + shift) / divisor⌉, which is too large by less than 1 / divisor where t · (m · divisor
   − 2^(16 + shift)) < 2^(16 + shift) (Granlund and Montgomery 1994). */
#pragma once
#include "restrict.h"
#include "rows.h"

/* A whole number close to sum / divisor becomes the quotient, rounded. */
static inline int32_t mean_of(int32_t sum, int32_t divisor, float inverse) {
    int32_t y = (int32_t)rounded_float((float)sum * inverse);
    const int32_t twice = 2 * (sum - y * divisor), odd = y & 1;
    y += (twice > divisor) | ((twice == divisor) & odd);
    y -= (twice < -divisor) | ((twice == -divisor) & odd);
    return y;
}

/* Quotients by an odd number are never halfway between two whole ones, but 1 / (2 divisor) away or
   more. Those of up to 2^8 are less than 2^-14 from the product in float: with smaller divisors
   than this nothing is left to decide. */
#define MEAN_CLEAR 8192

/* y is NULL where no window is whole yet. */
static void mean_row(const int16_t *RESTRICT entered, const int16_t *RESTRICT left, ptrdiff_t n,
                     int32_t divisor, int32_t *RESTRICT sums, int16_t *RESTRICT y) {
    const float inverse = 1.0f / (float)divisor;
    if (y == NULL) {
        for (ptrdiff_t i = 0; i < n; i++) sums[i] += entered[i] - left[i];
        return;
    }
    if (divisor % 2 && divisor < MEAN_CLEAR) {
        for (ptrdiff_t i = 0; i < n; i++) {
            const int32_t sum = sums[i] + (entered[i] - left[i]);
            sums[i] = sum;
            y[i] = (int16_t)rounded_float((float)sum * inverse);
        }
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        const int32_t sum = sums[i] + (entered[i] - left[i]);
        sums[i] = sum;
        y[i] = (int16_t)mean_of(sum, divisor, inverse);
    }
}

/* How sums of 16 bits are divided. */
typedef struct {
    uint16_t least, multiplier, divisor, scale;
    int16_t offset;
} ShortMean;

/* Whether sums of so many samples of low … high are of 16 bits and divided so; and how. */
static int short_mean(ShortMean *m, int32_t low, int32_t high, int32_t divisor) {
    const int64_t half = divisor / 2, largest = (int64_t)(high - low) * divisor + half;
    if (divisor < 2 || largest > UINT16_MAX) return 0;
    for (int shift = 0; shift < 16; shift++) {
        const int64_t whole = (int64_t)1 << (16 + shift);
        const int64_t multiplier = (whole + divisor - 1) / divisor;
        if (multiplier > UINT16_MAX) return 0;
        if (largest * (multiplier * divisor - whole) >= whole) continue;
        m->least = (uint16_t)(half - (int64_t)low * divisor);
        m->multiplier = (uint16_t)multiplier;
        m->divisor = (uint16_t)divisor;
        m->scale = (uint16_t)(1 << (16 - shift)); /* 0 for a shift of 0 */
        m->offset = (int16_t)low;
        return 1;
    }
    return 0;
}

/* The upper half of a product, which is one instruction. */
static inline uint16_t upper_half(uint16_t a, uint16_t b) {
    return (uint16_t)(((uint32_t)a * b) >> 16);
}

static inline void mean_row_of(const int16_t *RESTRICT entered, const int16_t *RESTRICT left,
                               ptrdiff_t n, const ShortMean *m, int is_shifted, int has_ties,
                               uint16_t *RESTRICT sums, int16_t *RESTRICT y) {
    const uint16_t multiplier = m->multiplier, divisor = m->divisor, scale = m->scale;
    const uint16_t offset = (uint16_t)m->offset;
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint16_t sum = (uint16_t)(sums[i] + (entered[i] - left[i]));
        uint16_t quotient = upper_half(sum, multiplier);
        if (is_shifted) quotient = upper_half(quotient, scale);
        const uint16_t up = (uint16_t)(quotient * divisor) == sum; /* from halfway */
        quotient = (uint16_t)(quotient + offset);
        if (has_ties) quotient = (uint16_t)(quotient - (up & quotient & 1));
        sums[i] = sum;
        y[i] = (int16_t)quotient;
    }
}

/* `mean_row` in sums of 16 bits, which begin as m->least. */
static void mean_row_short(const int16_t *RESTRICT entered, const int16_t *RESTRICT left, ptrdiff_t n,
                           const ShortMean *m, uint16_t *RESTRICT sums, int16_t *RESTRICT y) {
    if (y == NULL)
        for (ptrdiff_t i = 0; i < n; i++) sums[i] = (uint16_t)(sums[i] + (entered[i] - left[i]));
    else if (m->divisor % 2 && m->scale == 0)
        mean_row_of(entered, left, n, m, 0, 0, sums, y);
    else if (m->divisor % 2)
        mean_row_of(entered, left, n, m, 1, 0, sums, y);
    else if (m->scale == 0)
        mean_row_of(entered, left, n, m, 0, 1, sums, y);
    else
        mean_row_of(entered, left, n, m, 1, 1, sums, y);
}
