/* Red zones and patterns in the workspace of a debug build (PYCONV_DEBUG); nothing in any other.

   A block begins filled with bytes of ones, which are NaN, −1 and wild offsets, so that a read of
   unset memory changes results. Each part of it is followed by a red zone. AddressSanitizer is
   told to report any access there; without it the zone holds a pattern, which is compared when
   the block is put back. The zones in use stand in one table, whose places are taken by compare
   and exchange: parts are laid out by many threads. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PYCONV_DEBUG
#define WORKSPACE_ZONE 256 /* bytes: whole cache lines, and longer than any vector */
#else
#define WORKSPACE_ZONE 0
#endif

/* GCC says so by a macro, Clang by a feature. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(PYCONV_DEBUG) && defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define WORKSPACE_POISON(at, size) ASAN_POISON_MEMORY_REGION(at, size)
#define WORKSPACE_UNPOISON(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
#else
#define WORKSPACE_POISON(at, size) (void)(at)
#define WORKSPACE_UNPOISON(at, size) (void)(at)
#endif

#ifdef PYCONV_DEBUG
#define WORKSPACE_ZONES 8192
static char *workspace_zones[WORKSPACE_ZONES];
static const unsigned char workspace_pattern = 0xA5;

/* Guard WORKSPACE_ZONE bytes; more zones than the table holds go unwatched. */
static void workspace_guard(char *at) {
    for (int i = 0; i < WORKSPACE_ZONES; i++) {
        char *free_place = NULL;
        if (__atomic_load_n(&workspace_zones[i], __ATOMIC_ACQUIRE)) continue;
        memset(at, workspace_pattern, WORKSPACE_ZONE);
        if (__atomic_compare_exchange_n(&workspace_zones[i], &free_place, at, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            WORKSPACE_POISON(at, WORKSPACE_ZONE);
            return;
        }
    }
}

/* End the process if a red zone of the block was written to; forget its zones. */
static void workspace_check(char *block, size_t size) {
    WORKSPACE_UNPOISON(block, size);
    for (int i = 0; i < WORKSPACE_ZONES; i++) {
        char *at = __atomic_load_n(&workspace_zones[i], __ATOMIC_ACQUIRE);
        if (!at || at < block || at >= block + size) continue;
        for (int k = 0; k < WORKSPACE_ZONE; k++)
            if ((unsigned char)at[k] != workspace_pattern) {
                fprintf(stderr, "pyconv: a red zone was written to, %td bytes into a workspace\n",
                        at + k - block);
                abort();
            }
        __atomic_store_n(&workspace_zones[i], NULL, __ATOMIC_RELEASE);
    }
}

static void workspace_fill(char *block, size_t size) { memset(block, 0xFF, size); }
#else
static inline void workspace_guard(char *at) { (void)at; }
static inline void workspace_check(char *block, size_t size) { (void)block, (void)size; }
static inline void workspace_fill(char *block, size_t size) { (void)block, (void)size; }
#endif
