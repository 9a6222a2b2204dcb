/* SPDX-License-Identifier: Apache-2.0 */
/* An object that the dynamic linker can preload, in place of the real one. */
int secretssl_test_any_object;
