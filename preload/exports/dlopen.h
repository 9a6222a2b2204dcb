/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_DLOPEN_H
#define PRELOAD_DLOPEN_H

/* Before a symbol is handed out: hooks what may have come with a call that was passed on. */
void dlopen_settle(void);

#endif
