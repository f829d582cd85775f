/* SPDX-License-Identifier: MIT */
/* What is in force now, as the configuration that `detour explain --live` looks at. */
#include "cli/explain.h"

#include "cli/admin_client.h"

static const char file_name[] = "export"; /* how problems would call it */

static int load_export(const struct explain_options *options, const struct admin_reply *reply,
                       struct configuration **out)
{
    struct configuration *read = configuration_new(file_name);
    if (read == NULL) {
        return complain("explain", "out of memory");
    }
    read->text = arena_copy(&read->arena, span_of(reply->text, reply->len));
    if (read->text.ptr == NULL) {
        configuration_free(&read);
        return complain("explain", "out of memory");
    }
    /* No more than the model: files that it names are the server's, perhaps elsewhere. */
    read->model = model_load(read->text, options->at_ns, &read->problems);
    problems_sort(&read->problems);
    *out = read;
    return exit_ok;
}

int explain_live_load(const struct explain_options *options, struct configuration **out)
{
    struct admin_where where = {.config = options->path, .token_file = options->token_file};
    struct admin_client *client;
    int status = admin_client_open("explain", &where, false, &client);
    if (status == exit_ok) {
        struct admin_reply reply;
        status = admin_ask(client, &(struct admin_question){.path = "/v1/export"}, &reply);
        if (status == exit_ok) {
            status = load_export(options, &reply, out);
        }
        admin_reply_fini(&reply);
    }
    admin_client_close(&client);
    return status;
}
