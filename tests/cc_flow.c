#include "tests/cc_flow.h"

#include <math.h>
#include <string.h>

void flow_open(struct flow *f, const struct congestion *algorithm, uint32_t segs, uint32_t ssthresh)
{
	memset(f, 0, sizeof *f);
	memset(&f->cc, 0xa5, sizeof f->cc); /* begin sets what it needs */
	f->cc.algorithm = algorithm;
	f->cc.cwnd = segs * MSS;
	f->cc.ssthresh = ssthresh;
	f->cc.mss = MSS;
	algorithm->begin(&f->cc);
	f->ack.now_us = 10 * S;
	f->ack.nxt = f->cc.cwnd;
}

void flow_ack(struct flow *f, uint32_t bytes)
{
	f->ack.acked = bytes;
	f->ack.una += bytes;
	f->cc.algorithm->acked(&f->cc, &f->ack);
	f->ack.nxt = f->ack.una + f->cc.cwnd; /* as much as may be sent was */
}

void flow_round(struct flow *f, uint32_t segs, uint32_t rtt_us)
{
	uint64_t end = f->ack.nxt;

	f->ack.rtt_us = f->ack.srtt_us = rtt_us;
	f->ack.now_us += rtt_us;
	while (f->ack.una < end) {
		uint64_t rest = end - f->ack.una;

		flow_ack(f, (uint32_t)(rest < (uint64_t)segs * MSS ? rest : (uint64_t)segs * MSS));
	}
}

void flow_wait(struct flow *f, uint64_t us)
{
	uint64_t end = f->ack.now_us + us;

	while (f->ack.now_us < end) {
		uint64_t step = end - f->ack.now_us;

		f->ack.now_us += step < f->ack.srtt_us ? step : f->ack.srtt_us;
		flow_ack(f, 0);
	}
}

void flow_reduce(struct flow *f)
{
	f->cc.algorithm->reduce(&f->cc, f->cc.cwnd, f->cc.cwnd);
	f->cc.cwnd = f->cc.ssthresh; /* as recovery.c does */
	f->ack.nxt = f->ack.una + f->cc.cwnd;
}

bool flow_near(double a, double b, double part, double apart)
{
	return fabs(a - b) <= part * fmax(fabs(a), fabs(b)) + apart;
}
