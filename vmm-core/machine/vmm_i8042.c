/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller and its keyboard share one queue of bytes to be read. A byte written to the data
 * port belongs to the controller's command that waits for one, else to the keyboard.
 */
#include "config.h"

#include "vmm-core/machine/vmm_i8042.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"

enum { DATA_PORT = 0x60, COMMAND_PORT = 0x64, QUEUE_BYTES = 16, RAM_BYTES = 32 };
enum { STATUS_OUTPUT = 1, STATUS_SYSTEM = 4, STATUS_COMMAND = 8, STATUS_UNLOCKED = 16 };
/* the command byte: RAM byte 0 */
enum { CCB_IRQ = 1, CCB_SYSTEM = 4, CCB_KEYBOARD_OFF = 16, CCB_AUX_OFF = 32, CCB_TRANSLATE = 64 };
/* the output port: bit 0 is the processor's reset line, active low; bit 1 is A20 */
enum { OUT_NO_RESET = 1, OUT_A20 = 2, OUT_FULL = 16, OUT_AT_RESET = 0xcf };

enum controller_command {
    READ_RAM = 0x20,
    WRITE_RAM = 0x60,
    AUX_OFF = 0xa7,
    AUX_ON = 0xa8,
    TEST_AUX = 0xa9,
    SELF_TEST = 0xaa,
    TEST_KEYBOARD = 0xab,
    KEYBOARD_OFF = 0xad,
    KEYBOARD_ON = 0xae,
    READ_INPUT_PORT = 0xc0,
    READ_OUTPUT_PORT = 0xd0,
    WRITE_OUTPUT_PORT = 0xd1,
    WRITE_KEYBOARD_BUFFER = 0xd2,
    WRITE_AUX_BUFFER = 0xd3,
    WRITE_AUX = 0xd4,
    PULSE = 0xf0, /* to 0xff: low bits that are 0 pull their lines */
};
enum { SELF_TEST_GOOD = 0x55, TEST_GOOD = 0, TEST_NO_DEVICE = 1, INPUT_UNLOCKED = 0x80 };

enum keyboard_command {
    SET_LEDS = 0xed,
    ECHO = 0xee,
    SET_SCAN_CODES = 0xf0,
    IDENTIFY = 0xf2,
    SET_RATE = 0xf3,
    ENABLE = 0xf4,
    DISABLE = 0xf5,
    SET_DEFAULTS = 0xf6,
    RESEND = 0xfe,
    RESET = 0xff,
};
enum { ACK = 0xfa, NAK = 0xfe, RESET_GOOD = 0xaa, ID_FIRST = 0xab, ID_SECOND = 0x83 };
enum { ID_SECOND_TRANSLATED = 0x41, SCAN_CODES_AT_RESET = 2, SCAN_CODES_MAX = 3 };

struct i8042 {
    struct vmm_bus *bus;
    struct vmm_line line;
    bool line_is_high; /* follows from what is below */
    void (*reset)(void *context);
    void *context;
    uint8_t ram[RAM_BYTES];
    uint8_t output_port;
    uint8_t command;          /* of the controller, waits for its byte; 0: none */
    uint8_t keyboard_command; /* likewise */
    uint8_t scan_codes, last;
    bool was_command; /* the last write was to the command port */
    uint8_t count;
    uint8_t queue[QUEUE_BYTES];
};

static void update(struct i8042 *i8042)
{
    vmm_line_change(&i8042->line, &i8042->line_is_high,
                    i8042->count > 0 && (i8042->ram[0] & CCB_IRQ) != 0);
}

static void put(struct i8042 *i8042, uint8_t byte)
{
    if (i8042->count < QUEUE_BYTES) /* else the guest does not read */
        i8042->queue[i8042->count++] = byte;
}

static uint8_t read_data(struct i8042 *i8042)
{
    if (i8042->count > 0) {
        i8042->last = i8042->queue[0];
        i8042->count--;
        memmove(i8042->queue, i8042->queue + 1, i8042->count);
    }
    return i8042->last;
}

static uint8_t read_status(const struct i8042 *i8042)
{
    return (uint8_t)(STATUS_UNLOCKED | (i8042->count > 0 ? STATUS_OUTPUT : 0) |
                     (i8042->ram[0] & CCB_SYSTEM) | (i8042->was_command ? STATUS_COMMAND : 0));
}

static void drive_output_port(struct i8042 *i8042, uint8_t value)
{
    i8042->output_port = value;
    if ((value & OUT_NO_RESET) == 0)
        i8042->reset(i8042->context);
}

/* --- the keyboard --- */

static void keyboard_argument(struct i8042 *i8042, uint8_t command, uint8_t byte)
{
    if (command == SET_SCAN_CODES && byte > SCAN_CODES_MAX) {
        put(i8042, NAK);
        return;
    }
    put(i8042, ACK);
    if (command == SET_SCAN_CODES && byte == 0)
        put(i8042, i8042->scan_codes);
    else if (command == SET_SCAN_CODES)
        i8042->scan_codes = byte;
}

static void keyboard(struct i8042 *i8042, uint8_t byte)
{
    const uint8_t command = i8042->keyboard_command;

    i8042->ram[0] &= (uint8_t)~CCB_KEYBOARD_OFF; /* whoever writes to it switches it on */
    i8042->keyboard_command = 0;
    if (command != 0 && byte < SET_LEDS) {
        keyboard_argument(i8042, command, byte);
        return;
    }
    switch (byte) {
    case ECHO:
        put(i8042, ECHO);
        return;
    case RESEND:
        put(i8042, i8042->last);
        return;
    case SET_LEDS:
    case SET_SCAN_CODES:
    case SET_RATE:
        i8042->keyboard_command = byte;
        break;
    case IDENTIFY:
        put(i8042, ACK);
        put(i8042, ID_FIRST);
        put(i8042, (i8042->ram[0] & CCB_TRANSLATE) != 0 ? ID_SECOND_TRANSLATED : ID_SECOND);
        return;
    case ENABLE:
    case DISABLE:
        break;
    case SET_DEFAULTS:
        i8042->scan_codes = SCAN_CODES_AT_RESET;
        break;
    case RESET:
        i8042->scan_codes = SCAN_CODES_AT_RESET;
        i8042->count = 0;
        put(i8042, ACK);
        put(i8042, RESET_GOOD);
        return;
    default:
        put(i8042, NAK);
        return;
    }
    put(i8042, ACK);
}

/* --- the controller --- */

static void write_data(struct i8042 *i8042, uint8_t byte)
{
    const uint8_t command = i8042->command;

    i8042->command = 0;
    if (command >= WRITE_RAM && command < WRITE_RAM + RAM_BYTES)
        i8042->ram[command - WRITE_RAM] = byte;
    else if (command == WRITE_OUTPUT_PORT)
        drive_output_port(i8042, byte);
    else if (command == WRITE_KEYBOARD_BUFFER || command == WRITE_AUX_BUFFER)
        put(i8042, byte); /* of the auxiliary buffer too: no device, so not marked as its */
    else if (command == 0)
        keyboard(i8042, byte); /* WRITE_AUX: nobody hears it */
}

static void self_test(struct i8042 *i8042)
{
    i8042->ram[0] |= CCB_SYSTEM;
    i8042->count = 0;
    put(i8042, SELF_TEST_GOOD);
}

static void write_command(struct i8042 *i8042, uint8_t command)
{
    i8042->command = 0;
    if (command >= READ_RAM && command < READ_RAM + RAM_BYTES) {
        put(i8042, i8042->ram[command - READ_RAM]);
        return;
    }
    if ((command >= WRITE_RAM && command < WRITE_RAM + RAM_BYTES) ||
        (command >= WRITE_OUTPUT_PORT && command <= WRITE_AUX)) {
        i8042->command = command;
        return;
    }
    if (command >= PULSE) {
        if ((command & OUT_NO_RESET) == 0)
            i8042->reset(i8042->context);
        return;
    }
    switch (command) {
    case AUX_OFF:
        i8042->ram[0] |= CCB_AUX_OFF;
        break;
    case AUX_ON:
        i8042->ram[0] &= (uint8_t)~CCB_AUX_OFF;
        break;
    case TEST_AUX:
        put(i8042, TEST_NO_DEVICE);
        break;
    case SELF_TEST:
        self_test(i8042);
        break;
    case TEST_KEYBOARD:
        put(i8042, TEST_GOOD);
        break;
    case KEYBOARD_OFF:
        i8042->ram[0] |= CCB_KEYBOARD_OFF;
        break;
    case KEYBOARD_ON:
        i8042->ram[0] &= (uint8_t)~CCB_KEYBOARD_OFF;
        break;
    case READ_INPUT_PORT:
        put(i8042, INPUT_UNLOCKED);
        break;
    case READ_OUTPUT_PORT:
        put(i8042, (uint8_t)(i8042->output_port | (i8042->count > 0 ? OUT_FULL : 0)));
        break;
    default: /* not known: no answer */
        break;
    }
}

static uint64_t data_read(void *dev, uint64_t offset, unsigned bytes)
{
    const uint8_t byte = read_data(dev);

    (void)offset;
    (void)bytes;
    update(dev);
    return byte;
}

static void data_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct i8042 *i8042 = dev;

    (void)offset;
    (void)bytes;
    i8042->was_command = false;
    write_data(i8042, (uint8_t)value);
    update(i8042);
}

static uint64_t status_read(void *dev, uint64_t offset, unsigned bytes)
{
    (void)offset;
    (void)bytes;
    return read_status(dev);
}

static void command_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct i8042 *i8042 = dev;

    (void)offset;
    (void)bytes;
    i8042->was_command = true;
    write_command(i8042, (uint8_t)value);
    update(i8042);
}

static const struct vmm_range_ops data_ops = { data_read, data_write };
static const struct vmm_range_ops command_ops = { status_read, command_write };

/* --- for the machine --- */

static void i8042_reset(void *dev)
{
    struct i8042 *i8042 = dev;

    memset(i8042->ram, 0, sizeof(i8042->ram));
    i8042->ram[0] = CCB_KEYBOARD_OFF | CCB_AUX_OFF;
    i8042->output_port = OUT_AT_RESET;
    i8042->command = i8042->keyboard_command = i8042->last = i8042->count = 0;
    i8042->scan_codes = SCAN_CODES_AT_RESET;
    i8042->was_command = false;
    update(i8042);
}

static void i8042_state(void *dev, struct vmm_state *state)
{
    struct i8042 *i8042 = dev;

    vmm_state_bytes(state, i8042->ram, sizeof(i8042->ram));
    vmm_state_u8(state, &i8042->output_port);
    vmm_state_u8(state, &i8042->command);
    vmm_state_u8(state, &i8042->keyboard_command);
    vmm_state_u8(state, &i8042->scan_codes);
    vmm_state_require(state, i8042->scan_codes <= SCAN_CODES_MAX);
    vmm_state_u8(state, &i8042->last);
    vmm_state_bool(state, &i8042->was_command);
    vmm_state_u8(state, &i8042->count);
    vmm_state_require(state, i8042->count <= QUEUE_BYTES);
    if (i8042->count > QUEUE_BYTES)
        i8042->count = 0;
    vmm_state_bytes(state, i8042->queue, sizeof(i8042->queue));
    if (state->loading)
        update(i8042);
}

static void i8042_fini(void *dev)
{
    struct i8042 *i8042 = dev;

    (void)vmm_bus_remove(i8042->bus, VMM_PORTS, DATA_PORT);
    (void)vmm_bus_remove(i8042->bus, VMM_PORTS, COMMAND_PORT);
    free(i8042);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "keyboard controller",
    .id = VMM_DEV_I8042,
    .version = 1,
    .reset = i8042_reset,
    .state = i8042_state,
    .fini = i8042_fini,
};

int vmm_i8042_new(struct vmm_bus *bus, const struct vmm_line *line, void (*reset)(void *context),
                  void *context, struct vmm_dev *ret_dev)
{
    struct i8042 *i8042 = calloc(1, sizeof(*i8042));
    int rc;

    if (i8042 == NULL)
        return -ENOMEM;
    i8042->bus = bus;
    i8042->line = *line;
    i8042->reset = reset;
    i8042->context = context;
    rc = vmm_bus_add(bus, VMM_PORTS, DATA_PORT, 1, &data_ops, i8042);
    if (rc == 0) {
        rc = vmm_bus_add(bus, VMM_PORTS, COMMAND_PORT, 1, &command_ops, i8042);
        if (rc < 0)
            (void)vmm_bus_remove(bus, VMM_PORTS, DATA_PORT);
    }
    if (rc < 0) {
        free(i8042);
        return rc;
    }
    i8042_reset(i8042);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = i8042 };
    return 0;
}
