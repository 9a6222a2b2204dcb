/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRELOAD_EXPORTS_DLOPEN_H
#define PRELOAD_EXPORTS_DLOPEN_H

/*
 * Called before dlsym() returns a symbol of the handle. Hooks the libcryptos that a call passed
 * on to the C library may have loaded.
 */
void dlopen_hook_pending(void *handle);

#endif
