-- Names that C and the headers which NAME.h and NAME.c include have for themselves, and those of <errno.h>: what the
-- compiler and glibc say. tests/xdr.sh tries that none is missing. Names that begin with _ are none of a file's either.
local M = {}

local function set(text)
	local words = {}
	for word in text:gmatch "%S+" do words[word] = true end
	return words
end

-- Keywords and macros, which mean the same wherever they stand: no field can have such a name.
M.anywhere = set [[
	alignas alignof asm assert auto bool break case char const continue default do double else enum extern false float for
	goto i386 if inline int linux long noreturn register restrict return short signed sizeof static struct switch true
	typedef typeof union unix unsigned void volatile while
	BIG_ENDIAN BUFSIZ BYTE_ORDER E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EADV EAFNOSUPPORT EAGAIN EALREADY EBADE EBADF
	EBADFD EBADMSG EBADR EBADRQC EBADSLT EBFONT EBUSY ECANCELED ECHILD ECHRNG ECOMM ECONNABORTED ECONNREFUSED ECONNRESET
	EDEADLK EDEADLOCK EDESTADDRREQ EDOM EDOTDOT EDQUOT EEXIST EFAULT EFBIG EHOSTDOWN EHOSTUNREACH EHWPOISON EIDRM EILSEQ
	EINPROGRESS EINTR EINVAL EIO EISCONN EISDIR EISNAM EKEYEXPIRED EKEYREJECTED EKEYREVOKED EL2HLT EL2NSYNC EL3HLT EL3RST
	ELIBACC ELIBBAD ELIBEXEC ELIBMAX ELIBSCN ELNRNG ELOOP EMEDIUMTYPE EMFILE EMLINK EMSGSIZE EMULTIHOP ENAMETOOLONG
	ENAVAIL ENETDOWN ENETRESET ENETUNREACH ENFILE ENOANO ENOBUFS ENOCSI ENODATA ENODEV ENOENT ENOEXEC ENOKEY ENOLCK
	ENOLINK ENOMEDIUM ENOMEM ENOMSG ENONET ENOPKG ENOPROTOOPT ENOSPC ENOSR ENOSTR ENOSYS ENOTBLK ENOTCONN ENOTDIR
	ENOTEMPTY ENOTNAM ENOTRECOVERABLE ENOTSOCK ENOTSUP ENOTTY ENOTUNIQ ENXIO EOF EOPNOTSUPP EOVERFLOW EOWNERDEAD EPERM
	EPFNOSUPPORT EPIPE EPROTO EPROTONOSUPPORT EPROTOTYPE ERANGE EREMCHG EREMOTE EREMOTEIO ERESTART ERFKILL EROFS ESHUTDOWN
	ESOCKTNOSUPPORT ESPIPE ESRCH ESRMNT ESTALE ESTRPIPE ETIME ETIMEDOUT ETOOMANYREFS ETXTBSY EUCLEAN EUNATCH EUSERS
	EWOULDBLOCK EXDEV EXFULL EXIT_FAILURE EXIT_SUCCESS FD_CLR FD_ISSET FD_SET FD_SETSIZE FD_ZERO FILENAME_MAX FOPEN_MAX
	INT16_C INT16_MAX INT16_MIN INT16_WIDTH INT32_C INT32_MAX INT32_MIN INT32_WIDTH INT64_C INT64_MAX INT64_MIN
	INT64_WIDTH INT8_C INT8_MAX INT8_MIN INT8_WIDTH INTMAX_C INTMAX_MAX INTMAX_MIN INTMAX_WIDTH INTPTR_MAX INTPTR_MIN
	INTPTR_WIDTH INT_FAST16_MAX INT_FAST16_MIN INT_FAST16_WIDTH INT_FAST32_MAX INT_FAST32_MIN INT_FAST32_WIDTH
	INT_FAST64_MAX INT_FAST64_MIN INT_FAST64_WIDTH INT_FAST8_MAX INT_FAST8_MIN INT_FAST8_WIDTH INT_LEAST16_MAX
	INT_LEAST16_MIN INT_LEAST16_WIDTH INT_LEAST32_MAX INT_LEAST32_MIN INT_LEAST32_WIDTH INT_LEAST64_MAX INT_LEAST64_MIN
	INT_LEAST64_WIDTH INT_LEAST8_MAX INT_LEAST8_MIN INT_LEAST8_WIDTH LITTLE_ENDIAN L_ctermid L_cuserid L_tmpnam MB_CUR_MAX
	NFDBITS NULL PDP_ENDIAN PTRDIFF_MAX PTRDIFF_MIN PTRDIFF_WIDTH P_tmpdir RAND_MAX RENAME_EXCHANGE RENAME_NOREPLACE
	RENAME_WHITEOUT SEEK_CUR SEEK_DATA SEEK_END SEEK_HOLE SEEK_SET SIG_ATOMIC_MAX SIG_ATOMIC_MIN SIG_ATOMIC_WIDTH SIZE_MAX
	SIZE_WIDTH TMP_MAX UINT16_C UINT16_MAX UINT16_WIDTH UINT32_C UINT32_MAX UINT32_WIDTH UINT64_C UINT64_MAX UINT64_WIDTH
	UINT8_C UINT8_MAX UINT8_WIDTH UINTMAX_C UINTMAX_MAX UINTMAX_WIDTH UINTPTR_MAX UINTPTR_WIDTH UINT_FAST16_MAX
	UINT_FAST16_WIDTH UINT_FAST32_MAX UINT_FAST32_WIDTH UINT_FAST64_MAX UINT_FAST64_WIDTH UINT_FAST8_MAX UINT_FAST8_WIDTH
	UINT_LEAST16_MAX UINT_LEAST16_WIDTH UINT_LEAST32_MAX UINT_LEAST32_WIDTH UINT_LEAST64_MAX UINT_LEAST64_WIDTH
	UINT_LEAST8_MAX UINT_LEAST8_WIDTH WCHAR_MAX WCHAR_MIN WCHAR_WIDTH WCONTINUED WEXITED WEXITSTATUS WIFCONTINUED
	WIFEXITED WIFSIGNALED WIFSTOPPED WINT_MAX WINT_MIN WINT_WIDTH WNOHANG WNOWAIT WSTOPPED WSTOPSIG WTERMSIG WUNTRACED
	alloca be16toh be32toh be64toh errno htobe16 htobe32 htobe64 htole16 htole32 htole64 le16toh le32toh le64toh offsetof
	stderr stdin stdout strdupa strndupa va_arg va_copy va_end va_start
]]

-- Types, functions and tags: no name that stands outside of all braces can be one.
M.outside = set [[
	FILE a64l abort abs aligned_alloc arc4random arc4random_buf arc4random_uniform asprintf at_quick_exit atexit atof atoi
	atol atoll basename bcmp bcopy blkcnt64_t blkcnt_t blksize_t bsearch bzero caddr_t calloc canonicalize_file_name
	clearenv clearerr clearerr_unlocked clock_t clockid_t comparison_fn_t cookie_close_function_t cookie_io_functions_t
	cookie_read_function_t cookie_seek_function_t cookie_write_function_t ctermid cuserid daddr_t dev_t div div_t dprintf
	drand48 drand48_data drand48_r ecvt ecvt_r erand48 erand48_r error_t exit explicit_bzero fclose fcloseall fcvt fcvt_r
	fd_mask fd_set fdopen feof feof_unlocked ferror ferror_unlocked fflush fflush_unlocked ffs ffsl ffsll fgetc
	fgetc_unlocked fgetpos fgetpos64 fgets fgets_unlocked fileno fileno_unlocked flockfile fmemopen fopen fopen64
	fopencookie fpos64_t fpos_t fprintf fputc fputc_unlocked fputs fputs_unlocked fread fread_unlocked free freopen
	freopen64 fsblkcnt64_t fsblkcnt_t fscanf fseek fseeko fseeko64 fsetpos fsetpos64 fsfilcnt64_t fsfilcnt_t fsid_t ftell
	ftello ftello64 ftrylockfile funlockfile fwrite fwrite_unlocked gcvt getc getc_unlocked getchar getchar_unlocked
	getdelim getenv getline getloadavg getpt getsubopt getw gid_t grantpt id_t index initstate initstate_r ino64_t ino_t
	int16_t int32_t int64_t int8_t int_fast16_t int_fast32_t int_fast64_t int_fast8_t int_least16_t int_least32_t
	int_least64_t int_least8_t intmax_t intptr_t jrand48 jrand48_r key_t l64a labs lcong48 lcong48_r ldiv ldiv_t llabs
	lldiv lldiv_t locale_t loff_t lrand48 lrand48_r main malloc max_align_t mblen mbstowcs mbtowc memccpy memchr memcmp
	memcpy memfrob memmem memmove mempcpy memrchr memset mkdtemp mkostemp mkostemp64 mkostemps mkostemps64 mkstemp
	mkstemp64 mkstemps mkstemps64 mktemp mode_t mrand48 mrand48_r nlink_t nrand48 nrand48_r obstack_printf obstack_vprintf
	off64_t off_t on_exit open_memstream pclose perror pid_t popen posix_memalign posix_openpt printf
	program_invocation_name program_invocation_short_name pselect pthread_attr_t pthread_barrier_t pthread_barrierattr_t
	pthread_cond_t pthread_condattr_t pthread_key_t pthread_mutex_t pthread_mutexattr_t pthread_once_t pthread_rwlock_t
	pthread_rwlockattr_t pthread_spinlock_t pthread_t ptrdiff_t ptsname ptsname_r putc putc_unlocked putchar
	putchar_unlocked putenv puts putw qecvt qecvt_r qfcvt qfcvt_r qgcvt qsort qsort_r quad_t quick_exit rand rand_r random
	random_data random_r rawmemchr realloc reallocarray realpath register_t remove rename renameat renameat2 rewind rindex
	rpmatch scanf secure_getenv seed48 seed48_r select setbuf setbuffer setenv setlinebuf setstate setstate_r setvbuf
	sigabbrev_np sigdescr_np sigset_t size_t snprintf sprintf srand srand48 srand48_r srandom srandom_r sscanf ssize_t
	stpcpy stpncpy strcasecmp strcasecmp_l strcasestr strcat strchr strchrnul strcmp strcoll strcoll_l strcpy strcspn
	strdup strerror strerror_l strerror_r strerrordesc_np strerrorname_np strfromd strfromf strfromf128 strfromf32
	strfromf32x strfromf64 strfromf64x strfroml strfry strlen strncasecmp strncasecmp_l strncat strncmp strncpy strndup
	strnlen strpbrk strrchr strsep strsignal strspn strstr strtod strtod_l strtof strtof128 strtof128_l strtof32
	strtof32_l strtof32x strtof32x_l strtof64 strtof64_l strtof64x strtof64x_l strtof_l strtok strtok_r strtol strtol_l
	strtold strtold_l strtoll strtoll_l strtoq strtoul strtoul_l strtoull strtoull_l strtouq strverscmp strxfrm strxfrm_l
	suseconds_t system tempnam time_t timer_t timespec timeval tmpfile tmpfile64 tmpnam tmpnam_r u_char u_int u_int16_t
	u_int32_t u_int64_t u_int8_t u_long u_quad_t u_short uid_t uint uint16_t uint32_t uint64_t uint8_t uint_fast16_t
	uint_fast32_t uint_fast64_t uint_fast8_t uint_least16_t uint_least32_t uint_least64_t uint_least8_t uintmax_t
	uintptr_t ulong ungetc unlockpt unsetenv useconds_t ushort va_list valloc vasprintf vdprintf vfprintf vfscanf vprintf
	vscanf vsnprintf vsprintf vsscanf wchar_t wcstombs wctomb
]]

return M
