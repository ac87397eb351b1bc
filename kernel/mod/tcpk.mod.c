#include <linux/module.h>
#define INCLUDE_VERMAGIC
#include <linux/build-salt.h>
#include <linux/elfnote-lto.h>
#include <linux/export-internal.h>
#include <linux/vermagic.h>
#include <linux/compiler.h>

BUILD_SALT;
BUILD_LTO_INFO;

MODULE_INFO(vermagic, VERMAGIC_STRING);
MODULE_INFO(name, KBUILD_MODNAME);

__visible struct module __this_module
__section(".gnu.linkonce.this_module") = {
	.name = KBUILD_MODNAME,
	.init = init_module,
#ifdef CONFIG_MODULE_UNLOAD
	.exit = cleanup_module,
#endif
	.arch = MODULE_ARCH_INIT,
};

#ifdef CONFIG_RETPOLINE
MODULE_INFO(retpoline, "Y");
#endif


static const struct modversion_info ____versions[]
__used __section("__versions") = {
	{ 0x3f468aa, "skb_free_datagram" },
	{ 0x1f21c833, "__skb_checksum_complete" },
	{ 0x7b7766e9, "__ip_select_ident" },
	{ 0xe64b1ff5, "sock_i_uid" },
	{ 0x88db9f48, "__check_object_size" },
	{ 0x667f9322, "skb_copy_bits" },
	{ 0x42eba64d, "inet_unregister_protosw" },
	{ 0x13c49cc2, "_copy_from_user" },
	{ 0xb17e8b97, "skb_put" },
	{ 0x8d522714, "__rcu_read_lock" },
	{ 0x9830a88e, "consume_skb" },
	{ 0xe7d4daac, "seq_list_next" },
	{ 0xf346231f, "seq_list_start_head" },
	{ 0x9fe62f77, "kernel_bind" },
	{ 0x37a0cba, "kfree" },
	{ 0x829d868, "inet_register_protosw" },
	{ 0x44f0ad9, "get_random_u16" },
	{ 0x518c0de8, "__xfrm_policy_check" },
	{ 0x68afbc90, "ip_route_output_flow" },
	{ 0x84adb057, "nf_ct_hook" },
	{ 0xd2800691, "nf_conntrack_destroy" },
	{ 0x34db050b, "_raw_spin_lock_irqsave" },
	{ 0x8cda8ac9, "proc_create_net_data" },
	{ 0xbdfb6dbb, "__fentry__" },
	{ 0xb8f08b26, "sk_error_report" },
	{ 0x8dec7cef, "register_pernet_subsys" },
	{ 0xf73eef05, "put_cmsg" },
	{ 0x65487097, "__x86_indirect_thunk_rax" },
	{ 0x1e0b8da3, "inet_getname" },
	{ 0x2b87af22, "proto_unregister" },
	{ 0xd8b51504, "datagram_poll" },
	{ 0xa19b956, "__stack_chk_fail" },
	{ 0x296695f, "refcount_warn_saturate" },
	{ 0xa528cc2, "make_kuid" },
	{ 0xb2fd5ceb, "__put_user_4" },
	{ 0x15417c23, "inet_release" },
	{ 0x6383b27c, "__x86_indirect_thunk_rdx" },
	{ 0x9d5e2c3f, "proto_register" },
	{ 0xa107f980, "nf_unregister_net_hook" },
	{ 0x60d66d31, "inet_ioctl" },
	{ 0x891f7a58, "nf_register_net_hook" },
	{ 0x32e02780, "sock_no_shutdown" },
	{ 0xc952877b, "sk_filter_trim_cap" },
	{ 0x68f31cbd, "__list_add_valid" },
	{ 0x7e85353e, "fput" },
	{ 0x51ea119a, "sk_dst_check" },
	{ 0x2469810f, "__rcu_read_unlock" },
	{ 0x997d7f98, "ip6_mtu" },
	{ 0xbd4d4e4e, "kfree_skb_reason" },
	{ 0xb5a41839, "sock_no_accept" },
	{ 0x4dfa8d4b, "mutex_lock" },
	{ 0xded5fc7e, "sock_no_listen" },
	{ 0xcc953ab4, "lock_sock_nested" },
	{ 0xe1537255, "__list_del_entry_valid" },
	{ 0x63831c69, "inet_addr_type" },
	{ 0xa234d693, "security_sk_classify_flow" },
	{ 0x8e7e6fd1, "skb_copy_datagram_iter" },
	{ 0xd35cce70, "_raw_spin_unlock_irqrestore" },
	{ 0x18e85d7a, "unregister_pernet_subsys" },
	{ 0x5959e5cf, "skb_checksum" },
	{ 0x5498e563, "sock_no_socketpair" },
	{ 0x5b8239ca, "__x86_return_thunk" },
	{ 0x6b10bee1, "_copy_to_user" },
	{ 0x5031f830, "sock_no_mmap" },
	{ 0x1d64f0b4, "__pskb_pull_tail" },
	{ 0x4d20cb8e, "sock_queue_err_skb" },
	{ 0x41312803, "sk_common_release" },
	{ 0xfc1e48bd, "sock_rfree" },
	{ 0x572f2b5b, "sock_i_ino" },
	{ 0xc0095dd8, "ipv4_mtu" },
	{ 0x3213f038, "mutex_unlock" },
	{ 0x59f3fd97, "sock_create_kern" },
	{ 0x3b158194, "ipv4_sk_update_pmtu" },
	{ 0x740696c2, "skb_recv_datagram" },
	{ 0x2485439f, "sock_alloc_send_pskb" },
	{ 0x6729d3df, "__get_user_4" },
	{ 0x24b470bc, "remove_proc_entry" },
	{ 0x91f31b42, "seq_printf" },
	{ 0xd36dc10c, "get_random_u32" },
	{ 0x93dfaf26, "skb_clone" },
	{ 0x7cf66625, "dst_release" },
	{ 0x6217e0eb, "_copy_from_iter" },
	{ 0xe02e6ef8, "sock_release" },
	{ 0x6ff5f7fd, "inet_recv_error" },
	{ 0x8ef22deb, "seq_puts" },
	{ 0x3c7b8760, "sock_gettstamp" },
	{ 0xe8e602f1, "skb_copy_datagram_from_iter" },
	{ 0x69be840c, "ip_local_out" },
	{ 0x659b4f30, "from_kuid_munged" },
	{ 0x9f76e404, "kmalloc_trace" },
	{ 0x83471766, "ip_setsockopt" },
	{ 0x60a13e90, "rcu_barrier" },
	{ 0x2d63e4e6, "ip_getsockopt" },
	{ 0x1463c585, "iov_iter_revert" },
	{ 0x1d9ebeba, "sockfd_lookup" },
	{ 0x69c2719f, "__skb_gso_segment" },
	{ 0x49045426, "icmp_err_convert" },
	{ 0xec4361b0, "kmalloc_caches" },
	{ 0x59cbad66, "release_sock" },
	{ 0xa351f379, "module_layout" },
};

MODULE_INFO(depends, "");

