/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts only. The QEMU options are those of QEMU 7.2 and later; the libvirt elements those of
 * "vhostuser" disks (libvirt 7.1 and later).
 */
#include "config.h"

#include "cli/serve_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sto_own.h"

void cli_serve_print_use(FILE *out, const char *socket)
{
    (void)fprintf(out,
                  "QEMU (its memory must be shared; -m as in size=):\n"
                  "  -m 2G -object memory-backend-memfd,id=hawser-mem,size=2G,share=on \\\n"
                  "  -machine memory-backend=hawser-mem \\\n"
                  "  -chardev socket,id=hawser0,path=%s,reconnect=1 \\\n"
                  "  -device vhost-user-blk-pci,chardev=hawser0\n"
                  "libvirt (in <domain>, and in its <devices>):\n"
                  "  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>\n"
                  "  <disk type='vhostuser' device='disk'>\n"
                  "    <driver name='qemu' type='raw'/>\n"
                  "    <source type='unix' path='%s'>\n"
                  "      <reconnect enabled='yes' timeout='1'/>\n"
                  "    </source>\n"
                  "    <target dev='vda' bus='virtio'/>\n"
                  "  </disk>\n",
                  socket, socket);
    (void)fflush(out);
}

static const char *word(const json_t *event, const char *name)
{
    const char *text = json_string_value(json_object_get(event, name));

    return text != NULL ? text : "";
}

void cli_serve_print_gate(FILE *out, const char *name, const json_t *verdict)
{
    const char *gate = word(verdict, "gate");

    if (strcmp(gate, "open") == 0)
        (void)fprintf(out, "%s: open: requests pass\n", name);
    else if (strcmp(gate, "dead") == 0)
        (void)fprintf(out, "%s: shut for good: %s\n", name, word(verdict, "text"));
    else if (word(verdict, "text")[0] != '\0' &&
             strcmp(word(verdict, "reason"), "starting") != 0) /* not judged yet, or in no time */
        (void)fprintf(out, "%s: requests wait: %s\n", name, word(verdict, "text"));
    (void)fflush(out);
}

void cli_serve_print_owned(FILE *out, const char *name, uint64_t key)
{
    struct sto_key_parts parts = { 0 };
    char text[STO_KEY_TEXT_BYTES];

    (void)sto_key_parse(key, &parts);
    (void)fprintf(out, "%s: owned, generation %u, key %s\n", name, (unsigned)parts.generation,
                  sto_key_text(key, text));
}

static void print_client(FILE *out, const json_t *event, bool came)
{
    const char *why = word(event, "text");

    (void)fprintf(out, "%s: %s%s%s\n", word(event, "socket"),
                  came ? "a QEMU connected" : "a QEMU is gone", why[0] != '\0' ? ": " : "", why);
}

void cli_serve_print_event(FILE *out, const char *name, const json_t *event)
{
    const char *what = word(event, "event"), *detail = word(event, "detail");

    if (strcmp(what, "gate") == 0)
        cli_serve_print_gate(out, name, event);
    else if (strcmp(what, "owned") == 0)
        (void)fprintf(out, "%s: owned, generation %" JSON_INTEGER_FORMAT ", key %s\n", name,
                      json_integer_value(json_object_get(event, "generation")), word(event, "key"));
    else if (strcmp(what, "client") == 0 || strcmp(what, "client-gone") == 0)
        print_client(out, event, what[6] == '\0');
    else if (strcmp(what, "refused") == 0 || strcmp(what, "lost") == 0 ||
             strcmp(what, "held-up") == 0 || strcmp(what, "suspended") == 0)
        (void)fprintf(out, "%s: %s: %s%s%s%s%s\n", name, what, word(event, "text"),
                      word(event, "key")[0] != '\0' ? ": " : "", word(event, "key"),
                      detail[0] != '\0' ? ": " : "", detail);
    (void)fflush(out);
}

static enum sto_own_reason reason_of(const json_t *event)
{
    const char *name = word(event, "reason");

    for (int i = 0; i < (int)STO_OWN_REASON_COUNT; i++)
        if (strcmp(name, sto_own_reason_name((enum sto_own_reason)i)) == 0)
            return (enum sto_own_reason)i;
    return STO_OWN_REASON_NONE;
}

static bool is_anothers(enum sto_own_reason why)
{
    return why == STO_OWN_REASON_STALE || why == STO_OWN_REASON_HELD ||
           why == STO_OWN_REASON_UNEXPECTED || why == STO_OWN_REASON_CONFLICTED ||
           why == STO_OWN_REASON_FOREIGN_KEY || why == STO_OWN_REASON_FOREIGN_RECORD;
}

static void taken_over(const char *name, enum sto_own_reason why, const json_t *event,
                       struct hw_error *error)
{
    const char *key = word(event, "key");
    const json_int_t generation = json_integer_value(json_object_get(event, "generation"));
    char by[80] = "";

    if (key[0] != '\0')
        (void)snprintf(by, sizeof(by), " by %s", key);
    else if (why == STO_OWN_REASON_STALE || why == STO_OWN_REASON_HELD) /* the record's */
        (void)snprintf(by, sizeof(by), " by generation %" JSON_INTEGER_FORMAT, generation);
    (void)hw_error_setf(error, HW_ERROR_REFUSED, EBADE, name,
                        "stop its QEMU here; see its owner with 'hawser lun show'",
                        "was taken over%s: %s", by, sto_own_reason_text(why));
}

void cli_serve_refusal(const char *name, const json_t *event, bool had, struct hw_error *error)
{
    const enum sto_own_reason why = reason_of(event);

    struct hw_error plain = { 0 };

    if (had && is_anothers(why)) {
        taken_over(name, why, event, error);
        return;
    }
    (void)sto_own_reason_error(name, why, strtoull(word(event, "key"), NULL, 16),
                               word(event, "detail"), &plain);
    (void)hw_error_set(error, plain.kind, plain.code, name, plain.reason,
                       why == STO_OWN_REASON_HELD
                           ? "--takeover takes it away, if it was handed over to this node, or you "
                             "are sure that its VM does not run"
                           : plain.remedy);
}

bool cli_serve_may_pass(int status)
{
    return status == HW_ERROR_FAILED || status == HW_ERROR_TIMED_OUT;
}
