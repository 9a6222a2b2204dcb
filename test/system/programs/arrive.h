/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of arrive.c that are in arrive_unserved.c. */
#ifndef SYSTEM_TEST_ARRIVE_H
#define SYSTEM_TEST_ARRIVE_H

void arrive_late(void);
void arrive_libressl(void);
void arrive_boringssl(void);
void arrive_boringssl_by_name(void);
void arrive_boringssl_elsewhere(void);
void arrive_boringssl_of_android(void);
void arrive_old(void);
void arrive_old_members(void);

#endif
