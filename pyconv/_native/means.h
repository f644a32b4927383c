/* Rows of means:  sums[i] += entered[i] − left[i];  y[i] = sums[i] / divisor, rounded half to even.

   A window goes down its column: one row enters it and one leaves, which integers can take away
   again exactly. Sums are of less than 2^24, so that they are exact in float. The product with
   1 / divisor is closer to the quotient than 1, and what it leaves over says how it is rounded. */
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
