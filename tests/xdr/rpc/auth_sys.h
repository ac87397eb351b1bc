/* What nfs42.x includes, and Debian's libtirpc has under another name. */
#ifndef TESTS_XDR_RPC_AUTH_SYS_H
#define TESTS_XDR_RPC_AUTH_SYS_H

#include <rpc/auth.h>
#include <rpc/auth_unix.h>
#define authsys_parms authunix_parms
#define xdr_authsys_parms xdr_authunix_parms

#endif
