# Written by `generate.rs`, which explains it. Do not edit.
    vzeroupper
    # Offsets in bounds for what is done before the first turn.
    mov eax, [rdi + rsi + {jobs} + 0]
    mov r9d, [rdi + rsi + {jobs} + 4]
    mov ecx, [rdi + rsi + {jobs} + 8]
    mov r10d, [rdi + rsi + {jobs} + 12]
    mov r8d, [rdi + rsi + {jobs} + 16]
    mov r11d, [rdi + rsi + {jobs} + 20]
    jmp 3f
    .p2align 6
2:
    # Lane 1: first hash, rounds 4 and 5
    vmovq xmm0, [rdi + rcx + 16]
    sha256rnds2 xmm4, xmm3
    # Lane 0: first hash, rounds 6 and 7
    vmovq xmm0, [rdi + rax + 24]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 3 and 4
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 1 and 2
    vpaddd xmm0, xmm15, [rdi + {k} + 0]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 1
    vmovdqa xmm13, [rdi + {lane_0} + 16]
    # Lane 2: first hash, rounds 4 and 5
    vmovq xmm0, [rdi + r8 + 16]
    sha256rnds2 xmm6, xmm5
    # Lane 1: first hash, rounds 6 and 7
    vmovq xmm0, [rdi + rcx + 24]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 5 and 6
    vpaddd xmm0, xmm13, [rdi + {k} + 16]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 3 and 4
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 1
    vmovdqa xmm14, [rdi + {lane_1} + 16]
    # Lane 0: first hash, rounds 8 and 9
    vmovq xmm0, [rdi + rax + 32]
    sha256rnds2 xmm2, xmm1
    # Lane 2: first hash, rounds 6 and 7
    vmovq xmm0, [rdi + r8 + 24]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 7 and 8
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 5 and 6
    vpaddd xmm0, xmm14, [rdi + {k} + 16]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 1
    vmovdqa xmm15, [rdi + {lane_2} + 16]
    # Lane 1: first hash, rounds 8 and 9
    vmovq xmm0, [rdi + rcx + 32]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 1
    vmovdqa xmm0, [rdi + {lane_0} + 0]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 208], xmm0
    vmovdqa xmm0, xmm13
    sha256msg1 xmm0, [rdi + {words_9_to_12}]
    vmovdqa [rdi + {lane_0} + 224], xmm0
    # Lane 0: first hash, rounds 10 and 11
    vmovq xmm0, [rdi + rax + 40]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 7 and 8
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 5 and 6
    vpaddd xmm0, xmm15, [rdi + {k} + 16]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 2: first hash, rounds 8 and 9
    vmovq xmm0, [rdi + r8 + 32]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 1
    vmovdqa xmm0, [rdi + {lane_1} + 0]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 208], xmm0
    vmovdqa xmm0, xmm14
    sha256msg1 xmm0, [rdi + {words_9_to_12}]
    vmovdqa [rdi + {lane_1} + 224], xmm0
    # Lane 1: first hash, rounds 10 and 11
    vmovq xmm0, [rdi + rcx + 40]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 9 and 10
    vmovq xmm0, [rdi + {sums_9_to_12}]
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 7 and 8
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 0: first hash, rounds 12 and 13
    vmovq xmm0, [rdi + rax + 48]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 1
    vmovdqa xmm0, [rdi + {lane_2} + 0]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 208], xmm0
    vmovdqa xmm0, xmm15
    sha256msg1 xmm0, [rdi + {words_9_to_12}]
    vmovdqa [rdi + {lane_2} + 224], xmm0
    # Lane 2: first hash, rounds 10 and 11
    vmovq xmm0, [rdi + r8 + 40]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 11 and 12
    vmovq xmm0, [rdi + {sums_9_to_12} + 8]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 9 and 10
    vmovq xmm0, [rdi + {sums_9_to_12}]
    sha256rnds2 xmm10, xmm9
    # Lane 1: first hash, rounds 12 and 13
    vmovq xmm0, [rdi + rcx + 48]
    sha256rnds2 xmm4, xmm3
    # Lane 0: first hash, rounds 14 and 15
    vmovq xmm0, [rdi + rax + 56]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 11 and 12
    vmovq xmm0, [rdi + {sums_9_to_12} + 8]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 9 and 10
    vmovq xmm0, [rdi + {sums_9_to_12}]
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 3
    vmovdqa xmm13, [rdi + {lane_0} + 48]
    # Lane 2: first hash, rounds 12 and 13
    vmovq xmm0, [rdi + r8 + 48]
    sha256rnds2 xmm6, xmm5
    # Lane 1: first hash, rounds 14 and 15
    vmovq xmm0, [rdi + rcx + 56]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 13 and 14
    vmovq xmm0, [rdi + {sums_13_to_14}]
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 11 and 12
    vmovq xmm0, [rdi + {sums_9_to_12} + 8]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 3
    vmovdqa xmm14, [rdi + {lane_1} + 48]
    # Lane 0: first hash, rounds 16 and 17
    vmovq xmm0, [rdi + rax + 64]
    sha256rnds2 xmm2, xmm1
    # Lane 2: first hash, rounds 14 and 15
    vmovq xmm0, [rdi + r8 + 56]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 15 and 16
    vpaddd xmm0, xmm13, [rdi + {k} + 48]
    vpshufd xmm0, xmm0, 0xe
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 13 and 14
    vmovq xmm0, [rdi + {sums_13_to_14}]
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 3
    vmovdqa xmm15, [rdi + {lane_2} + 48]
    # Lane 1: first hash, rounds 16 and 17
    vmovq xmm0, [rdi + rcx + 64]
    sha256rnds2 xmm4, xmm3
    # Lane 0: first hash, rounds 18 and 19
    vmovq xmm0, [rdi + rax + 72]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 15 and 16
    vpaddd xmm0, xmm14, [rdi + {k} + 48]
    vpshufd xmm0, xmm0, 0xe
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 13 and 14
    vmovq xmm0, [rdi + {sums_13_to_14}]
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 4
    vmovdqa xmm0, [rdi + {lane_0} + 208]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 64], xmm0
    # Lane 2: first hash, rounds 16 and 17
    vmovq xmm0, [rdi + r8 + 64]
    sha256rnds2 xmm6, xmm5
    # Lane 1: first hash, rounds 18 and 19
    vmovq xmm0, [rdi + rcx + 72]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 17 and 18
    vpaddd xmm0, xmm13, [rdi + {k} + 64]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 15 and 16
    vpaddd xmm0, xmm15, [rdi + {k} + 48]
    vpshufd xmm0, xmm0, 0xe
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 4
    vmovdqa xmm0, [rdi + {lane_1} + 208]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 64], xmm0
    # Lane 0: first hash, rounds 20 and 21
    vmovq xmm0, [rdi + rax + 80]
    sha256rnds2 xmm2, xmm1
    # Lane 2: first hash, rounds 18 and 19
    vmovq xmm0, [rdi + r8 + 72]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 19 and 20
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 17 and 18
    vpaddd xmm0, xmm14, [rdi + {k} + 64]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 4
    vmovdqa xmm0, [rdi + {lane_2} + 208]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 64], xmm0
    # Lane 1: first hash, rounds 20 and 21
    vmovq xmm0, [rdi + rcx + 80]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 4
    vmovdqa xmm0, [rdi + {lane_0} + 48]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 256], xmm0
    # Lane 0: first hash, rounds 22 and 23
    vmovq xmm0, [rdi + rax + 88]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 19 and 20
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 17 and 18
    vpaddd xmm0, xmm15, [rdi + {k} + 64]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 5
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 48], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 224]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 80], xmm0
    # Lane 2: first hash, rounds 20 and 21
    vmovq xmm0, [rdi + r8 + 80]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 4
    vmovdqa xmm0, [rdi + {lane_1} + 48]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 256], xmm0
    # Lane 1: first hash, rounds 22 and 23
    vmovq xmm0, [rdi + rcx + 88]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 21 and 22
    vpaddd xmm0, xmm13, [rdi + {k} + 80]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 19 and 20
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 5
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 48], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 224]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 80], xmm0
    # Lane 0: first hash, rounds 24 and 25
    vmovq xmm0, [rdi + rax + 96]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 4
    vmovdqa xmm0, [rdi + {lane_2} + 48]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 256], xmm0
    # Lane 2: first hash, rounds 22 and 23
    vmovq xmm0, [rdi + r8 + 88]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 23 and 24
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 21 and 22
    vpaddd xmm0, xmm14, [rdi + {k} + 80]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 5
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 48], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 224]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 80], xmm0
    # Lane 1: first hash, rounds 24 and 25
    vmovq xmm0, [rdi + rcx + 96]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 5
    vmovdqa xmm0, [rdi + {lane_0} + 64]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 208], xmm0
    # Lane 0: first hash, rounds 26 and 27
    vmovq xmm0, [rdi + rax + 104]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 23 and 24
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 21 and 22
    vpaddd xmm0, xmm15, [rdi + {k} + 80]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 6
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 64], 4
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 96], xmm0
    # Lane 2: first hash, rounds 24 and 25
    vmovq xmm0, [rdi + r8 + 96]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 5
    vmovdqa xmm0, [rdi + {lane_1} + 64]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 208], xmm0
    # Lane 1: first hash, rounds 26 and 27
    vmovq xmm0, [rdi + rcx + 104]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 25 and 26
    vpaddd xmm0, xmm13, [rdi + {k} + 96]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 23 and 24
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 6
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 64], 4
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 96], xmm0
    # Lane 0: first hash, rounds 28 and 29
    vmovq xmm0, [rdi + rax + 112]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 5
    vmovdqa xmm0, [rdi + {lane_2} + 64]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 208], xmm0
    # Lane 2: first hash, rounds 26 and 27
    vmovq xmm0, [rdi + r8 + 104]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 27 and 28
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 25 and 26
    vpaddd xmm0, xmm14, [rdi + {k} + 96]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 6
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 64], 4
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 96], xmm0
    # Lane 1: first hash, rounds 28 and 29
    vmovq xmm0, [rdi + rcx + 112]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 6
    vmovdqa xmm0, [rdi + {lane_0} + 80]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 224], xmm0
    # Lane 0: first hash, rounds 30 and 31
    vmovq xmm0, [rdi + rax + 120]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 27 and 28
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 25 and 26
    vpaddd xmm0, xmm15, [rdi + {k} + 96]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 7
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 80], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 256]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 112], xmm0
    # Lane 2: first hash, rounds 28 and 29
    vmovq xmm0, [rdi + r8 + 112]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 6
    vmovdqa xmm0, [rdi + {lane_1} + 80]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 224], xmm0
    # Lane 1: first hash, rounds 30 and 31
    vmovq xmm0, [rdi + rcx + 120]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 29 and 30
    vpaddd xmm0, xmm13, [rdi + {k} + 112]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 27 and 28
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 7
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 80], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 256]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 112], xmm0
    # Lane 0: first hash, rounds 32 and 33
    vmovq xmm0, [rdi + rax + 128]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 6
    vmovdqa xmm0, [rdi + {lane_2} + 80]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 224], xmm0
    # Lane 2: first hash, rounds 30 and 31
    vmovq xmm0, [rdi + r8 + 120]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 31 and 32
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 29 and 30
    vpaddd xmm0, xmm14, [rdi + {k} + 112]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 7
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 80], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 256]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 112], xmm0
    # Lane 1: first hash, rounds 32 and 33
    vmovq xmm0, [rdi + rcx + 128]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 7
    vmovdqa xmm0, [rdi + {lane_0} + 96]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 240], xmm0
    # Lane 0: first hash, rounds 34 and 35
    vmovq xmm0, [rdi + rax + 136]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 31 and 32
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 29 and 30
    vpaddd xmm0, xmm15, [rdi + {k} + 112]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 8
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 96], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 208]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 128], xmm0
    # Lane 2: first hash, rounds 32 and 33
    vmovq xmm0, [rdi + r8 + 128]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 7
    vmovdqa xmm0, [rdi + {lane_1} + 96]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 240], xmm0
    # Lane 1: first hash, rounds 34 and 35
    vmovq xmm0, [rdi + rcx + 136]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 33 and 34
    vpaddd xmm0, xmm13, [rdi + {k} + 128]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 31 and 32
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 8
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 96], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 208]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 128], xmm0
    # Lane 0: first hash, rounds 36 and 37
    vmovq xmm0, [rdi + rax + 144]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 7
    vmovdqa xmm0, [rdi + {lane_2} + 96]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 240], xmm0
    # Lane 2: first hash, rounds 34 and 35
    vmovq xmm0, [rdi + r8 + 136]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 35 and 36
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 33 and 34
    vpaddd xmm0, xmm14, [rdi + {k} + 128]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 8
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 96], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 208]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 128], xmm0
    # Lane 1: first hash, rounds 36 and 37
    vmovq xmm0, [rdi + rcx + 144]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 8
    vmovdqa xmm0, [rdi + {lane_0} + 112]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 256], xmm0
    # Lane 0: first hash, rounds 38 and 39
    vmovq xmm0, [rdi + rax + 152]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 35 and 36
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 33 and 34
    vpaddd xmm0, xmm15, [rdi + {k} + 128]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 9
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 112], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 224]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 144], xmm0
    # Lane 2: first hash, rounds 36 and 37
    vmovq xmm0, [rdi + r8 + 144]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 8
    vmovdqa xmm0, [rdi + {lane_1} + 112]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 256], xmm0
    # Lane 1: first hash, rounds 38 and 39
    vmovq xmm0, [rdi + rcx + 152]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 37 and 38
    vpaddd xmm0, xmm13, [rdi + {k} + 144]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 35 and 36
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 9
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 112], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 224]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 144], xmm0
    # Lane 0: first hash, rounds 40 and 41
    vmovq xmm0, [rdi + rax + 160]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 8
    vmovdqa xmm0, [rdi + {lane_2} + 112]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 256], xmm0
    # Lane 2: first hash, rounds 38 and 39
    vmovq xmm0, [rdi + r8 + 152]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 39 and 40
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 37 and 38
    vpaddd xmm0, xmm14, [rdi + {k} + 144]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 9
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 112], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 224]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 144], xmm0
    # Lane 1: first hash, rounds 40 and 41
    vmovq xmm0, [rdi + rcx + 160]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 9
    vmovdqa xmm0, [rdi + {lane_0} + 128]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 208], xmm0
    # Lane 0: first hash, rounds 42 and 43
    vmovq xmm0, [rdi + rax + 168]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 39 and 40
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 37 and 38
    vpaddd xmm0, xmm15, [rdi + {k} + 144]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 10
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 128], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 240]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 160], xmm0
    # Lane 2: first hash, rounds 40 and 41
    vmovq xmm0, [rdi + r8 + 160]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 9
    vmovdqa xmm0, [rdi + {lane_1} + 128]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 208], xmm0
    # Lane 1: first hash, rounds 42 and 43
    vmovq xmm0, [rdi + rcx + 168]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 41 and 42
    vpaddd xmm0, xmm13, [rdi + {k} + 160]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 39 and 40
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 10
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 128], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 240]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 160], xmm0
    # Lane 0: first hash, rounds 44 and 45
    vmovq xmm0, [rdi + rax + 176]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 9
    vmovdqa xmm0, [rdi + {lane_2} + 128]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 208], xmm0
    # Lane 2: first hash, rounds 42 and 43
    vmovq xmm0, [rdi + r8 + 168]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 43 and 44
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 41 and 42
    vpaddd xmm0, xmm14, [rdi + {k} + 160]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 10
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 128], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 240]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 160], xmm0
    # Lane 1: first hash, rounds 44 and 45
    vmovq xmm0, [rdi + rcx + 176]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 10
    vmovdqa xmm0, [rdi + {lane_0} + 144]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 224], xmm0
    # Lane 0: first hash, rounds 46 and 47
    vmovq xmm0, [rdi + rax + 184]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 43 and 44
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 41 and 42
    vpaddd xmm0, xmm15, [rdi + {k} + 160]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 11
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 144], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 256]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 176], xmm0
    # Lane 2: first hash, rounds 44 and 45
    vmovq xmm0, [rdi + r8 + 176]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 10
    vmovdqa xmm0, [rdi + {lane_1} + 144]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 224], xmm0
    # Lane 1: first hash, rounds 46 and 47
    vmovq xmm0, [rdi + rcx + 184]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 45 and 46
    vpaddd xmm0, xmm13, [rdi + {k} + 176]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 43 and 44
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 11
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 144], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 256]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 176], xmm0
    # Lane 0: first hash, rounds 48 and 49
    vmovq xmm0, [rdi + rax + 192]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 10
    vmovdqa xmm0, [rdi + {lane_2} + 144]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 224], xmm0
    # Lane 2: first hash, rounds 46 and 47
    vmovq xmm0, [rdi + r8 + 184]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 47 and 48
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 45 and 46
    vpaddd xmm0, xmm14, [rdi + {k} + 176]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 11
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 144], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 256]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 176], xmm0
    # Lane 1: first hash, rounds 48 and 49
    vmovq xmm0, [rdi + rcx + 192]
    sha256rnds2 xmm4, xmm3
    # Lane 0: sums that need word group 11
    vmovdqa xmm0, [rdi + {lane_0} + 160]
    sha256msg1 xmm0, xmm13
    vmovdqa [rdi + {lane_0} + 240], xmm0
    # Lane 0: first hash, rounds 50 and 51
    vmovq xmm0, [rdi + rax + 200]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 47 and 48
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 45 and 46
    vpaddd xmm0, xmm15, [rdi + {k} + 176]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 12
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 160], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 208]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    vmovdqa [rdi + {lane_0} + 192], xmm0
    # Lane 2: first hash, rounds 48 and 49
    vmovq xmm0, [rdi + r8 + 192]
    sha256rnds2 xmm6, xmm5
    # Lane 1: sums that need word group 11
    vmovdqa xmm0, [rdi + {lane_1} + 160]
    sha256msg1 xmm0, xmm14
    vmovdqa [rdi + {lane_1} + 240], xmm0
    # Lane 1: first hash, rounds 50 and 51
    vmovq xmm0, [rdi + rcx + 200]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 49 and 50
    vpaddd xmm0, xmm13, [rdi + {k} + 192]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 47 and 48
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 12
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 160], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 208]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    vmovdqa [rdi + {lane_1} + 192], xmm0
    # Lane 0: first hash, rounds 52 and 53
    vmovq xmm0, [rdi + rax + 208]
    sha256rnds2 xmm2, xmm1
    # Lane 2: sums that need word group 11
    vmovdqa xmm0, [rdi + {lane_2} + 160]
    sha256msg1 xmm0, xmm15
    vmovdqa [rdi + {lane_2} + 240], xmm0
    # Lane 2: first hash, rounds 50 and 51
    vmovq xmm0, [rdi + r8 + 200]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 51 and 52
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 49 and 50
    vpaddd xmm0, xmm14, [rdi + {k} + 192]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 12
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 160], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 208]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    vmovdqa [rdi + {lane_2} + 192], xmm0
    # Lane 1: first hash, rounds 52 and 53
    vmovq xmm0, [rdi + rcx + 208]
    sha256rnds2 xmm4, xmm3
    # Lane 0: first hash, rounds 54 and 55
    vmovq xmm0, [rdi + rax + 216]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 51 and 52
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 49 and 50
    vpaddd xmm0, xmm15, [rdi + {k} + 192]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 13
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 176], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 224]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    # Lane 2: first hash, rounds 52 and 53
    vmovq xmm0, [rdi + r8 + 208]
    sha256rnds2 xmm6, xmm5
    # Lane 1: first hash, rounds 54 and 55
    vmovq xmm0, [rdi + rcx + 216]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 53 and 54
    vpaddd xmm0, xmm13, [rdi + {k} + 208]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 51 and 52
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 13
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 176], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 224]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    # Lane 0: first hash, rounds 56 and 57
    vmovq xmm0, [rdi + rax + 224]
    sha256rnds2 xmm2, xmm1
    # Lane 2: first hash, rounds 54 and 55
    vmovq xmm0, [rdi + r8 + 216]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 55 and 56
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 53 and 54
    vpaddd xmm0, xmm14, [rdi + {k} + 208]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 13
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 176], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 224]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    # Lane 1: first hash, rounds 56 and 57
    vmovq xmm0, [rdi + rcx + 224]
    sha256rnds2 xmm4, xmm3
    # Lane 0: first hash, rounds 58 and 59
    vmovq xmm0, [rdi + rax + 232]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 55 and 56
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 53 and 54
    vpaddd xmm0, xmm15, [rdi + {k} + 208]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
    # Lane 0: word group 14
    vpalignr xmm0, xmm13, [rdi + {lane_0} + 192], 4
    vpaddd xmm0, xmm0, [rdi + {lane_0} + 240]
    sha256msg2 xmm0, xmm13
    vmovdqa xmm13, xmm0
    # Lane 2: first hash, rounds 56 and 57
    vmovq xmm0, [rdi + r8 + 224]
    sha256rnds2 xmm6, xmm5
    # Lane 1: first hash, rounds 58 and 59
    vmovq xmm0, [rdi + rcx + 232]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 57 and 58
    vpaddd xmm0, xmm13, [rdi + {k} + 224]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 55 and 56
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: word group 14
    vpalignr xmm0, xmm14, [rdi + {lane_1} + 192], 4
    vpaddd xmm0, xmm0, [rdi + {lane_1} + 240]
    sha256msg2 xmm0, xmm14
    vmovdqa xmm14, xmm0
    # Lane 0: first hash, rounds 60 and 61
    vmovq xmm0, [rdi + rax + 240]
    sha256rnds2 xmm2, xmm1
    # Lane 2: first hash, rounds 58 and 59
    vmovq xmm0, [rdi + r8 + 232]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 59 and 60
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 57 and 58
    vpaddd xmm0, xmm14, [rdi + {k} + 224]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: word group 14
    vpalignr xmm0, xmm15, [rdi + {lane_2} + 192], 4
    vpaddd xmm0, xmm0, [rdi + {lane_2} + 240]
    sha256msg2 xmm0, xmm15
    vmovdqa xmm15, xmm0
    # Lane 1: first hash, rounds 60 and 61
    vmovq xmm0, [rdi + rcx + 240]
    sha256rnds2 xmm4, xmm3
    # Lane 0: first hash, rounds 62 and 63
    vmovq xmm0, [rdi + rax + 248]
    sha256rnds2 xmm1, xmm2
    # Lane 1: second hash, rounds 59 and 60
    vmovq xmm0, [rdi + {lane_1} + 40]
    sha256rnds2 xmm9, xmm10
    # Lane 2: second hash, rounds 57 and 58
    vpaddd xmm0, xmm15, [rdi + {k} + 224]
    vmovdqa [rdi + {lane_2} + 32], xmm0
    sha256rnds2 xmm12, xmm11
3:
    # Lane 0: turn
    vmovq [rdi + rsi + {results} + 0], xmm7
    vinsertps xmm7, xmm1, xmm1, 0xd5
    vpaddd xmm1, xmm1, [rdi + r9 + 32]
    vpaddd xmm2, xmm2, [rdi + r9 + 48]
    vpaddd xmm7, xmm7, [rdi + r9 + 64]
    vmovdqa xmm8, [rdi + {cdgh_0}]
    vshufps xmm13, xmm1, xmm2, 0xb6
    vpshufd xmm13, xmm13, 0x78
    vmovdqa [rdi + {lane_0} + 0], xmm13
    vpshufd xmm0, xmm2, 0xc7
    vinsertps xmm0, xmm0, xmm1, 0x8
    vpor xmm0, xmm0, [rdi + {words_5_to_8}]
    vmovdqa [rdi + {lane_0} + 16], xmm0
    sha256msg1 xmm1, xmm13
    vpblendw xmm1, xmm1, [rdi + {words_13_to_16}], 0x3f
    vmovdqa [rdi + {lane_0} + 48], xmm1
    mov eax, [rdi + rsi + {jobs} + 0]
    mov r9d, [rdi + rsi + {jobs} + 4]
    vmovdqa xmm1, [rdi + r9 + 0]
    vpaddd xmm1, xmm1, [rdi + rax]
    vmovdqa xmm2, [rdi + r9 + 16]
    # Lane 2: first hash, rounds 60 and 61
    vmovq xmm0, [rdi + r8 + 240]
    sha256rnds2 xmm6, xmm5
    # Lane 1: first hash, rounds 62 and 63
    vmovq xmm0, [rdi + rcx + 248]
    sha256rnds2 xmm3, xmm4
    # Lane 0: second hash, rounds 1 and 2
    vpaddd xmm0, xmm13, [rdi + {k} + 0]
    vmovdqa [rdi + {lane_0} + 32], xmm0
    sha256rnds2 xmm8, xmm7
    # Lane 2: second hash, rounds 59 and 60
    vmovq xmm0, [rdi + {lane_2} + 40]
    sha256rnds2 xmm11, xmm12
    # Lane 1: turn
    vmovq [rdi + rsi + {results} + 8], xmm9
    vinsertps xmm9, xmm3, xmm3, 0xd5
    vpaddd xmm3, xmm3, [rdi + r10 + 32]
    vpaddd xmm4, xmm4, [rdi + r10 + 48]
    vpaddd xmm9, xmm9, [rdi + r10 + 64]
    vmovdqa xmm10, [rdi + {cdgh_0}]
    vshufps xmm14, xmm3, xmm4, 0xb6
    vpshufd xmm14, xmm14, 0x78
    vmovdqa [rdi + {lane_1} + 0], xmm14
    vpshufd xmm0, xmm4, 0xc7
    vinsertps xmm0, xmm0, xmm3, 0x8
    vpor xmm0, xmm0, [rdi + {words_5_to_8}]
    vmovdqa [rdi + {lane_1} + 16], xmm0
    sha256msg1 xmm3, xmm14
    vpblendw xmm3, xmm3, [rdi + {words_13_to_16}], 0x3f
    vmovdqa [rdi + {lane_1} + 48], xmm3
    mov ecx, [rdi + rsi + {jobs} + 8]
    mov r10d, [rdi + rsi + {jobs} + 12]
    vmovdqa xmm3, [rdi + r10 + 0]
    vpaddd xmm3, xmm3, [rdi + rcx]
    vmovdqa xmm4, [rdi + r10 + 16]
    # Lane 0: first hash, rounds 4 and 5
    vmovq xmm0, [rdi + rax + 16]
    sha256rnds2 xmm2, xmm1
    # Lane 2: first hash, rounds 62 and 63
    vmovq xmm0, [rdi + r8 + 248]
    sha256rnds2 xmm5, xmm6
    # Lane 0: second hash, rounds 3 and 4
    vmovq xmm0, [rdi + {lane_0} + 40]
    sha256rnds2 xmm7, xmm8
    # Lane 1: second hash, rounds 1 and 2
    vpaddd xmm0, xmm14, [rdi + {k} + 0]
    vmovdqa [rdi + {lane_1} + 32], xmm0
    sha256rnds2 xmm10, xmm9
    # Lane 2: turn
    vmovq [rdi + rsi + {results} + 16], xmm11
    vinsertps xmm11, xmm5, xmm5, 0xd5
    vpaddd xmm5, xmm5, [rdi + r11 + 32]
    vpaddd xmm6, xmm6, [rdi + r11 + 48]
    vpaddd xmm11, xmm11, [rdi + r11 + 64]
    vmovdqa xmm12, [rdi + {cdgh_0}]
    vshufps xmm15, xmm5, xmm6, 0xb6
    vpshufd xmm15, xmm15, 0x78
    vmovdqa [rdi + {lane_2} + 0], xmm15
    vpshufd xmm0, xmm6, 0xc7
    vinsertps xmm0, xmm0, xmm5, 0x8
    vpor xmm0, xmm0, [rdi + {words_5_to_8}]
    vmovdqa [rdi + {lane_2} + 16], xmm0
    sha256msg1 xmm5, xmm15
    vpblendw xmm5, xmm5, [rdi + {words_13_to_16}], 0x3f
    vmovdqa [rdi + {lane_2} + 48], xmm5
    mov r8d, [rdi + rsi + {jobs} + 16]
    mov r11d, [rdi + rsi + {jobs} + 20]
    vmovdqa xmm5, [rdi + r11 + 0]
    vpaddd xmm5, xmm5, [rdi + r8]
    vmovdqa xmm6, [rdi + r11 + 16]
    add rsi, 24
    cmp rsi, rdx
    jne 2b
    ret
