/* SPDX-License-Identifier: ISC */
/* The machine's own files: the name servers (resolv.conf(5)) and the addresses known without a
 * query (hosts(5)). Read once. */
#ifndef QASID_DNS_FILES_H
#define QASID_DNS_FILES_H

#include "lib/dns/packet.h"

struct dns_hosts;

/* The only function of this folder that opens a file: tools/link-check knows it by name. -1 with
 * errno set. */
int dns_file_open(const char *path);

/* A file that is missing or unreadable gives an empty table. NULL: no memory. Of a large file the
 * first 256 KB and 4,000 names are used. */
struct dns_hosts *dns_hosts_read(const char *path);
void dns_hosts_free(struct dns_hosts **h);
/* The addresses of a name (as dns_name_check makes it), of one family. */
void dns_hosts_find(const struct dns_hosts *h, const char *name, uint8_t family_octets,
                    struct dns_found *ret);

#endif
