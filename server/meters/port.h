/* Opening a port: a real serial port through libserialport, a tty that it does not know (a pty) through termios,
 * a TCP connection. What comes out is a non-blocking descriptor; from there on all are one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_USB_MAX 96

enum port_kind { PORT_SERIAL, PORT_PTY, PORT_TCP };

struct sp_port;

struct port {
        int fd;                      /* owned (by serial where that is set), -1: closed */
        enum port_kind kind;
        struct sp_port *serial;      /* owned, NULL unless PORT_SERIAL */
        uint32_t baud;               /* 0 for TCP */
        char usb[PORT_USB_MAX];      /* "FTDI FT232R 0403:6001", "" where there is none */
};

/* Opens a tty exclusively, raw, 8N1, without flow control. -EBUSY: another program has it; other negative errno. */
int port_open_tty(const char *path, uint32_t baud, bool read_only, struct port *ret);

/* Changes the speed and forgets what has arrived at the old one. */
int port_set_baud(struct port *p, uint32_t baud);

/* Begins to connect; the descriptor becomes writable when that has succeeded or failed (port_tcp_result). */
int port_open_tcp(const void *address, unsigned address_len, struct port *ret);
int port_tcp_result(const struct port *p);

void port_close(struct port *p);  /* leaves it closed; closing twice is fine */
