/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of the serial port. The interrupt line follows what is enabled and pending and is
 * worked out anew after every change.
 */
#include "config.h"

#include "vmm-core/machine/vmm_uart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"

/* Registers by their offset; the first two are the divisor's while LCR_DLAB is set. */
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_RX = 1, IER_TX = 2, IER_LINE = 4, IER_MODEM = 8, IER_ALL = 15 };
enum { IIR_NONE = 1, IIR_TX = 2, IIR_RX = 4, IIR_LINE = 6, IIR_TIMEOUT = 12, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16, MCR_ALL = 31 };
enum { LSR_READY = 1, LSR_OVERRUN = 2, LSR_THR_EMPTY = 0x20, LSR_IDLE = 0x40 };
enum { MSR_CTS = 16, MSR_DSR = 32, MSR_RI = 64, MSR_DCD = 128, MSR_CHANGES = 15 };

struct fifo {
    uint8_t count;
    uint8_t bytes[VMM_UART_FIFO_BYTES];
};

struct vmm_uart {
    struct vmm_bus *bus;
    uint16_t first;
    struct vmm_line line;
    bool line_is_high; /* follows from what is below */
    struct vmm_uart_callbacks callbacks;
    uint8_t dll, dlm, ier, fcr, lcr, mcr, scr;
    uint8_t modem;      /* MSR: lines and changes */
    bool overrun;       /* LSR, until it is read */
    bool thr_emptied;   /* IIR_TX, until it is read or something is written */
    struct fifo rx, tx; /* tx: what could not be passed on */
};

static const uint8_t triggers[] = { 1, 4, 8, 14 };

static uint8_t pending(const struct vmm_uart *uart)
{
    if ((uart->ier & IER_LINE) != 0 && uart->overrun)
        return IIR_LINE;
    if ((uart->ier & IER_RX) != 0 && uart->rx.count > 0)
        return (uart->fcr & FCR_ENABLE) != 0 && uart->rx.count < triggers[uart->fcr >> 6]
                   ? IIR_TIMEOUT
                   : IIR_RX;
    if ((uart->ier & IER_TX) != 0 && uart->thr_emptied)
        return IIR_TX;
    if ((uart->ier & IER_MODEM) != 0 && (uart->modem & MSR_CHANGES) != 0)
        return 0;
    return IIR_NONE;
}

static void update(struct vmm_uart *uart)
{
    vmm_line_change(&uart->line, &uart->line_is_high, pending(uart) != IIR_NONE);
}

static uint8_t take(struct fifo *fifo)
{
    const uint8_t byte = fifo->bytes[0];

    fifo->count--;
    memmove(fifo->bytes, fifo->bytes + 1, fifo->count);
    return byte;
}

static unsigned room(const struct vmm_uart *uart, const struct fifo *fifo)
{
    const unsigned size = (uart->fcr & FCR_ENABLE) != 0 ? VMM_UART_FIFO_BYTES : 1;

    return fifo->count < size ? size - fifo->count : 0;
}

static void receive_one(struct vmm_uart *uart, uint8_t byte)
{
    if (room(uart, &uart->rx) == 0)
        uart->overrun = true;
    else
        uart->rx.bytes[uart->rx.count++] = byte;
}

static void flush(struct vmm_uart *uart)
{
    while (uart->tx.count > 0 &&
           uart->callbacks.transmit(uart->callbacks.context, uart->tx.bytes[0])) {
        (void)take(&uart->tx);
        uart->thr_emptied = uart->tx.count == 0;
    }
}

static void transmit(struct vmm_uart *uart, uint8_t byte)
{
    uart->thr_emptied = false;
    if ((uart->mcr & MCR_LOOP) != 0) {
        receive_one(uart, byte);
        uart->thr_emptied = true;
    } else if (room(uart, &uart->tx) > 0) { /* else it is lost, as it is there */
        uart->tx.bytes[uart->tx.count++] = byte;
        flush(uart);
    }
}

/* In loopback the modem's lines are our own outputs; else a ready modem is there. */
static void update_modem(struct vmm_uart *uart)
{
    uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD;
    uint8_t changed;

    if ((uart->mcr & MCR_LOOP) != 0)
        lines = (uint8_t)(((uart->mcr & MCR_RTS) != 0 ? MSR_CTS : 0) |
                          ((uart->mcr & MCR_DTR) != 0 ? MSR_DSR : 0) |
                          ((uart->mcr & MCR_OUT1) != 0 ? MSR_RI : 0) |
                          ((uart->mcr & MCR_OUT2) != 0 ? MSR_DCD : 0));
    changed = (uart->modem ^ lines) & (MSR_CTS | MSR_DSR | MSR_RI | MSR_DCD);
    uart->modem = (uint8_t)(lines | (uart->modem & MSR_CHANGES) | changed >> 4);
}

static uint8_t line_status(struct vmm_uart *uart)
{
    uint8_t status = uart->rx.count > 0 ? LSR_READY : 0;

    if (uart->overrun)
        status |= LSR_OVERRUN;
    if (uart->tx.count == 0)
        status |= LSR_THR_EMPTY | LSR_IDLE;
    uart->overrun = false;
    return status;
}

static uint8_t read_data(struct vmm_uart *uart)
{
    uint8_t byte;

    if (uart->rx.count == 0)
        return 0;
    byte = take(&uart->rx);
    if (uart->callbacks.received != NULL)
        uart->callbacks.received(uart->callbacks.context);
    return byte;
}

static uint8_t read_cause(struct vmm_uart *uart)
{
    const uint8_t cause = pending(uart);

    if (cause == IIR_TX)
        uart->thr_emptied = false;
    return (uint8_t)(cause | ((uart->fcr & FCR_ENABLE) != 0 ? IIR_FIFO : 0));
}

static uint8_t read_register(struct vmm_uart *uart, unsigned at)
{
    uint8_t value;

    switch (at) {
    case RBR_THR:
        return (uart->lcr & LCR_DLAB) != 0 ? uart->dll : read_data(uart);
    case IER:
        return (uart->lcr & LCR_DLAB) != 0 ? uart->dlm : uart->ier;
    case IIR_FCR:
        return read_cause(uart);
    case LCR:
        return uart->lcr;
    case MCR:
        return uart->mcr;
    case LSR:
        return line_status(uart);
    case MSR:
        value = uart->modem;
        uart->modem &= (uint8_t)~MSR_CHANGES;
        return value;
    default:
        return uart->scr;
    }
}

static void write_fifo_control(struct vmm_uart *uart, uint8_t value)
{
    const bool switched = ((value ^ uart->fcr) & FCR_ENABLE) != 0;

    if (switched || (value & FCR_CLEAR_RX) != 0)
        uart->rx.count = 0;
    if (switched || (value & FCR_CLEAR_TX) != 0) {
        uart->thr_emptied = uart->thr_emptied || uart->tx.count > 0;
        uart->tx.count = 0;
    }
    uart->fcr = (value & FCR_ENABLE) != 0 ? value & FCR_KEPT : 0;
}

static void write_enable(struct vmm_uart *uart, uint8_t value)
{
    /* enabled while it is empty: told at once (data sheet 8.6.5; drivers test for it) */
    if ((uart->ier & IER_TX) == 0 && (value & IER_TX) != 0 && uart->tx.count == 0)
        uart->thr_emptied = true;
    uart->ier = value & IER_ALL;
}

static void write_register(struct vmm_uart *uart, unsigned at, uint8_t value)
{
    switch (at) {
    case RBR_THR:
        if ((uart->lcr & LCR_DLAB) != 0)
            uart->dll = value;
        else
            transmit(uart, value);
        break;
    case IER:
        if ((uart->lcr & LCR_DLAB) != 0)
            uart->dlm = value;
        else
            write_enable(uart, value);
        break;
    case IIR_FCR:
        write_fifo_control(uart, value);
        break;
    case LCR:
        uart->lcr = value;
        break;
    case MCR:
        uart->mcr = value & MCR_ALL;
        update_modem(uart);
        break;
    case SCR:
        uart->scr = value;
        break;
    default: /* LSR and MSR are read only */
        break;
    }
}

static uint64_t uart_read(void *dev, uint64_t offset, unsigned bytes)
{
    struct vmm_uart *uart = dev;
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)read_register(uart, (unsigned)offset + i) << (i * 8);
    update(uart);
    return value;
}

static void uart_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct vmm_uart *uart = dev;

    for (unsigned i = 0; i < bytes; i++)
        write_register(uart, (unsigned)offset + i, (uint8_t)(value >> (i * 8)));
    update(uart);
}

static const struct vmm_range_ops range_ops = { uart_read, uart_write };

size_t vmm_uart_receive(struct vmm_uart *uart, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;

    while ((uart->mcr & MCR_LOOP) == 0 && taken < count && room(uart, &uart->rx) > 0)
        receive_one(uart, bytes[taken++]);
    update(uart);
    return taken;
}

void vmm_uart_has_room(struct vmm_uart *uart)
{
    flush(uart);
    update(uart);
}

/* --- for the machine --- */

static void uart_reset(void *dev)
{
    struct vmm_uart *uart = dev;

    uart->dll = uart->dlm = uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->scr = 0;
    uart->overrun = uart->thr_emptied = false;
    uart->rx.count = uart->tx.count = 0;
    uart->modem = MSR_CTS | MSR_DSR | MSR_DCD;
    update(uart);
}

static bool uart_drained(void *dev)
{
    (void)dev;
    return true; /* what waits is saved */
}

static void uart_resume(void *dev)
{
    vmm_uart_has_room(dev);
}

static void fifo_state(struct fifo *fifo, struct vmm_state *state)
{
    vmm_state_u8(state, &fifo->count);
    vmm_state_require(state, fifo->count <= VMM_UART_FIFO_BYTES);
    if (fifo->count > VMM_UART_FIFO_BYTES)
        fifo->count = 0;
    vmm_state_bytes(state, fifo->bytes, sizeof(fifo->bytes));
}

static void uart_state(void *dev, struct vmm_state *state)
{
    struct vmm_uart *uart = dev;
    uint8_t *const registers[] = { &uart->dll, &uart->dlm, &uart->ier, &uart->fcr,
                                   &uart->lcr, &uart->mcr, &uart->scr, &uart->modem };

    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
        vmm_state_u8(state, registers[i]);
    vmm_state_require(state, (uart->ier & ~IER_ALL) == 0 && (uart->mcr & ~MCR_ALL) == 0);
    vmm_state_bool(state, &uart->overrun);
    vmm_state_bool(state, &uart->thr_emptied);
    fifo_state(&uart->rx, state);
    fifo_state(&uart->tx, state);
    if (state->loading)
        update(uart);
}

static void uart_fini(void *dev)
{
    struct vmm_uart *uart = dev;

    (void)vmm_bus_remove(uart->bus, VMM_PORTS, uart->first);
    free(uart);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "uart",
    .id = VMM_DEV_UART,
    .version = 1,
    .reset = uart_reset,
    .drained = uart_drained,
    .resume = uart_resume,
    .state = uart_state,
    .fini = uart_fini,
};

int vmm_uart_new(struct vmm_bus *bus, uint16_t first, const struct vmm_line *line,
                 const struct vmm_uart_callbacks *callbacks, struct vmm_dev *ret_dev,
                 struct vmm_uart **ret_uart)
{
    struct vmm_uart *uart = calloc(1, sizeof(*uart));
    int rc;

    if (uart == NULL)
        return -ENOMEM;
    uart->bus = bus;
    uart->first = first;
    uart->line = *line;
    uart->callbacks = *callbacks;
    rc = vmm_bus_add(bus, VMM_PORTS, first, VMM_UART_PORTS, &range_ops, uart);
    if (rc < 0) {
        free(uart);
        return rc;
    }
    uart_reset(uart);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = uart };
    *ret_uart = uart;
    return 0;
}
