-- ONC RPC over TCP (RFC 5531): calls and replies are records, which any server of it understands.
return profile {
	name = "rpc",
	acks = "quick",          -- a call waits for its reply
	framer = "record",
	chain = "copy_sum",      -- messages are in XDR already
	limits = {
		adu = 1 * MiB,       -- no more than that is kept for a peer that announces it
	},
}
