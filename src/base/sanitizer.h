/* SPDX-License-Identifier: MIT */
/* Whether a sanitizer watches this build; the compilers say it in different ways. Each is 0
 * or 1. */
#pragma once

#if defined(__has_feature)
#define SANITIZER_FEATURE(name) __has_feature(name)
#else
#define SANITIZER_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZER_FEATURE(address_sanitizer)
#define ADDRESS_SANITIZED 1
#else
#define ADDRESS_SANITIZED 0
#endif

/* By that one, or by the one for threads. */
#if ADDRESS_SANITIZED || defined(__SANITIZE_THREAD__) || SANITIZER_FEATURE(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
