/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that boots by PVH: it writes its command line and a new line on the first serial port and
 * gives back each byte that it is sent, but for
 *   !  it lets the processor shut down
 *   ?  it pulls the processor's reset line by the keyboard controller
 *   ^  it resets by port 92h
 *   @  it writes the time of the real-time clock: year, month, day, hour, minute, second
 *   $  it sets the clock's year to 99
 *   %  it waits until the clock raises its interrupt for an update, and writes i
 *   #  it tells pvpanic that it has panicked
 *   &  it resets by the reset control register
 *   ~  it switches itself off by ACPI
 *   =  it looks for its PCI functions, and writes P
 *   *  it waits until the power management's timer raises its interrupt, and writes T
 */
	.section .note.Xen, "a", @note
	.long	4, 4, 18		/* PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.code32
	.globl	_start
_start:
	movl	$stack_end, %esp
	movl	24(%ebx), %esi		/* start info: the command line's address, low half */
1:	movb	(%esi), %al
	testb	%al, %al
	jz	2f
	call	write
	incl	%esi
	jmp	1b
2:	movb	$'\n', %al
	call	write
3:	movw	$0x3fd, %dx		/* line status: is there a byte? */
	inb	%dx, %al
	testb	$1, %al
	jz	3b
	movw	$0x3f8, %dx
	inb	%dx, %al
	cmpb	$'!', %al
	je	4f
	cmpb	$'?', %al
	je	6f
	cmpb	$'^', %al
	je	fast_reset
	cmpb	$'@', %al
	je	time
	cmpb	$'$', %al
	je	set_year
	cmpb	$'%', %al
	je	update
	cmpb	$'#', %al
	je	panic
	cmpb	$'&', %al
	je	reset_control
	cmpb	$'~', %al
	je	off
	cmpb	$'=', %al
	je	look
	cmpb	$'*', %al
	je	timer
	call	write
	jmp	3b
4:	lidt	none
	ud2

6:	movb	$0xfe, %al
	outb	%al, $0x64
	hlt

fast_reset:
	movb	$3, %al
	outb	%al, $0x92
	hlt

panic:
	movb	$1, %al
	movw	$0x505, %dx
	outb	%al, %dx
	jmp	3b

time:
	movb	$0x0a, %al		/* no update for a while? */
	call	clock
	testb	$0x80, %al
	jnz	time
	movl	$fields, %esi
7:	lodsb
	call	clock
	movb	%al, %bl
	shrb	$4, %al
	call	digit
	movb	%bl, %al
	andb	$0x0f, %al
	call	digit
	cmpl	$fields_end, %esi
	jne	7b
	movb	$'\n', %al
	call	write
	jmp	3b

set_year:
	movl	$year, %esi
9:	lodsb
	outb	%al, $0x70
	lodsb
	outb	%al, $0x71
	cmpl	$year_end, %esi
	jne	9b
	jmp	3b

digit:
	addb	$'0', %al
	jmp	write

update:
	movb	$0x0c, %al		/* what was pending is over */
	call	clock
	movb	$0x0b, %al
	outb	%al, $0x70
	movb	$0x12, %al
	outb	%al, $0x71
8:	movb	$0x0a, %al		/* requests of the second PIC */
	outb	%al, $0xa0
	inb	$0xa0, %al
	testb	$1, %al
	jz	8b
	movb	$'i', %al
	call	write
	jmp	3b

reset_control:
	movw	$0xcf9, %dx
	movb	$2, %al
	outb	%al, %dx
	movb	$6, %al
	outb	%al, %dx
	hlt

off:
	movw	$0x604, %dx
	movw	$0x2000, %ax		/* SLP_EN, SLP_TYP 0 */
	outw	%ax, %dx
	hlt

look:
	movl	$functions, %esi
9:	lodsl
	movw	$0xcf8, %dx
	outl	%eax, %dx
	movw	$0xcfc, %dx
	inl	%dx, %eax
	movl	%eax, %ebx
	lodsl
	cmpl	%eax, %ebx
	movb	$'-', %al
	jne	10f
	cmpl	$functions_end, %esi
	jne	9b
	movb	$'P', %al
10:	call	write
	jmp	3b

timer:
	movw	$0x602, %dx
	movw	$1, %ax			/* TMR_EN */
	outw	%ax, %dx
11:	movb	$0x0a, %al		/* requests of the second PIC */
	outb	%al, $0xa0
	inb	$0xa0, %al
	testb	$2, %al			/* IRQ 9 */
	jz	11b
	movb	$'T', %al
	call	write
	jmp	3b

clock:					/* its register al, into al */
	outb	%al, $0x70
	inb	$0x71, %al
	ret

write:					/* the byte in al, when there is room */
	movl	%eax, %ecx
5:	movw	$0x3fd, %dx
	inb	%dx, %al
	testb	$0x20, %al
	jz	5b
	movw	$0x3f8, %dx
	movl	%ecx, %eax
	outb	%al, %dx
	ret

	.data
fields:	.byte	9, 8, 7, 4, 2, 0
fields_end:
year:	.byte	0x0b, 0x82, 9, 0x99, 0x0b, 2
year_end:
	.balign 4
none:	.long	0, 0
functions:				/* where its first register is, what it is */
	.long	0x80000000, 0x12378086
	.long	0x80000800, 0x70008086
	.long	0x80000b00, 0x71138086
functions_end:

	.bss
	.balign 16
	.skip	256
stack_end:
