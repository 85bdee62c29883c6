/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-vmm inspect: looks at a state area and writes nothing. The headers come first, since the
 * places of all else follow from what they say; then table, index and sections, then, with
 * --verify, all of memory, of which no more is kept than what is being read.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hw_call.h"
#include "common/hw_cleanup.h"
#include "storage/sto_url.h"
#include "vmm-core/kvm/vmm_memory.h"
#include "vmm-core/run/vmm_area.h"
#include "vmm-core/run/vmm_inspect_priv.h"
#include "vmm-core/run/vmm_restorer.h"
#include "vmm-core/run/vmm_words.h"

#define WAIT_NS UINT64_C(10000000000)

enum { HEADS_BYTES = STO_SAVED_SLOTS * VMM_SAVE_PAGE_BYTES };

struct inspect {
    bool verify;
    const char *socket; /* NULL: it is a file */
    qb_loop_t *loop;
    bool waits; /* the timer is set */
    qb_loop_timer_handle timer;
    uint64_t seen_bytes; /* read when it went off last */
    struct vmm_area *area;
    struct inspect_file file;
    struct vmm_memory memory; /* as large as the guest's, and as good as empty */
    struct vmm_save_range ranges[2];
    uint8_t *part; /* of a file: ours */
    size_t part_bytes;
    struct vmm_save_queue queue;
    struct vmm_save_op ops[STO_SAVED_SLOTS];
    struct iovec iovs[STO_SAVED_SLOTS];
    unsigned answers;
    bool lost[STO_SAVED_SLOTS]; /* could not be read */
    struct vmm_restore *restore;
    struct inspect_report report;
    struct hw_error *error;
};

static int no_memory(struct hw_error *error)
{
    return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
}

/* --- the area --- */

static void changed(void *context, bool up, const char *text)
{
    const struct inspect *inspect = context;

    (void)text;
    if (up)
        qb_loop_stop(inspect->loop);
}

/* Nothing came for so long: nobody is there, or the area is another's now. */
static void waited(void *data)
{
    struct inspect *inspect = data;
    struct vmm_restore_progress progress = { .read_bytes = 0 };

    inspect->waits = false;
    if (inspect->restore != NULL)
        vmm_restore_progress(inspect->restore, &progress);
    if (progress.read_bytes > inspect->seen_bytes) {
        inspect->seen_bytes = progress.read_bytes;
        inspect->waits = qb_loop_timer_add(inspect->loop, QB_LOOP_MED, WAIT_NS, inspect, waited,
                                           &inspect->timer) == 0;
        return;
    }
    (void)hw_error_set(inspect->error, HW_ERROR_TIMED_OUT, ETIMEDOUT, inspect->socket,
                       "does not answer, or serves a VM that runs",
                       "start hawser-lun with --state there, or wait until the VM has ended");
    qb_loop_stop(inspect->loop);
}

/* Run the loop until it is stopped. 0, or -ETIMEDOUT with the error. */
static int run_loop(struct inspect *inspect)
{
    if (inspect->socket != NULL)
        inspect->waits = qb_loop_timer_add(inspect->loop, QB_LOOP_MED, WAIT_NS, inspect, waited,
                                           &inspect->timer) == 0;
    if (inspect->socket != NULL && !inspect->waits)
        return no_memory(inspect->error);
    qb_loop_run(inspect->loop);
    if (inspect->socket == NULL)
        return 0;
    if (!inspect->waits)
        return -ETIMEDOUT;
    (void)qb_loop_timer_del(inspect->loop, inspect->timer);
    return 0;
}

static int open_socket(struct inspect *inspect, const struct vmm_memory *memory, size_t part_bytes)
{
    const struct vmm_area_callbacks callbacks = { changed, inspect };
    int rc = vmm_area_new(inspect->loop, inspect->socket, memory, part_bytes, &callbacks,
                          &inspect->area, inspect->error);

    if (rc == 0)
        rc = run_loop(inspect);
    if (rc < 0)
        return rc;
    vmm_area_queue(inspect->area, &inspect->queue);
    inspect->part = vmm_area_part(inspect->area);
    inspect->report.area_bytes = vmm_area_bytes(inspect->area);
    return 0;
}

static int open_part(struct inspect *inspect, size_t part_bytes)
{
    void *map = mmap(NULL, part_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        return no_memory(inspect->error);
    inspect->part = map;
    inspect->part_bytes = part_bytes;
    inspect_file_queue(&inspect->file, &inspect->queue);
    inspect->report.area_bytes = inspect->file.bytes;
    return 0;
}

/* With the private part, and memory for pages. */
static int open_area(struct inspect *inspect, const struct vmm_memory *memory, size_t part_bytes)
{
    return inspect->socket != NULL ? open_socket(inspect, memory, part_bytes)
                                   : open_part(inspect, part_bytes);
}

static void close_area(struct inspect *inspect)
{
    vmm_area_free(inspect->area);
    inspect->area = NULL;
    if (inspect->socket == NULL && inspect->part != NULL)
        (void)munmap(inspect->part, inspect->part_bytes);
    inspect->part = NULL;
}

/* --- headers --- */

static void head_read(struct vmm_save_op *op, int rc)
{
    struct inspect *inspect = op->context;

    inspect->lost[op - inspect->ops] = rc < 0;
    if (++inspect->answers == STO_SAVED_SLOTS)
        qb_loop_stop(inspect->loop);
}

static int read_heads(struct inspect *inspect)
{
    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++) {
        int rc;

        inspect->iovs[i] =
            (struct iovec) { inspect->part + (size_t)i * VMM_SAVE_PAGE_BYTES, VMM_SAVE_PAGE_BYTES };
        inspect->ops[i] =
            (struct vmm_save_op) { .io = VMM_SAVE_READ,
                                   .offset_bytes = (uint64_t)i * STO_STATE_HEADER_BYTES,
                                   .iov = &inspect->iovs[i],
                                   .iov_count = 1,
                                   .done = head_read,
                                   .context = inspect };
        rc = inspect->queue.submit(inspect->queue.context, &inspect->ops[i]);
        if (rc < 0)
            return hw_error_set(inspect->error, HW_ERROR_FAILED, -rc, "--state", "cannot be read",
                                "");
    }
    if (run_loop(inspect) < 0)
        return -ETIMEDOUT;
    if (inspect->lost[0] && inspect->lost[1])
        return hw_error_set(inspect->error, HW_ERROR_FAILED, EIO, "--state",
                            "cannot be read, or is too small for a state area",
                            "look at its name, and at hawser-lun");
    for (unsigned i = 0; i < STO_SAVED_SLOTS; i++)
        if (inspect->lost[i])
            memset(inspect->part + (size_t)i * VMM_SAVE_PAGE_BYTES, 0xff, STO_SAVED_BYTES);
    sto_saved_judge(inspect->part, inspect->part + VMM_SAVE_PAGE_BYTES, &inspect->report.look);
    return 0;
}

/* --- all else --- */

static bool known(void *context, uint32_t type, uint16_t version)
{
    (void)context;
    (void)type;
    (void)version;
    return true;
}

static int load(void *context, const struct vmm_save_tlv *section)
{
    (void)context;
    (void)section;
    return 0;
}

/* It is right: no need to keep it. */
static void block(void *context, uint64_t number, uint16_t nonzero)
{
    const struct inspect *inspect = context;
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

    (void)nonzero;
    (void)fallocate(inspect->memory.fd, mode, (off_t)(number * VMM_SAVE_BLOCK_BYTES),
                    VMM_SAVE_BLOCK_BYTES);
}

static void ready(void *context)
{
    (void)context;
}

static void ended(void *context, int rc, const struct vmm_restore_fault *fault)
{
    struct inspect *inspect = context;

    if (rc < 0)
        (void)vmm_restorer_words(rc, fault, inspect->error);
    inspect->report.is_read = rc == 0;
    inspect->report.verified = rc == 0 && inspect->verify;
    qb_loop_stop(inspect->loop);
}

static void frozen(void *context, int rc, const struct vmm_restore_fault *fault)
{
    ended(context, rc, fault);
}

static int read_all(struct inspect *inspect)
{
    const struct vmm_restore_guest guest = { known, load, block, ready, ended, frozen, inspect };
    const struct vmm_save_memory memory = { inspect->ranges, inspect->memory.count,
                                            vmm_save_all_data, NULL };
    const struct vmm_restore_options options = {
        .mode = inspect->verify ? VMM_RESTORE_VERIFY : VMM_RESTORE_INSPECT,
        .cpus = inspect->report.look.saved.cpus,
        .area_bytes = inspect->report.area_bytes,
    };
    const struct vmm_restore_fault none = { .part = VMM_RESTORE_PART_NONE };
    int rc = vmm_restore_start(&options, &memory, inspect->part, &inspect->queue, &guest,
                               &inspect->restore);

    if (rc < 0)
        return vmm_restorer_words(rc == -ENOSPC ? -EMSGSIZE : rc, &none, inspect->error);
    rc = run_loop(inspect);
    if (rc < 0)
        return rc;
    inspect->report.sections_bytes =
        vmm_restore_sections(inspect->restore, &inspect->report.sections);
    vmm_restore_progress(inspect->restore, &inspect->report.progress);
    return inspect->report.is_read ? 0 : -EBADMSG;
}

static int make_memory(struct inspect *inspect, const struct sto_saved *saved)
{
    int rc = vmm_memory_new(saved->memory_bytes, &inspect->memory, inspect->error);

    for (unsigned i = 0; rc == 0 && i < inspect->memory.count; i++) {
        const struct vmm_memory_range *range = &inspect->memory.ranges[i];

        inspect->ranges[i] =
            (struct vmm_save_range) { range->address, range->bytes, range->file_offset_bytes };
    }
    return rc;
}

static int look(struct inspect *inspect)
{
    const struct sto_saved *saved = &inspect->report.look.saved;
    uint64_t part_bytes;
    int rc = open_area(inspect, NULL, HEADS_BYTES);

    if (rc == 0)
        rc = read_heads(inspect);
    if (rc < 0 || !inspect->report.look.known || saved->table.length_bytes == 0)
        return rc;
    close_area(inspect);
    part_bytes = vmm_save_needed_bytes(saved->memory_bytes, saved->cpus);
    if (part_bytes == 0)
        return hw_error_set(inspect->error, HW_ERROR_REFUSED, EBADMSG, "saved state",
                            "is of a size that no guest has", "");
    rc = make_memory(inspect, saved);
    if (rc == 0)
        rc = open_area(inspect, &inspect->memory, part_bytes);
    return rc < 0 ? rc : read_all(inspect);
}

/* --- its words --- */

static int open_file(struct inspect *inspect, const char *text)
{
    struct sto_url *url = calloc(1, sizeof(*url));
    struct stat status;
    int rc = url == NULL ? no_memory(inspect->error) : sto_url_parse(text, url, inspect->error);

    if (rc == 0 && url->area != STO_AREA_WHOLE && url->area != STO_AREA_WINDOW)
        rc = hw_error_set(inspect->error, HW_ERROR_USAGE, EINVAL, "--state",
                          "names a part of a LUN", "give ?offset=N, or vhost:SOCKET");
    if (rc == 0) {
        inspect->file.fd = open(url->path, O_RDONLY | O_CLOEXEC);
        if (inspect->file.fd < 0 || fstat(inspect->file.fd, &status) < 0)
            rc = hw_error_setf(inspect->error, HW_ERROR_FAILED, errno, url->path,
                               "check that it is there and may be read", "cannot be read: %s",
                               strerror(errno));
    }
    if (rc == 0) {
        const uint64_t size = (uint64_t)status.st_size;
        const uint64_t left = url->offset_bytes < size ? size - url->offset_bytes : 0;

        inspect->file.offset_bytes = url->offset_bytes;
        inspect->file.bytes =
            url->size_bytes > 0 && url->size_bytes < left ? url->size_bytes : left;
    }
    free(url);
    return rc;
}

static int read_words(const struct hw_call *call, struct inspect *inspect)
{
    static const char scheme[] = "vhost:";
    const char *state = hw_option_value(call, "state", 0);

    inspect->verify = hw_option_given(call, "verify");
    if (state == NULL)
        return hw_error_set(inspect->error, HW_ERROR_USAGE, EINVAL, "--state", "is missing",
                            "give vhost:SOCKET or file:PATH");
    if (strncmp(state, scheme, strlen(scheme)) == 0) {
        inspect->socket = state + strlen(scheme);
        return 0;
    }
    if (strncmp(state, "file:", 5) == 0)
        return open_file(inspect, state);
    return hw_error_set(inspect->error, HW_ERROR_USAGE, EINVAL, "--state",
                        "is neither vhost:SOCKET nor file:PATH", "give one of them");
}

int vmm_verb_inspect(struct hw_call *call)
{
    struct hw_error error = { 0 };
    struct inspect inspect = { .file.fd = -1, .error = &error };
    int rc = read_words(call, &inspect);

    if (rc == 0) {
        inspect.loop = inspect.file.loop = qb_loop_create();
        rc = inspect.loop == NULL ? no_memory(&error) : look(&inspect);
    }
    if (rc == 0 || inspect.report.look.known) {
        if (hw_option_given(call, "json"))
            rc = inspect_print_json(call->out, &inspect.report);
        else
            inspect_print(call->out, &inspect.report);
        if (rc == -ENOMEM)
            (void)no_memory(&error);
    }
    vmm_restore_free(inspect.restore);
    close_area(&inspect);
    vmm_memory_free(&inspect.memory);
    if (inspect.loop != NULL)
        qb_loop_destroy(inspect.loop);
    if (inspect.file.fd >= 0)
        (void)close(inspect.file.fd);
    return error.kind != HW_ERROR_NONE ? hw_fail(call, &error) : 0;
}
