/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test guest's way into long mode (entered by PVH: protected mode, EBX has the start info), that of its other processors, and the ways
 * between ring 3 and ring 0.
 */
	.section .note.Xen, "a", @note
	.long	4, 4, 18		/* PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.set	CPU_BLOCK_BYTES, 32768
	.set	KERNEL_STACK, 16384	/* end of ring 0's stack in a block; that of interrupts ends at half of it */
	.set	CODE32, 0x18
	.set	CODE64, 0x08
	.set	DATA, 0x10
	.set	USER_DATA, 0x23
	.set	USER_CODE, 0x2b

	.text
	.code32
	.globl	_start
_start:
	cli
	cld
	movl	%ebx, start_info_at
	movl	$directories, %edi	/* the first 4 GiB in pages of 2 MiB, for ring 3 too */
	movl	$0x87, %eax
	movl	$2048, %ecx
1:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	decl	%ecx
	jnz	1b
	movl	$(directories + 7), %eax
	movl	$page_directories, %edi
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	decl	%ecx
	jnz	2b
	movl	$(page_directories + 7), page_map
	lgdt	gdt_pointer
	ljmp	$CODE32, $enter_long

enter_long:				/* every processor */
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$page_map, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER: LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	andl	$0x1fffffff, %eax	/* caches on */
	orl	$0x80000001, %eax	/* PG, PE */
	movl	%eax, %cr0
	ljmp	$CODE64, $long_mode

	.code64
long_mode:
	movl	$1, %eax
	lock xaddl %eax, processors
	movl	%eax, %edi
	imulq	$CPU_BLOCK_BYTES, %rdi, %rdi
	addq	$cpu_blocks, %rdi
	leaq	KERNEL_STACK(%rdi), %rsp
	movl	%eax, %ebx
	movq	%rdi, %r12
	xorl	%ebp, %ebp
	testl	%eax, %eax
	jnz	3f
	movl	start_info_at, %edi
	call	kernel_main
3:	movq	%r12, %rdi
	movl	%ebx, %esi
	call	kernel_processor
4:	hlt
	jmp	4b

/* The other processors begin here, copied below 1 MiB, in real mode (Intel SDM 3A 9.4). */
	.code16
	.globl	trampoline, trampoline_end
trampoline:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	trampoline_pointer - trampoline
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$CODE32, $enter_long
	.balign	4
trampoline_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
trampoline_end:

	.code64
/* void enter_user(struct cpu *cpu, function, argument, stack): comes back by leave_user() */
	.globl	enter_user, leave_user
enter_user:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	pushq	$USER_DATA
	pushq	%rcx
	pushq	$0x202			/* interrupts on */
	pushq	$USER_CODE
	pushq	%rsi
	movq	%rdx, %rdi
	xorl	%ebp, %ebp
	iretq

/* void leave_user(struct cpu *cpu): in ring 0 */
leave_user:
	movq	(%rdi), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/*
 * An invalid opcode. From ring 3 it is a system call: RAX the number, RDI, RSI, RDX. Where KVM has no hardware below it
 * that is the one way from ring 3 to ring 0 that works: it neither emulates INT there, nor leaves ring 3 by SYSCALL.
 */
	.globl	system_entry
system_entry:
	testb	$3, 8(%rsp)
	jz	5f
	movq	(%rsp), %r11
	cmpw	$0x0b0f, (%r11)		/* UD2 */
	jne	5f
	addq	$2, (%rsp)
	movq	%rax, %rcx
	cld
	call	kernel_call
	iretq
5:	jmp	interrupt_entries + 6 * 16

	.globl	load_tables		/* void load_tables(uint16_t task) */
load_tables:
	lgdt	gdt_pointer
	lidt	idt_pointer
	ltr	%di
	ret

/* --- interrupts: one entry of 16 bytes a vector --- */
	.balign	16
	.globl	interrupt_entries
interrupt_entries:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	pushq	$0			/* no error code */
	.endif
	pushq	$vector
	jmp	interrupted
	.set	vector, vector + 1
	.endr

interrupted:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, %rdi
	cld
	call	kernel_interrupt
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

	.data
	.balign	16
	.globl	gdt
gdt:	.quad	0
	.quad	0x00af9b000000ffff	/* 08h: code, 64 bits */
	.quad	0x00cf93000000ffff	/* 10h: data */
	.quad	0x00cf9b000000ffff	/* 18h: code, 32 bits */
	.quad	0x00cff3000000ffff	/* 20h: data, ring 3 */
	.quad	0x00affb000000ffff	/* 28h: code, 64 bits, ring 3 */
	.skip	16 * 16			/* 30h: task state segments */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt
idt_pointer:
	.word	4095
	.quad	idt
processors:				/* so many have begun */
	.long	0

	.bss
start_info_at:
	.skip	4
	.balign	4096
	.globl	idt, page_directories
idt:	.skip	4096
page_map:
	.skip	4096
page_directories:
	.skip	4096
directories:
	.skip	4 * 4096
	.section .note.GNU-stack, "", @progbits
