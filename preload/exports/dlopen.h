/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_EXPORTS_DLOPEN_H
#define PRELOAD_EXPORTS_DLOPEN_H

/* Before a symbol is handed out: hooks what may have come with a call that was passed on. */
void dlopen_hook_pending(void);

#endif
