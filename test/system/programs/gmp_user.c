/* SPDX-License-Identifier: Apache-2.0 */
/* A library that is linked with GMP, and perhaps frees what GMP gives it by free(). */
int uses_gmp(void);

int uses_gmp(void)
{
    return 1;
}
