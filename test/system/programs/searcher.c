/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library that opens others on its own behalf: where it looks is written in itself. The
 * answers are kept, so that no tail call makes its caller the one who asks.
 */
#include <dlfcn.h>

static void *volatile answer;

void *search_and_open(const char *name, int mode);
void *search_in_new_space(const char *name, int mode);

void *search_and_open(const char *name, int mode)
{
    answer = dlopen(name, mode);
    return answer;
}

void *search_in_new_space(const char *name, int mode)
{
    answer = dlmopen(LM_ID_NEWLM, name, mode);
    return answer;
}
