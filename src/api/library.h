/* SPDX-License-Identifier: Apache-2.0 */
/* The start of libsecretmem. */
#ifndef SM_API_LIBRARY_H
#define SM_API_LIBRARY_H

/* Called by every function that allocates. From the first call on, settings cannot change. */
void sm_library_use(void);

#endif
