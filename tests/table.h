/* Tables of what comes out in virtual time, kept in files: a test compares, and a run with `refresh` writes anew. */
#ifndef TESTS_TABLE_H
#define TESTS_TABLE_H

#include <stdio.h>

/* A test program's main(): its suite's name, the table's file, what makes it anew, what writes it. */
int table_main(const char *name, const char *file, const char *make, void (*write)(FILE *), int argc, char **argv);

#endif
