/* The program's procedures. What is kept is everybody's, and bounded. */
#include "adu-examples/rpc/rpc.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1024
#define BYTES_MAX ((size_t)64 << 20)

static struct {
	pthread_mutex_t lock;
	store_entry at[ENTRIES_MAX];
	unsigned count;
	size_t bytes;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t size(const store_entry *e)
{
	return (size_t)e->key.len + e->value.len;
}

/* NULL: there is none. */
static store_entry *find(const store_key *key)
{
	for (unsigned i = 0; i < all.count; i++)
		if (all.at[i].key.len == key->len && !memcmp(all.at[i].key.val, key->val, key->len))
			return &all.at[i];
	return NULL;
}

static void drop(store_entry *e)
{
	all.bytes -= size(e);
	store_entry_free(e);
	*e = all.at[--all.count];
}

/* It is the store's from then on, if there is room. */
static store_status keep(const store_entry *new)
{
	store_entry *old = find(&new->key);
	size_t rest = all.bytes - (old ? size(old) : 0);

	if ((!old && all.count == ENTRIES_MAX) || size(new) > BYTES_MAX - rest)
		return STORE_FULL;
	if (old)
		drop(old);
	all.at[all.count++] = *new;
	all.bytes += size(new);
	return STORE_OK;
}

static enum accept_stat result(int e)
{
	return e ? SYSTEM_ERR : SUCCESS;
}

static enum accept_stat put(const store_entry *entry, struct ilp_xdr_out *out, bool *kept)
{
	store_status s = keep(entry);

	*kept = s == STORE_OK;
	return result(store_status_encode(&s, out));
}

static enum accept_stat get(const store_key *key, struct ilp_xdr_out *out)
{
	const store_entry *e = find(key);
	const store_found found = { .status = e ? STORE_OK : STORE_ABSENT, .u.value = e ? e->value : (store_value){ 0 } };

	return result(store_found_encode(&found, out));
}

static enum accept_stat take_away(const store_key *key, struct ilp_xdr_out *out)
{
	store_entry *e = find(key);
	store_status s = e ? STORE_OK : STORE_ABSENT;

	if (e)
		drop(e);
	return result(store_status_encode(&s, out));
}

static enum accept_stat list(struct ilp_xdr_out *out)
{
	static store_name names[ENTRIES_MAX]; /* under the lock */
	store_name *first = all.count ? names : NULL;

	for (unsigned i = 0; i < all.count; i++)
		names[i] = (store_name){ .key = all.at[i].key, .next = i + 1 < all.count ? &names[i + 1] : NULL };
	return result(store_names_encode(&first, out));
}

/* What -ENOMEM says is no fault of the caller's. */
static enum accept_stat not_decoded(int e)
{
	return e == -ENOMEM ? SYSTEM_ERR : GARBAGE_ARGS;
}

static enum accept_stat with_entry(struct ilp_xdr_in *in, struct ilp_xdr_out *out)
{
	enum accept_stat stat = GARBAGE_ARGS;
	store_entry entry;
	bool kept = false;
	int e = store_entry_decode(&entry, in);

	if (e)
		return not_decoded(e);
	if (in->at == in->end)
		stat = put(&entry, out, &kept);
	if (!kept)
		store_entry_free(&entry);
	return stat;
}

static enum accept_stat with_key(uint32_t proc, struct ilp_xdr_in *in, struct ilp_xdr_out *out)
{
	enum accept_stat stat = GARBAGE_ARGS;
	store_key key;
	int e = store_key_decode(&key, in);

	if (e)
		return not_decoded(e);
	if (in->at == in->end)
		stat = proc == STORE_GET ? get(&key, out) : take_away(&key, out);
	store_key_free(&key);
	return stat;
}

static enum accept_stat procedure(uint32_t proc, struct ilp_xdr_in *in, struct ilp_xdr_out *out)
{
	enum accept_stat stat;

	pthread_mutex_lock(&all.lock);
	if (proc == STORE_PUT)
		stat = with_entry(in, out);
	else if (proc == STORE_GET || proc == STORE_REMOVE)
		stat = with_key(proc, in, out);
	else if (proc != STORE_NULL && proc != STORE_LIST)
		stat = PROC_UNAVAIL;
	else if (in->at != in->end)
		stat = GARBAGE_ARGS;
	else
		stat = proc == STORE_LIST ? list(out) : SUCCESS;
	pthread_mutex_unlock(&all.lock);
	return stat;
}

const struct program store = { .number = STORE, .low = STORE_1, .high = STORE_1, .procedure = procedure };
