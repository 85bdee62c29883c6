/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of 1 MiB that a PC's firmware boots from (IBM PC/AT Technical Reference, BIOS int
 * 13h; the clock's memory at 60h is nobody's). It writes on the first serial port, at its first boot:
 *   boot 0: the text of its second sector
 * copies that sector to the third, and resets the machine; at the next one:
 *   boot 1: the text of its third sector
 * and switches the machine off by ACPI.
 */
	.code16
	.text
	.globl	_start
_start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movb	%dl, drive
	movw	$4, %cx			/* SeaBIOS writes its last letters at the clock's ticks */
	sti
1:	hlt
	loop	1b
	cli
	movw	$head, %si
	call	write
	movb	$0x60, %al		/* how often has it been booted? */
	outb	%al, $0x70
	inb	$0x71, %al
	movb	%al, boots
	addb	$'0', %al
	call	put
	movw	$colon, %si
	call	write
	movb	$2, %cl
	addb	boots, %cl
	movb	$2, %ah
	call	disk
	movw	$text, %si
	call	write
	cmpb	$0, boots
	jne	off
	movb	$3, %cl
	movb	$3, %ah
	call	disk
	movb	$0x60, %al
	outb	%al, $0x70
	movb	$1, %al
	outb	%al, $0x71
	movw	$0xcf9, %dx		/* reset control */
	movb	$2, %al
	outb	%al, %dx
	movb	$6, %al
	outb	%al, %dx
stand:	hlt
	jmp	stand
off:	movw	$0x604, %dx
	movw	$0x2000, %ax
	outw	%ax, %dx
	jmp	stand

disk:	movb	$1, %al			/* reads (2) or writes (3) sector CL, from 1 on */
	movb	$0, %ch
	movb	drive, %dl
	movb	$0, %dh
	movw	$text, %bx
	int	$0x13
	jnc	1f
	movw	$wrong, %si
	call	write
	jmp	off
1:	ret

write:	lodsb
	testb	%al, %al
	jz	1b
	call	put
	jmp	write

put:	movb	%al, %ah
	movw	$0x3fd, %dx
1:	inb	%dx, %al		/* is there room? */
	testb	$0x20, %al
	jz	1b
	movb	%ah, %al
	movw	$0x3f8, %dx
	outb	%al, %dx
	ret

head:	.asciz	"\nboot "
colon:	.asciz	": "
wrong:	.asciz	"the disk fails\n"
drive:	.byte	0
boots:	.byte	0
	.org	510
	.word	0xaa55
text:	.asciz	"the disk says hello\n"	/* the second sector, and where a sector goes */
	.org	0x100000		/* a disk of less than a cylinder is none */
