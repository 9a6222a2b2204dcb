/* SPDX-License-Identifier: Apache-2.0 */
/* Which libcrypto a caller of ours has, where not all are served (docs/coverage.md). */
#ifndef PRELOAD_CALLERS_H
#define PRELOAD_CALLERS_H

/* At start, if there is a libcrypto and none of them is served: the first is the default. */
void callers_default_to_first(void);

/* With the start lock, once one is not served: notes anew what is linked with which. */
void callers_look(void);

#endif
