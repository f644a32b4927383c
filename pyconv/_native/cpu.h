/* What the CPU can run, asked of the CPU: compiled for the baseline, safe to call anywhere. */
#pragma once

/* MSVC, and clang-cl, which links no run-time of its own. */
#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#include <immintrin.h>
#ifdef __clang__ /* lets functions that are compiled for an instruction use it, and no others */
#define CPU_XSAVE __attribute__((target("xsave")))
#else
#define CPU_XSAVE
#endif
static int cpu_bit(int leaf, int word, int bit) {
    int r[4];
    __cpuid(r, 0);
    if (r[0] < leaf) return 0;
    __cpuidex(r, leaf, 0);
    return (r[word] >> bit) & 1;
}
/* XCR0: bits 1–2 for 256-bit registers, 5–7 for 512-bit registers and masks. */
static CPU_XSAVE int os_saves(unsigned mask) {
    return cpu_bit(1, 2, 27) && (_xgetbv(0) & mask) == mask;
}
static int cpu_has_avx2(void) { return os_saves(0x6) && cpu_bit(7, 1, 5); }
static int cpu_has_fma(void) { return os_saves(0x6) && cpu_bit(1, 2, 12); }
static int cpu_has_avx512f(void) { return os_saves(0xe6) && cpu_bit(7, 1, 16); }
static int cpu_has_avx512bw(void) { return os_saves(0xe6) && cpu_bit(7, 1, 30); }
static int cpu_has_avx512dq(void) { return os_saves(0xe6) && cpu_bit(7, 1, 17); }
static int cpu_has_avx512vl(void) { return os_saves(0xe6) && cpu_bit(7, 1, 31); }
static void cpu_words(unsigned r[4]) { __cpuid((int *)r, 0); }
#elif defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
/* The compiler's run-time asks CPUID and, for vector state, the operating system (XGETBV). */
#define PYCONV_HAS(feature) (__builtin_cpu_init(), __builtin_cpu_supports(feature) != 0)
static int cpu_has_avx2(void) { return PYCONV_HAS("avx2"); }
static int cpu_has_fma(void) { return PYCONV_HAS("fma"); }
static int cpu_has_avx512f(void) { return PYCONV_HAS("avx512f"); }
static int cpu_has_avx512bw(void) { return PYCONV_HAS("avx512bw"); }
static int cpu_has_avx512dq(void) { return PYCONV_HAS("avx512dq"); }
static int cpu_has_avx512vl(void) { return PYCONV_HAS("avx512vl"); }
static void cpu_words(unsigned r[4]) { __cpuid(0, r[0], r[1], r[2], r[3]); }
#else
static int cpu_has_avx2(void) { return 0; }
static int cpu_has_fma(void) { return 0; }
static int cpu_has_avx512f(void) { return 0; }
static int cpu_has_avx512bw(void) { return 0; }
static int cpu_has_avx512dq(void) { return 0; }
static int cpu_has_avx512vl(void) { return 0; }
static void cpu_words(unsigned r[4]) { r[0] = r[1] = r[2] = r[3] = 0; }
#endif

/* The twelve letters of the vendor, like "AuthenticAMD"; zeros where CPUID is not of this machine. */
static void cpu_vendor(char letters[12]) {
    unsigned r[4];
    cpu_words(r);
    for (int i = 0; i < 4; i++) {
        letters[i] = (char)(r[1] >> 8 * i);
        letters[4 + i] = (char)(r[3] >> 8 * i);
        letters[8 + i] = (char)(r[2] >> 8 * i);
    }
}
