/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A serial port (National Semiconductor PC16550D data sheet, chapter 8). Bytes go out at
 * once, for as long as whoever takes them has room; bytes from outside wait in the FIFO, which
 * tells how many it took. There is no baud rate: what is in the FIFO is told to the guest without
 * delay.
 */
#ifndef VMM_UART_H
#define VMM_UART_H

#include <stddef.h>

#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_dev.h"

enum { VMM_UART_PORTS = 8, VMM_UART_FIFO_BYTES = 16 };

struct vmm_uart;

struct vmm_uart_callbacks {
    /* Take one byte; false: not now, vmm_uart_has_room() will be called. Never blocks. */
    bool (*transmit)(void *context, uint8_t byte);
    /* The guest has read: vmm_uart_receive() may take more. May be NULL. */
    void (*received)(void *context);
    void *context;
};

/*
 * A port at `first` and the seven behind it, which raises `line`. `ret_dev` is for the machine;
 * `ret_uart` lives as long. 0, -ENOMEM, or what vmm_bus_add() says.
 */
int vmm_uart_new(struct vmm_bus *bus, uint16_t first, const struct vmm_line *line,
                 const struct vmm_uart_callbacks *callbacks, struct vmm_dev *ret_dev,
                 struct vmm_uart **ret_uart);
/* Bytes from outside; returns how many were taken. */
size_t vmm_uart_receive(struct vmm_uart *uart, const uint8_t *bytes, size_t count);
/* Whoever takes the guest's bytes has room again. */
void vmm_uart_has_room(struct vmm_uart *uart);

#endif
