/* RESTRICT: what is reached through this pointer is reached through no other. */
#pragma once
#if defined(_MSC_VER) && !defined(__clang__)
#define RESTRICT __restrict
#else
#define RESTRICT restrict
#endif
