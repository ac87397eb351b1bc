/* Two connected descriptors of TCPU on loopback, and ALF over them. */
#ifndef TESTS_ALF_FDS_H
#define TESTS_ALF_FDS_H

#include "alf/alf.h"

#define FDS_MSS 1400
/* With drivers of their own, which do not wait, and segments of mss bytes at most. */
void fds_connect(int fd[2], int mss);
/* The first one is the initiator. */
void fds_open(const int fd[2], struct alf *end[2], const struct alf_profile *);
void fds_close(const int fd[2], struct alf *end[2]);
/* Calls on it wait from now on. */
void fds_wait(int fd);

#endif
