/* SPDX-License-Identifier: Apache-2.0 */
/* What the libraries of searcher.c look for. */
int deep(void);

#ifdef DEEP_UNDEFINED
int defined_nowhere(void);
#define ANSWER defined_nowhere()
#else
#define ANSWER 1
#endif

int deep(void)
{
    return ANSWER;
}
