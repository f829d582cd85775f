/* SPDX-License-Identifier: MIT */
/* Any bytes are a line of an agent, which is the same when it comes again, or change nothing. */
#include "health/agent.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct agent *a, const struct agent *b)
{
    return a->down == b->down && a->wanted == b->wanted && a->weight_ppm == b->weight_ppm;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent agent = agent_silent();
    const struct agent before = agent;
    struct span line = span_of(data, size);
    struct span remark = {0};
    enum err err = agent_hear(&agent, line, &remark);
    assert(agent.weight_ppm <= server_weight_ppm_full && agent.wanted != SERVER_DOWN);
    if (err != ERR_NONE) {
        assert(err == ERR_SYNTAX && same(&agent, &before) && remark.ptr == NULL);
        return 0;
    }
    assert(remark.len == 0 || (remark.ptr >= data && remark.ptr + remark.len <= data + size));
    assert(remark.len <= agent_remark_bytes_max);
    struct agent again = agent;
    assert(agent_hear(&again, line, &remark) == ERR_NONE && same(&again, &agent));
    struct agent kept = agent_from_word(server_live_word(agent_state(&agent), agent.weight_ppm));
    assert(agent_state(&kept) == agent_state(&agent) && kept.weight_ppm == agent.weight_ppm);
    return 0;
}
