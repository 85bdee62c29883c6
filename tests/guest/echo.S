/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that boots by PVH: it writes its command line and a new line on the first serial port,
 * gives back each byte that it is sent, at '!' lets the processor shut down, and at '?' pulls its
 * reset line by the keyboard controller.
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
	call	write
	jmp	3b
4:	lidt	none
	ud2

6:	movb	$0xfe, %al
	outb	%al, $0x64
	hlt

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
	.balign 4
none:	.long	0, 0

	.bss
	.balign 16
	.skip	256
stack_end:
