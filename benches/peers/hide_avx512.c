/* Lets a program believe that the processor has no AVX-512 and no AMX: loaded before it, this makes CPUID
 * fault and answers in its place. Runtimes then choose the code of a machine with AVX2, whatever library it
 * is in; their own switches reach only a part of them. x86-64 Linux, on processors whose CPUID can fault
 * (`cpuid_fault` in /proc/cpuinfo). The flag is a thread's own and new threads inherit it.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012 /* asm/prctl.h */

#define BIT(n) (1u << (n))

/* Bits of leaf 7, Intel SDM volume 2A, "CPUID". */
#define EBX_AVX512 /* F, DQ, IFMA, PF, ER, CD, BW, VL */ \
    (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define ECX_AVX512 /* VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ */ \
    (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define EDX_AVX512 /* 4VNNIW, 4FMAPS, VP2INTERSECT, AMX-BF16, FP16, AMX-TILE, AMX-INT8 */ \
    (BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25))
#define EAX_1_AVX512 /* sub-leaf 1: BF16, AMX-FP16 */ (BIT(5) | BIT(21))
#define EDX_1_AVX512 /* sub-leaf 1: AMX-COMPLEX, AVX10 */ (BIT(8) | BIT(19))

static struct sigaction before;

static long let_cpuid_run(int yes) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, yes); }

static void answer(int signal, siginfo_t *info, void *context) {
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *instruction = (const uint8_t *)registers[REG_RIP];
    if (instruction[0] != 0x0f || instruction[1] != 0xa2) {
        /* Somebody else's fault: it happens again, with the handler that was there. */
        sigaction(signal, &before, NULL);
        return;
    }
    const uint32_t leaf = (uint32_t)registers[REG_RAX], sub_leaf = (uint32_t)registers[REG_RCX];
    uint32_t eax, ebx, ecx, edx;
    let_cpuid_run(1);
    __cpuid_count(leaf, sub_leaf, eax, ebx, ecx, edx);
    let_cpuid_run(0);
    if (leaf == 7 && sub_leaf == 0) {
        ebx &= ~EBX_AVX512;
        ecx &= ~ECX_AVX512;
        edx &= ~EDX_AVX512;
    } else if (leaf == 7 && sub_leaf == 1) {
        eax &= ~EAX_1_AVX512;
        edx &= ~EDX_1_AVX512;
    }
    registers[REG_RAX] = eax;
    registers[REG_RBX] = ebx;
    registers[REG_RCX] = ecx;
    registers[REG_RDX] = edx;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {0};
    action.sa_sigaction = answer;
    /* Not deferred, since handlers of others may ask for the processor, too. */
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    if (sigaction(SIGSEGV, &action, &before) != 0 || let_cpuid_run(0) != 0) {
        perror("error: AVX-512 cannot be hidden");
        _exit(1);
    }
}
