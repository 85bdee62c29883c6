/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test guest on a disk: what firmware loads to 7C00h (8 KiB with the command line that begins at
 * 4 KiB), behind which is the ELF file of SECTORS sectors. It makes the start info that PVH would have made, of the
 * firmware's memory map (INT 15h, E820h) and ACPI tables, and enters the guest as PVH does.
 */
	.set	HERE, 0x7c00
	.set	COMMAND, HERE + 4096
	.set	ELF, 0x10000		/* up to 90000h */
	.set	INFO, 0x6000
	.set	MAP, 0x6100
	.set	SMAP, 0x534d4150
	.set	PART, 32		/* sectors to read at once */

	.text
	.code16
	.globl	_start
_start:
	ljmp	$0, $1f
1:	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$HERE, %sp
	sti
	cld
	movb	%dl, drive
	movw	$15, count		/* the rest of this */
	movw	$(HERE + 512), offset
	movl	$1, sector
	call	read
	movw	$0, offset
	movw	$(ELF / 16), segment
	movl	$16, sector
	movw	$SECTORS, left
2:	movw	left, %ax
	testw	%ax, %ax
	jz	memory
	cmpw	$PART, %ax
	jbe	3f
	movw	$PART, %ax
3:	movw	%ax, count
	subw	%ax, left
	call	read
	movzwl	count, %eax
	addl	%eax, sector
	shlw	$5, %ax			/* 512 bytes are 32 paragraphs */
	addw	%ax, segment
	jmp	2b

read:
	movw	$packet, %si
	movb	drive, %dl
	movb	$0x42, %ah
	int	$0x13
	jc	fail
	ret

fail:					/* a word on the serial port */
	movw	$words, %si
4:	lodsb
	testb	%al, %al
	jz	5f
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	4b
5:	hlt
	jmp	5b

memory:
	xorl	%ebx, %ebx
	movw	$MAP, %di
6:	movl	$0xe820, %eax
	movl	$SMAP, %edx
	movl	$20, %ecx
	int	$0x15
	jc	7f
	cmpl	$SMAP, %eax
	jne	7f
	movl	$0, 20(%di)
	addw	$24, %di
	incl	entries
	testl	%ebx, %ebx
	jnz	6b
7:	cli
	inb	$0x92, %al		/* A20 */
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	lgdtl	pointer
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$8, $protected

words:	.asciz	"@guest fatal what=disk\n"
drive:	.byte	0
	.balign	4
packet:	.byte	16, 0			/* EDD: disk address packet */
count:	.word	0
offset:	.word	0
segment:
	.word	0
sector:	.long	0, 0
left:	.word	0
	.balign	4
entries:
	.long	0
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
pointer:
	.word	23
	.long	gdt
	.org	510
	.word	0xaa55

	.code32
protected:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$HERE, %esp
	movzwl	ELF + 56, %edx		/* program headers, of 56 bytes */
	movl	ELF + 32, %ebx
	addl	$ELF, %ebx
8:	cmpl	$1, (%ebx)		/* PT_LOAD */
	jne	9f
	movl	8(%ebx), %esi
	addl	$ELF, %esi
	movl	24(%ebx), %edi
	movl	32(%ebx), %ecx
	rep movsb
	movl	40(%ebx), %ecx
	subl	32(%ebx), %ecx
	xorl	%eax, %eax
	movl	%ecx, %ebp
	shrl	$2, %ecx
	rep stosl
	movl	%ebp, %ecx
	andl	$3, %ecx
	rep stosb
9:	addl	$56, %ebx
	decl	%edx
	jnz	8b

	movl	$0xe0000, %esi		/* "RSD PTR ", at a multiple of 16 */
10:	cmpl	$0x20445352, (%esi)
	jne	11f
	cmpl	$0x20525450, 4(%esi)
	je	12f
11:	addl	$16, %esi
	cmpl	$0x100000, %esi
	jne	10b
	xorl	%esi, %esi
12:	movl	$INFO, %edi
	movl	%edi, %ebx
	xorl	%eax, %eax
	movl	$14, %ecx
	rep stosl
	movl	$0x336ec578, (%ebx)
	movl	$1, 4(%ebx)
	movl	$COMMAND, 24(%ebx)
	movl	%esi, 32(%ebx)
	movl	$MAP, 40(%ebx)
	movl	entries, %eax
	movl	%eax, 48(%ebx)
	jmp	*ELF + 24		/* the ELF file's entry is PVH's */

	.org	8191
	.byte	0
	.section .note.GNU-stack, "", @progbits
