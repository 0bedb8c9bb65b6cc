# Written by `generate.rs`, which explains it. Do not edit.
    .p2align 6
2:
    # The variables before round 4, `h` with W and K
    vmovdqa64 zmm0, [rsi]
    vpaddd zmm0, zmm0, dword ptr [rdx + 32]{{1to16}}
    vpbroadcastd zmm1, dword ptr [rdx + 36]
    vpbroadcastd zmm2, dword ptr [rdx + 40]
    vpbroadcastd zmm3, dword ptr [rdx + 44]
    vmovdqa64 zmm4, [rsi]
    vpaddd zmm4, zmm4, dword ptr [rdx + 48]{{1to16}}
    vpbroadcastd zmm5, dword ptr [rdx + 52]
    vpbroadcastd zmm6, dword ptr [rdx + 56]
    vpbroadcastd zmm7, dword ptr [rdx + 60]
    # Round 4
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    vprord zmm28, zmm0, 2
    vprord zmm29, zmm0, 13
    vprord zmm30, zmm0, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm0
    vpternlogd zmm31, zmm1, zmm2, 0xe8
    vpaddd zmm7, zmm7, zmm31
    vpaddd zmm7, zmm7, zmm28
    # Round 5
    vpbroadcastd zmm6, dword ptr [rdx + 64]
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    vprord zmm28, zmm7, 2
    vprord zmm29, zmm7, 13
    vprord zmm30, zmm7, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm7
    vpternlogd zmm31, zmm0, zmm1, 0xe8
    vpaddd zmm6, zmm6, zmm31
    vpaddd zmm6, zmm6, zmm28
    # Round 6
    vpbroadcastd zmm5, dword ptr [rdx + 68]
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    vprord zmm28, zmm6, 2
    vprord zmm29, zmm6, 13
    vprord zmm30, zmm6, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm6
    vpternlogd zmm31, zmm7, zmm0, 0xe8
    vpaddd zmm5, zmm5, zmm31
    vpaddd zmm5, zmm5, zmm28
    # Round 7
    vpaddd zmm4, zmm4, [rsi + 448]
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vprord zmm28, zmm5, 2
    vprord zmm29, zmm5, 13
    vprord zmm30, zmm5, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm5
    vpternlogd zmm31, zmm6, zmm7, 0xe8
    vpaddd zmm4, zmm4, zmm31
    vpaddd zmm4, zmm4, zmm28
    lea r9, [rsi + 512]
    lea r10, [rsi + 4096]
    .p2align 6
3:
    # Round 8
    vpaddd zmm3, zmm3, [r9 + 0]
    vprord zmm24, zmm0, 6
    vprord zmm25, zmm0, 11
    vprord zmm26, zmm0, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm0
    vpternlogd zmm27, zmm1, zmm2, 0xca
    vpaddd zmm3, zmm3, zmm27
    vpaddd zmm3, zmm3, zmm24
    vpaddd zmm7, zmm7, zmm3
    vprord zmm28, zmm4, 2
    vprord zmm29, zmm4, 13
    vprord zmm30, zmm4, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm4
    vpternlogd zmm31, zmm5, zmm6, 0xe8
    vpaddd zmm3, zmm3, zmm31
    vpaddd zmm3, zmm3, zmm28
    # Round 9
    vpaddd zmm2, zmm2, [r9 + 64]
    vprord zmm24, zmm7, 6
    vprord zmm25, zmm7, 11
    vprord zmm26, zmm7, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm7
    vpternlogd zmm27, zmm0, zmm1, 0xca
    vpaddd zmm2, zmm2, zmm27
    vpaddd zmm2, zmm2, zmm24
    vpaddd zmm6, zmm6, zmm2
    vprord zmm28, zmm3, 2
    vprord zmm29, zmm3, 13
    vprord zmm30, zmm3, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm3
    vpternlogd zmm31, zmm4, zmm5, 0xe8
    vpaddd zmm2, zmm2, zmm31
    vpaddd zmm2, zmm2, zmm28
    # Round 10
    vpaddd zmm1, zmm1, [r9 + 128]
    vprord zmm24, zmm6, 6
    vprord zmm25, zmm6, 11
    vprord zmm26, zmm6, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm6
    vpternlogd zmm27, zmm7, zmm0, 0xca
    vpaddd zmm1, zmm1, zmm27
    vpaddd zmm1, zmm1, zmm24
    vpaddd zmm5, zmm5, zmm1
    vprord zmm28, zmm2, 2
    vprord zmm29, zmm2, 13
    vprord zmm30, zmm2, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm2
    vpternlogd zmm31, zmm3, zmm4, 0xe8
    vpaddd zmm1, zmm1, zmm31
    vpaddd zmm1, zmm1, zmm28
    # Round 11
    vpaddd zmm0, zmm0, [r9 + 192]
    vprord zmm24, zmm5, 6
    vprord zmm25, zmm5, 11
    vprord zmm26, zmm5, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm5
    vpternlogd zmm27, zmm6, zmm7, 0xca
    vpaddd zmm0, zmm0, zmm27
    vpaddd zmm0, zmm0, zmm24
    vpaddd zmm4, zmm4, zmm0
    vprord zmm28, zmm1, 2
    vprord zmm29, zmm1, 13
    vprord zmm30, zmm1, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm1
    vpternlogd zmm31, zmm2, zmm3, 0xe8
    vpaddd zmm0, zmm0, zmm31
    vpaddd zmm0, zmm0, zmm28
    # Round 12
    vpaddd zmm7, zmm7, [r9 + 256]
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    vprord zmm28, zmm0, 2
    vprord zmm29, zmm0, 13
    vprord zmm30, zmm0, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm0
    vpternlogd zmm31, zmm1, zmm2, 0xe8
    vpaddd zmm7, zmm7, zmm31
    vpaddd zmm7, zmm7, zmm28
    # Round 13
    vpaddd zmm6, zmm6, [r9 + 320]
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    vprord zmm28, zmm7, 2
    vprord zmm29, zmm7, 13
    vprord zmm30, zmm7, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm7
    vpternlogd zmm31, zmm0, zmm1, 0xe8
    vpaddd zmm6, zmm6, zmm31
    vpaddd zmm6, zmm6, zmm28
    # Round 14
    vpaddd zmm5, zmm5, [r9 + 384]
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    vprord zmm28, zmm6, 2
    vprord zmm29, zmm6, 13
    vprord zmm30, zmm6, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm6
    vpternlogd zmm31, zmm7, zmm0, 0xe8
    vpaddd zmm5, zmm5, zmm31
    vpaddd zmm5, zmm5, zmm28
    # Round 15
    vpaddd zmm4, zmm4, [r9 + 448]
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vprord zmm28, zmm5, 2
    vprord zmm29, zmm5, 13
    vprord zmm30, zmm5, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm5
    vpternlogd zmm31, zmm6, zmm7, 0xe8
    vpaddd zmm4, zmm4, zmm31
    vpaddd zmm4, zmm4, zmm28
    add r9, 512
    cmp r9, r10
    jne 3b
    # The digest
    vpaddd zmm8, zmm4, dword ptr [rdx + 0]{{1to16}}
    vpaddd zmm9, zmm5, dword ptr [rdx + 4]{{1to16}}
    vpaddd zmm10, zmm6, dword ptr [rdx + 8]{{1to16}}
    vpaddd zmm11, zmm7, dword ptr [rdx + 12]{{1to16}}
    vpaddd zmm12, zmm0, dword ptr [rdx + 16]{{1to16}}
    vpaddd zmm13, zmm1, dword ptr [rdx + 20]{{1to16}}
    vpaddd zmm14, zmm2, dword ptr [rdx + 24]{{1to16}}
    vpaddd zmm15, zmm3, dword ptr [rdx + 28]{{1to16}}
    # The variables after round 0, but `h`, which is in the sums of rounds
    vpaddd zmm0, zmm8, dword ptr [rdi + {after_0} + 0]{{1to16}}
    vpbroadcastd zmm1, dword ptr [rdi + {after_0} + 4]
    vpbroadcastd zmm2, dword ptr [rdi + {after_0} + 8]
    vpbroadcastd zmm3, dword ptr [rdi + {after_0} + 12]
    vpaddd zmm4, zmm8, dword ptr [rdi + {after_0} + 16]{{1to16}}
    vpbroadcastd zmm5, dword ptr [rdi + {after_0} + 20]
    vpbroadcastd zmm6, dword ptr [rdi + {after_0} + 24]
    # Round 1
    vpaddd zmm7, zmm9, dword ptr [rdi + {k} + 4]{{1to16}}
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    vprord zmm28, zmm0, 2
    vprord zmm29, zmm0, 13
    vprord zmm30, zmm0, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm0
    vpternlogd zmm31, zmm1, zmm2, 0xe8
    vpaddd zmm7, zmm7, zmm31
    vpaddd zmm7, zmm7, zmm28
    # Round 2
    vpaddd zmm6, zmm10, dword ptr [rdi + {k} + 8]{{1to16}}
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    vprord zmm28, zmm7, 2
    vprord zmm29, zmm7, 13
    vprord zmm30, zmm7, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm7
    vpternlogd zmm31, zmm0, zmm1, 0xe8
    vpaddd zmm6, zmm6, zmm31
    vpaddd zmm6, zmm6, zmm28
    # Round 3
    vpaddd zmm5, zmm11, dword ptr [rdi + {k} + 12]{{1to16}}
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    vprord zmm28, zmm6, 2
    vprord zmm29, zmm6, 13
    vprord zmm30, zmm6, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm6
    vpternlogd zmm31, zmm7, zmm0, 0xe8
    vpaddd zmm5, zmm5, zmm31
    vpaddd zmm5, zmm5, zmm28
    # Round 4
    vpaddd zmm4, zmm4, dword ptr [rdi + {k} + 16]{{1to16}}
    vpaddd zmm4, zmm4, zmm12
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vprord zmm28, zmm5, 2
    vprord zmm29, zmm5, 13
    vprord zmm30, zmm5, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm5
    vpternlogd zmm31, zmm6, zmm7, 0xe8
    vpaddd zmm4, zmm4, zmm31
    vpaddd zmm4, zmm4, zmm28
    # Round 5
    vpaddd zmm3, zmm3, dword ptr [rdi + {k} + 20]{{1to16}}
    vpaddd zmm3, zmm3, zmm13
    vprord zmm24, zmm0, 6
    vprord zmm25, zmm0, 11
    vprord zmm26, zmm0, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm0
    vpternlogd zmm27, zmm1, zmm2, 0xca
    vpaddd zmm3, zmm3, zmm27
    vpaddd zmm3, zmm3, zmm24
    vpaddd zmm7, zmm7, zmm3
    vprord zmm28, zmm4, 2
    vprord zmm29, zmm4, 13
    vprord zmm30, zmm4, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm4
    vpternlogd zmm31, zmm5, zmm6, 0xe8
    vpaddd zmm3, zmm3, zmm31
    vpaddd zmm3, zmm3, zmm28
    # Round 6
    vpaddd zmm2, zmm2, dword ptr [rdi + {k} + 24]{{1to16}}
    vpaddd zmm2, zmm2, zmm14
    vprord zmm24, zmm7, 6
    vprord zmm25, zmm7, 11
    vprord zmm26, zmm7, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm7
    vpternlogd zmm27, zmm0, zmm1, 0xca
    vpaddd zmm2, zmm2, zmm27
    vpaddd zmm2, zmm2, zmm24
    vpaddd zmm6, zmm6, zmm2
    vprord zmm28, zmm3, 2
    vprord zmm29, zmm3, 13
    vprord zmm30, zmm3, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm3
    vpternlogd zmm31, zmm4, zmm5, 0xe8
    vpaddd zmm2, zmm2, zmm31
    vpaddd zmm2, zmm2, zmm28
    # Round 7
    vpaddd zmm1, zmm1, dword ptr [rdi + {k} + 28]{{1to16}}
    vpaddd zmm1, zmm1, zmm15
    vprord zmm24, zmm6, 6
    vprord zmm25, zmm6, 11
    vprord zmm26, zmm6, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm6
    vpternlogd zmm27, zmm7, zmm0, 0xca
    vpaddd zmm1, zmm1, zmm27
    vpaddd zmm1, zmm1, zmm24
    vpaddd zmm5, zmm5, zmm1
    vprord zmm28, zmm2, 2
    vprord zmm29, zmm2, 13
    vprord zmm30, zmm2, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm2
    vpternlogd zmm31, zmm3, zmm4, 0xe8
    vpaddd zmm1, zmm1, zmm31
    vpaddd zmm1, zmm1, zmm28
    # Round 8
    vpaddd zmm0, zmm0, dword ptr [rdi + {k} + 32]{{1to16}}
    vprord zmm24, zmm5, 6
    vprord zmm25, zmm5, 11
    vprord zmm26, zmm5, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm5
    vpternlogd zmm27, zmm6, zmm7, 0xca
    vpaddd zmm0, zmm0, zmm27
    vpaddd zmm0, zmm0, zmm24
    vpaddd zmm4, zmm4, zmm0
    vprord zmm28, zmm1, 2
    vprord zmm29, zmm1, 13
    vprord zmm30, zmm1, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm1
    vpternlogd zmm31, zmm2, zmm3, 0xe8
    vpaddd zmm0, zmm0, zmm31
    vpaddd zmm0, zmm0, zmm28
    # Round 9
    vpaddd zmm7, zmm7, dword ptr [rdi + {k} + 36]{{1to16}}
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    vprord zmm28, zmm0, 2
    vprord zmm29, zmm0, 13
    vprord zmm30, zmm0, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm0
    vpternlogd zmm31, zmm1, zmm2, 0xe8
    vpaddd zmm7, zmm7, zmm31
    vpaddd zmm7, zmm7, zmm28
    # Round 10
    vpaddd zmm6, zmm6, dword ptr [rdi + {k} + 40]{{1to16}}
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    vprord zmm28, zmm7, 2
    vprord zmm29, zmm7, 13
    vprord zmm30, zmm7, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm7
    vpternlogd zmm31, zmm0, zmm1, 0xe8
    vpaddd zmm6, zmm6, zmm31
    vpaddd zmm6, zmm6, zmm28
    # Round 11
    vpaddd zmm5, zmm5, dword ptr [rdi + {k} + 44]{{1to16}}
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    vprord zmm28, zmm6, 2
    vprord zmm29, zmm6, 13
    vprord zmm30, zmm6, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm6
    vpternlogd zmm31, zmm7, zmm0, 0xe8
    vpaddd zmm5, zmm5, zmm31
    vpaddd zmm5, zmm5, zmm28
    # Round 12
    vpaddd zmm4, zmm4, dword ptr [rdi + {k} + 48]{{1to16}}
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vprord zmm28, zmm5, 2
    vprord zmm29, zmm5, 13
    vprord zmm30, zmm5, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm5
    vpternlogd zmm31, zmm6, zmm7, 0xe8
    vpaddd zmm4, zmm4, zmm31
    vpaddd zmm4, zmm4, zmm28
    # Round 13
    vpaddd zmm3, zmm3, dword ptr [rdi + {k} + 52]{{1to16}}
    vprord zmm24, zmm0, 6
    vprord zmm25, zmm0, 11
    vprord zmm26, zmm0, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm0
    vpternlogd zmm27, zmm1, zmm2, 0xca
    vpaddd zmm3, zmm3, zmm27
    vpaddd zmm3, zmm3, zmm24
    vpaddd zmm7, zmm7, zmm3
    vprord zmm28, zmm4, 2
    vprord zmm29, zmm4, 13
    vprord zmm30, zmm4, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm4
    vpternlogd zmm31, zmm5, zmm6, 0xe8
    vpaddd zmm3, zmm3, zmm31
    vpaddd zmm3, zmm3, zmm28
    # Round 14
    vpaddd zmm2, zmm2, dword ptr [rdi + {k} + 56]{{1to16}}
    vprord zmm24, zmm7, 6
    vprord zmm25, zmm7, 11
    vprord zmm26, zmm7, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm7
    vpternlogd zmm27, zmm0, zmm1, 0xca
    vpaddd zmm2, zmm2, zmm27
    vpaddd zmm2, zmm2, zmm24
    vpaddd zmm6, zmm6, zmm2
    vprord zmm28, zmm3, 2
    vprord zmm29, zmm3, 13
    vprord zmm30, zmm3, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm3
    vpternlogd zmm31, zmm4, zmm5, 0xe8
    vpaddd zmm2, zmm2, zmm31
    vpaddd zmm2, zmm2, zmm28
    # Round 15
    vpaddd zmm1, zmm1, dword ptr [rdi + {k} + 60]{{1to16}}
    vprord zmm24, zmm6, 6
    vprord zmm25, zmm6, 11
    vprord zmm26, zmm6, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm6
    vpternlogd zmm27, zmm7, zmm0, 0xca
    vpaddd zmm1, zmm1, zmm27
    vpaddd zmm1, zmm1, zmm24
    vpaddd zmm5, zmm5, zmm1
    vprord zmm28, zmm2, 2
    vprord zmm29, zmm2, 13
    vprord zmm30, zmm2, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm2
    vpternlogd zmm31, zmm3, zmm4, 0xe8
    vpaddd zmm1, zmm1, zmm31
    vpaddd zmm1, zmm1, zmm28
    # Word 16
    vprord zmm24, zmm9, 7
    vprord zmm25, zmm9, 18
    vpsrld zmm26, zmm9, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vpaddd zmm8, zmm8, zmm24
    # Round 16
    vpaddd zmm0, zmm0, dword ptr [rdi + {k} + 64]{{1to16}}
    vpaddd zmm0, zmm0, zmm8
    vprord zmm24, zmm5, 6
    vprord zmm25, zmm5, 11
    vprord zmm26, zmm5, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm5
    vpternlogd zmm27, zmm6, zmm7, 0xca
    vpaddd zmm0, zmm0, zmm27
    vpaddd zmm0, zmm0, zmm24
    vpaddd zmm4, zmm4, zmm0
    vprord zmm28, zmm1, 2
    vprord zmm29, zmm1, 13
    vprord zmm30, zmm1, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm1
    vpternlogd zmm31, zmm2, zmm3, 0xe8
    vpaddd zmm0, zmm0, zmm31
    vpaddd zmm0, zmm0, zmm28
    # Word 17
    vprord zmm24, zmm10, 7
    vprord zmm25, zmm10, 18
    vpsrld zmm26, zmm10, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vpaddd zmm9, zmm9, zmm24
    vpaddd zmm9, zmm9, dword ptr [rdi + {known} + 4]{{1to16}}
    # Round 17
    vpaddd zmm7, zmm7, dword ptr [rdi + {k} + 68]{{1to16}}
    vpaddd zmm7, zmm7, zmm9
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    vprord zmm28, zmm0, 2
    vprord zmm29, zmm0, 13
    vprord zmm30, zmm0, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm0
    vpternlogd zmm31, zmm1, zmm2, 0xe8
    vpaddd zmm7, zmm7, zmm31
    vpaddd zmm7, zmm7, zmm28
    # Word 18
    vprord zmm24, zmm11, 7
    vprord zmm25, zmm11, 18
    vpsrld zmm26, zmm11, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm8, 17
    vprord zmm29, zmm8, 19
    vpsrld zmm30, zmm8, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm10, zmm10, zmm24
    vpaddd zmm10, zmm10, zmm28
    # Round 18
    vpaddd zmm6, zmm6, dword ptr [rdi + {k} + 72]{{1to16}}
    vpaddd zmm6, zmm6, zmm10
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    vprord zmm28, zmm7, 2
    vprord zmm29, zmm7, 13
    vprord zmm30, zmm7, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm7
    vpternlogd zmm31, zmm0, zmm1, 0xe8
    vpaddd zmm6, zmm6, zmm31
    vpaddd zmm6, zmm6, zmm28
    # Word 19
    vprord zmm24, zmm12, 7
    vprord zmm25, zmm12, 18
    vpsrld zmm26, zmm12, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm9, 17
    vprord zmm29, zmm9, 19
    vpsrld zmm30, zmm9, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm11, zmm11, zmm24
    vpaddd zmm11, zmm11, zmm28
    # Round 19
    vpaddd zmm5, zmm5, dword ptr [rdi + {k} + 76]{{1to16}}
    vpaddd zmm5, zmm5, zmm11
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    vprord zmm28, zmm6, 2
    vprord zmm29, zmm6, 13
    vprord zmm30, zmm6, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm6
    vpternlogd zmm31, zmm7, zmm0, 0xe8
    vpaddd zmm5, zmm5, zmm31
    vpaddd zmm5, zmm5, zmm28
    # Word 20
    vprord zmm24, zmm13, 7
    vprord zmm25, zmm13, 18
    vpsrld zmm26, zmm13, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm10, 17
    vprord zmm29, zmm10, 19
    vpsrld zmm30, zmm10, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm12, zmm12, zmm24
    vpaddd zmm12, zmm12, zmm28
    # Round 20
    vpaddd zmm4, zmm4, dword ptr [rdi + {k} + 80]{{1to16}}
    vpaddd zmm4, zmm4, zmm12
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vprord zmm28, zmm5, 2
    vprord zmm29, zmm5, 13
    vprord zmm30, zmm5, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm5
    vpternlogd zmm31, zmm6, zmm7, 0xe8
    vpaddd zmm4, zmm4, zmm31
    vpaddd zmm4, zmm4, zmm28
    # Word 21
    vprord zmm24, zmm14, 7
    vprord zmm25, zmm14, 18
    vpsrld zmm26, zmm14, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm11, 17
    vprord zmm29, zmm11, 19
    vpsrld zmm30, zmm11, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm13, zmm13, zmm24
    vpaddd zmm13, zmm13, zmm28
    # Round 21
    vpaddd zmm3, zmm3, dword ptr [rdi + {k} + 84]{{1to16}}
    vpaddd zmm3, zmm3, zmm13
    vprord zmm24, zmm0, 6
    vprord zmm25, zmm0, 11
    vprord zmm26, zmm0, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm0
    vpternlogd zmm27, zmm1, zmm2, 0xca
    vpaddd zmm3, zmm3, zmm27
    vpaddd zmm3, zmm3, zmm24
    vpaddd zmm7, zmm7, zmm3
    vprord zmm28, zmm4, 2
    vprord zmm29, zmm4, 13
    vprord zmm30, zmm4, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm4
    vpternlogd zmm31, zmm5, zmm6, 0xe8
    vpaddd zmm3, zmm3, zmm31
    vpaddd zmm3, zmm3, zmm28
    # Word 22
    vprord zmm24, zmm15, 7
    vprord zmm25, zmm15, 18
    vpsrld zmm26, zmm15, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm12, 17
    vprord zmm29, zmm12, 19
    vpsrld zmm30, zmm12, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm14, zmm14, zmm24
    vpaddd zmm14, zmm14, zmm28
    vpaddd zmm14, zmm14, dword ptr [rdi + {known} + 24]{{1to16}}
    # Round 22
    vpaddd zmm2, zmm2, dword ptr [rdi + {k} + 88]{{1to16}}
    vpaddd zmm2, zmm2, zmm14
    vprord zmm24, zmm7, 6
    vprord zmm25, zmm7, 11
    vprord zmm26, zmm7, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm7
    vpternlogd zmm27, zmm0, zmm1, 0xca
    vpaddd zmm2, zmm2, zmm27
    vpaddd zmm2, zmm2, zmm24
    vpaddd zmm6, zmm6, zmm2
    vprord zmm28, zmm3, 2
    vprord zmm29, zmm3, 13
    vprord zmm30, zmm3, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm3
    vpternlogd zmm31, zmm4, zmm5, 0xe8
    vpaddd zmm2, zmm2, zmm31
    vpaddd zmm2, zmm2, zmm28
    # Word 23
    vprord zmm28, zmm13, 17
    vprord zmm29, zmm13, 19
    vpsrld zmm30, zmm13, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm15, zmm15, zmm8
    vpaddd zmm15, zmm15, zmm28
    vpaddd zmm15, zmm15, dword ptr [rdi + {known} + 28]{{1to16}}
    # Round 23
    vpaddd zmm1, zmm1, dword ptr [rdi + {k} + 92]{{1to16}}
    vpaddd zmm1, zmm1, zmm15
    vprord zmm24, zmm6, 6
    vprord zmm25, zmm6, 11
    vprord zmm26, zmm6, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm6
    vpternlogd zmm27, zmm7, zmm0, 0xca
    vpaddd zmm1, zmm1, zmm27
    vpaddd zmm1, zmm1, zmm24
    vpaddd zmm5, zmm5, zmm1
    vprord zmm28, zmm2, 2
    vprord zmm29, zmm2, 13
    vprord zmm30, zmm2, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm2
    vpternlogd zmm31, zmm3, zmm4, 0xe8
    vpaddd zmm1, zmm1, zmm31
    vpaddd zmm1, zmm1, zmm28
    # Word 24
    vprord zmm28, zmm14, 17
    vprord zmm29, zmm14, 19
    vpsrld zmm30, zmm14, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm16, zmm9, zmm28
    vpaddd zmm16, zmm16, dword ptr [rdi + {known} + 32]{{1to16}}
    # Round 24
    vpaddd zmm0, zmm0, dword ptr [rdi + {k} + 96]{{1to16}}
    vpaddd zmm0, zmm0, zmm16
    vprord zmm24, zmm5, 6
    vprord zmm25, zmm5, 11
    vprord zmm26, zmm5, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm5
    vpternlogd zmm27, zmm6, zmm7, 0xca
    vpaddd zmm0, zmm0, zmm27
    vpaddd zmm0, zmm0, zmm24
    vpaddd zmm4, zmm4, zmm0
    vprord zmm28, zmm1, 2
    vprord zmm29, zmm1, 13
    vprord zmm30, zmm1, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm1
    vpternlogd zmm31, zmm2, zmm3, 0xe8
    vpaddd zmm0, zmm0, zmm31
    vpaddd zmm0, zmm0, zmm28
    # Word 25
    vprord zmm28, zmm15, 17
    vprord zmm29, zmm15, 19
    vpsrld zmm30, zmm15, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm17, zmm10, zmm28
    # Round 25
    vpaddd zmm7, zmm7, dword ptr [rdi + {k} + 100]{{1to16}}
    vpaddd zmm7, zmm7, zmm17
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    vprord zmm28, zmm0, 2
    vprord zmm29, zmm0, 13
    vprord zmm30, zmm0, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm0
    vpternlogd zmm31, zmm1, zmm2, 0xe8
    vpaddd zmm7, zmm7, zmm31
    vpaddd zmm7, zmm7, zmm28
    # Word 26
    vprord zmm28, zmm16, 17
    vprord zmm29, zmm16, 19
    vpsrld zmm30, zmm16, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm18, zmm11, zmm28
    # Round 26
    vpaddd zmm6, zmm6, dword ptr [rdi + {k} + 104]{{1to16}}
    vpaddd zmm6, zmm6, zmm18
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    vprord zmm28, zmm7, 2
    vprord zmm29, zmm7, 13
    vprord zmm30, zmm7, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm7
    vpternlogd zmm31, zmm0, zmm1, 0xe8
    vpaddd zmm6, zmm6, zmm31
    vpaddd zmm6, zmm6, zmm28
    # Word 27
    vprord zmm28, zmm17, 17
    vprord zmm29, zmm17, 19
    vpsrld zmm30, zmm17, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm19, zmm12, zmm28
    # Round 27
    vpaddd zmm5, zmm5, dword ptr [rdi + {k} + 108]{{1to16}}
    vpaddd zmm5, zmm5, zmm19
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    vprord zmm28, zmm6, 2
    vprord zmm29, zmm6, 13
    vprord zmm30, zmm6, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm6
    vpternlogd zmm31, zmm7, zmm0, 0xe8
    vpaddd zmm5, zmm5, zmm31
    vpaddd zmm5, zmm5, zmm28
    # Word 28
    vprord zmm28, zmm18, 17
    vprord zmm29, zmm18, 19
    vpsrld zmm30, zmm18, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm20, zmm13, zmm28
    # Round 28
    vpaddd zmm4, zmm4, dword ptr [rdi + {k} + 112]{{1to16}}
    vpaddd zmm4, zmm4, zmm20
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vprord zmm28, zmm5, 2
    vprord zmm29, zmm5, 13
    vprord zmm30, zmm5, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm5
    vpternlogd zmm31, zmm6, zmm7, 0xe8
    vpaddd zmm4, zmm4, zmm31
    vpaddd zmm4, zmm4, zmm28
    # Word 29
    vprord zmm28, zmm19, 17
    vprord zmm29, zmm19, 19
    vpsrld zmm30, zmm19, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm21, zmm14, zmm28
    # Round 29
    vpaddd zmm3, zmm3, dword ptr [rdi + {k} + 116]{{1to16}}
    vpaddd zmm3, zmm3, zmm21
    vprord zmm24, zmm0, 6
    vprord zmm25, zmm0, 11
    vprord zmm26, zmm0, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm0
    vpternlogd zmm27, zmm1, zmm2, 0xca
    vpaddd zmm3, zmm3, zmm27
    vpaddd zmm3, zmm3, zmm24
    vpaddd zmm7, zmm7, zmm3
    vprord zmm28, zmm4, 2
    vprord zmm29, zmm4, 13
    vprord zmm30, zmm4, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm4
    vpternlogd zmm31, zmm5, zmm6, 0xe8
    vpaddd zmm3, zmm3, zmm31
    vpaddd zmm3, zmm3, zmm28
    # Word 30
    vprord zmm28, zmm20, 17
    vprord zmm29, zmm20, 19
    vpsrld zmm30, zmm20, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm22, zmm15, zmm28
    vpaddd zmm22, zmm22, dword ptr [rdi + {known} + 56]{{1to16}}
    # Round 30
    vpaddd zmm2, zmm2, dword ptr [rdi + {k} + 120]{{1to16}}
    vpaddd zmm2, zmm2, zmm22
    vprord zmm24, zmm7, 6
    vprord zmm25, zmm7, 11
    vprord zmm26, zmm7, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm7
    vpternlogd zmm27, zmm0, zmm1, 0xca
    vpaddd zmm2, zmm2, zmm27
    vpaddd zmm2, zmm2, zmm24
    vpaddd zmm6, zmm6, zmm2
    vprord zmm28, zmm3, 2
    vprord zmm29, zmm3, 13
    vprord zmm30, zmm3, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm3
    vpternlogd zmm31, zmm4, zmm5, 0xe8
    vpaddd zmm2, zmm2, zmm31
    vpaddd zmm2, zmm2, zmm28
    # Word 31
    vprord zmm24, zmm8, 7
    vprord zmm25, zmm8, 18
    vpsrld zmm26, zmm8, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm21, 17
    vprord zmm29, zmm21, 19
    vpsrld zmm30, zmm21, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm23, zmm16, zmm24
    vpaddd zmm23, zmm23, zmm28
    vpaddd zmm23, zmm23, dword ptr [rdi + {known} + 60]{{1to16}}
    # Round 31
    vpaddd zmm1, zmm1, dword ptr [rdi + {k} + 124]{{1to16}}
    vpaddd zmm1, zmm1, zmm23
    vprord zmm24, zmm6, 6
    vprord zmm25, zmm6, 11
    vprord zmm26, zmm6, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm6
    vpternlogd zmm27, zmm7, zmm0, 0xca
    vpaddd zmm1, zmm1, zmm27
    vpaddd zmm1, zmm1, zmm24
    vpaddd zmm5, zmm5, zmm1
    vprord zmm28, zmm2, 2
    vprord zmm29, zmm2, 13
    vprord zmm30, zmm2, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm2
    vpternlogd zmm31, zmm3, zmm4, 0xe8
    vpaddd zmm1, zmm1, zmm31
    vpaddd zmm1, zmm1, zmm28
    mov r9, rdi
    .p2align 6
4:
    # Word 32
    vprord zmm24, zmm9, 7
    vprord zmm25, zmm9, 18
    vpsrld zmm26, zmm9, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm22, 17
    vprord zmm29, zmm22, 19
    vpsrld zmm30, zmm22, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm8, zmm8, zmm17
    vpaddd zmm8, zmm8, zmm24
    vpaddd zmm8, zmm8, zmm28
    # Round 32
    vpaddd zmm0, zmm0, dword ptr [r9 + {k} + 128]{{1to16}}
    vpaddd zmm0, zmm0, zmm8
    vprord zmm24, zmm5, 6
    vprord zmm25, zmm5, 11
    vprord zmm26, zmm5, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm5
    vpternlogd zmm27, zmm6, zmm7, 0xca
    vpaddd zmm0, zmm0, zmm27
    vpaddd zmm0, zmm0, zmm24
    vpaddd zmm4, zmm4, zmm0
    vprord zmm28, zmm1, 2
    vprord zmm29, zmm1, 13
    vprord zmm30, zmm1, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm1
    vpternlogd zmm31, zmm2, zmm3, 0xe8
    vpaddd zmm0, zmm0, zmm31
    vpaddd zmm0, zmm0, zmm28
    # Word 33
    vprord zmm24, zmm10, 7
    vprord zmm25, zmm10, 18
    vpsrld zmm26, zmm10, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm23, 17
    vprord zmm29, zmm23, 19
    vpsrld zmm30, zmm23, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm9, zmm9, zmm18
    vpaddd zmm9, zmm9, zmm24
    vpaddd zmm9, zmm9, zmm28
    # Round 33
    vpaddd zmm7, zmm7, dword ptr [r9 + {k} + 132]{{1to16}}
    vpaddd zmm7, zmm7, zmm9
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    vprord zmm28, zmm0, 2
    vprord zmm29, zmm0, 13
    vprord zmm30, zmm0, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm0
    vpternlogd zmm31, zmm1, zmm2, 0xe8
    vpaddd zmm7, zmm7, zmm31
    vpaddd zmm7, zmm7, zmm28
    # Word 34
    vprord zmm24, zmm11, 7
    vprord zmm25, zmm11, 18
    vpsrld zmm26, zmm11, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm8, 17
    vprord zmm29, zmm8, 19
    vpsrld zmm30, zmm8, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm10, zmm10, zmm19
    vpaddd zmm10, zmm10, zmm24
    vpaddd zmm10, zmm10, zmm28
    # Round 34
    vpaddd zmm6, zmm6, dword ptr [r9 + {k} + 136]{{1to16}}
    vpaddd zmm6, zmm6, zmm10
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    vprord zmm28, zmm7, 2
    vprord zmm29, zmm7, 13
    vprord zmm30, zmm7, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm7
    vpternlogd zmm31, zmm0, zmm1, 0xe8
    vpaddd zmm6, zmm6, zmm31
    vpaddd zmm6, zmm6, zmm28
    # Word 35
    vprord zmm24, zmm12, 7
    vprord zmm25, zmm12, 18
    vpsrld zmm26, zmm12, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm9, 17
    vprord zmm29, zmm9, 19
    vpsrld zmm30, zmm9, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm11, zmm11, zmm20
    vpaddd zmm11, zmm11, zmm24
    vpaddd zmm11, zmm11, zmm28
    # Round 35
    vpaddd zmm5, zmm5, dword ptr [r9 + {k} + 140]{{1to16}}
    vpaddd zmm5, zmm5, zmm11
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    vprord zmm28, zmm6, 2
    vprord zmm29, zmm6, 13
    vprord zmm30, zmm6, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm6
    vpternlogd zmm31, zmm7, zmm0, 0xe8
    vpaddd zmm5, zmm5, zmm31
    vpaddd zmm5, zmm5, zmm28
    # Word 36
    vprord zmm24, zmm13, 7
    vprord zmm25, zmm13, 18
    vpsrld zmm26, zmm13, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm10, 17
    vprord zmm29, zmm10, 19
    vpsrld zmm30, zmm10, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm12, zmm12, zmm21
    vpaddd zmm12, zmm12, zmm24
    vpaddd zmm12, zmm12, zmm28
    # Round 36
    vpaddd zmm4, zmm4, dword ptr [r9 + {k} + 144]{{1to16}}
    vpaddd zmm4, zmm4, zmm12
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vprord zmm28, zmm5, 2
    vprord zmm29, zmm5, 13
    vprord zmm30, zmm5, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm5
    vpternlogd zmm31, zmm6, zmm7, 0xe8
    vpaddd zmm4, zmm4, zmm31
    vpaddd zmm4, zmm4, zmm28
    # Word 37
    vprord zmm24, zmm14, 7
    vprord zmm25, zmm14, 18
    vpsrld zmm26, zmm14, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm11, 17
    vprord zmm29, zmm11, 19
    vpsrld zmm30, zmm11, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm13, zmm13, zmm22
    vpaddd zmm13, zmm13, zmm24
    vpaddd zmm13, zmm13, zmm28
    # Round 37
    vpaddd zmm3, zmm3, dword ptr [r9 + {k} + 148]{{1to16}}
    vpaddd zmm3, zmm3, zmm13
    vprord zmm24, zmm0, 6
    vprord zmm25, zmm0, 11
    vprord zmm26, zmm0, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm0
    vpternlogd zmm27, zmm1, zmm2, 0xca
    vpaddd zmm3, zmm3, zmm27
    vpaddd zmm3, zmm3, zmm24
    vpaddd zmm7, zmm7, zmm3
    vprord zmm28, zmm4, 2
    vprord zmm29, zmm4, 13
    vprord zmm30, zmm4, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm4
    vpternlogd zmm31, zmm5, zmm6, 0xe8
    vpaddd zmm3, zmm3, zmm31
    vpaddd zmm3, zmm3, zmm28
    # Word 38
    vprord zmm24, zmm15, 7
    vprord zmm25, zmm15, 18
    vpsrld zmm26, zmm15, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm12, 17
    vprord zmm29, zmm12, 19
    vpsrld zmm30, zmm12, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm14, zmm14, zmm23
    vpaddd zmm14, zmm14, zmm24
    vpaddd zmm14, zmm14, zmm28
    # Round 38
    vpaddd zmm2, zmm2, dword ptr [r9 + {k} + 152]{{1to16}}
    vpaddd zmm2, zmm2, zmm14
    vprord zmm24, zmm7, 6
    vprord zmm25, zmm7, 11
    vprord zmm26, zmm7, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm7
    vpternlogd zmm27, zmm0, zmm1, 0xca
    vpaddd zmm2, zmm2, zmm27
    vpaddd zmm2, zmm2, zmm24
    vpaddd zmm6, zmm6, zmm2
    vprord zmm28, zmm3, 2
    vprord zmm29, zmm3, 13
    vprord zmm30, zmm3, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm3
    vpternlogd zmm31, zmm4, zmm5, 0xe8
    vpaddd zmm2, zmm2, zmm31
    vpaddd zmm2, zmm2, zmm28
    # Word 39
    vprord zmm24, zmm16, 7
    vprord zmm25, zmm16, 18
    vpsrld zmm26, zmm16, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm13, 17
    vprord zmm29, zmm13, 19
    vpsrld zmm30, zmm13, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm15, zmm15, zmm8
    vpaddd zmm15, zmm15, zmm24
    vpaddd zmm15, zmm15, zmm28
    # Round 39
    vpaddd zmm1, zmm1, dword ptr [r9 + {k} + 156]{{1to16}}
    vpaddd zmm1, zmm1, zmm15
    vprord zmm24, zmm6, 6
    vprord zmm25, zmm6, 11
    vprord zmm26, zmm6, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm6
    vpternlogd zmm27, zmm7, zmm0, 0xca
    vpaddd zmm1, zmm1, zmm27
    vpaddd zmm1, zmm1, zmm24
    vpaddd zmm5, zmm5, zmm1
    vprord zmm28, zmm2, 2
    vprord zmm29, zmm2, 13
    vprord zmm30, zmm2, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm2
    vpternlogd zmm31, zmm3, zmm4, 0xe8
    vpaddd zmm1, zmm1, zmm31
    vpaddd zmm1, zmm1, zmm28
    # Word 40
    vprord zmm24, zmm17, 7
    vprord zmm25, zmm17, 18
    vpsrld zmm26, zmm17, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm14, 17
    vprord zmm29, zmm14, 19
    vpsrld zmm30, zmm14, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm16, zmm16, zmm9
    vpaddd zmm16, zmm16, zmm24
    vpaddd zmm16, zmm16, zmm28
    # Round 40
    vpaddd zmm0, zmm0, dword ptr [r9 + {k} + 160]{{1to16}}
    vpaddd zmm0, zmm0, zmm16
    vprord zmm24, zmm5, 6
    vprord zmm25, zmm5, 11
    vprord zmm26, zmm5, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm5
    vpternlogd zmm27, zmm6, zmm7, 0xca
    vpaddd zmm0, zmm0, zmm27
    vpaddd zmm0, zmm0, zmm24
    vpaddd zmm4, zmm4, zmm0
    vprord zmm28, zmm1, 2
    vprord zmm29, zmm1, 13
    vprord zmm30, zmm1, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm1
    vpternlogd zmm31, zmm2, zmm3, 0xe8
    vpaddd zmm0, zmm0, zmm31
    vpaddd zmm0, zmm0, zmm28
    cmp r9, rdi
    jne 5f
    # Word 41
    vprord zmm24, zmm18, 7
    vprord zmm25, zmm18, 18
    vpsrld zmm26, zmm18, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm15, 17
    vprord zmm29, zmm15, 19
    vpsrld zmm30, zmm15, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm17, zmm17, zmm10
    vpaddd zmm17, zmm17, zmm24
    vpaddd zmm17, zmm17, zmm28
    # Round 41
    vpaddd zmm7, zmm7, dword ptr [r9 + {k} + 164]{{1to16}}
    vpaddd zmm7, zmm7, zmm17
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    vprord zmm28, zmm0, 2
    vprord zmm29, zmm0, 13
    vprord zmm30, zmm0, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm0
    vpternlogd zmm31, zmm1, zmm2, 0xe8
    vpaddd zmm7, zmm7, zmm31
    vpaddd zmm7, zmm7, zmm28
    # Word 42
    vprord zmm24, zmm19, 7
    vprord zmm25, zmm19, 18
    vpsrld zmm26, zmm19, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm16, 17
    vprord zmm29, zmm16, 19
    vpsrld zmm30, zmm16, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm18, zmm18, zmm11
    vpaddd zmm18, zmm18, zmm24
    vpaddd zmm18, zmm18, zmm28
    # Round 42
    vpaddd zmm6, zmm6, dword ptr [r9 + {k} + 168]{{1to16}}
    vpaddd zmm6, zmm6, zmm18
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    vprord zmm28, zmm7, 2
    vprord zmm29, zmm7, 13
    vprord zmm30, zmm7, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm7
    vpternlogd zmm31, zmm0, zmm1, 0xe8
    vpaddd zmm6, zmm6, zmm31
    vpaddd zmm6, zmm6, zmm28
    # Word 43
    vprord zmm24, zmm20, 7
    vprord zmm25, zmm20, 18
    vpsrld zmm26, zmm20, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm17, 17
    vprord zmm29, zmm17, 19
    vpsrld zmm30, zmm17, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm19, zmm19, zmm12
    vpaddd zmm19, zmm19, zmm24
    vpaddd zmm19, zmm19, zmm28
    # Round 43
    vpaddd zmm5, zmm5, dword ptr [r9 + {k} + 172]{{1to16}}
    vpaddd zmm5, zmm5, zmm19
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    vprord zmm28, zmm6, 2
    vprord zmm29, zmm6, 13
    vprord zmm30, zmm6, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm6
    vpternlogd zmm31, zmm7, zmm0, 0xe8
    vpaddd zmm5, zmm5, zmm31
    vpaddd zmm5, zmm5, zmm28
    # Word 44
    vprord zmm24, zmm21, 7
    vprord zmm25, zmm21, 18
    vpsrld zmm26, zmm21, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm18, 17
    vprord zmm29, zmm18, 19
    vpsrld zmm30, zmm18, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm20, zmm20, zmm13
    vpaddd zmm20, zmm20, zmm24
    vpaddd zmm20, zmm20, zmm28
    # Round 44
    vpaddd zmm4, zmm4, dword ptr [r9 + {k} + 176]{{1to16}}
    vpaddd zmm4, zmm4, zmm20
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vprord zmm28, zmm5, 2
    vprord zmm29, zmm5, 13
    vprord zmm30, zmm5, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm5
    vpternlogd zmm31, zmm6, zmm7, 0xe8
    vpaddd zmm4, zmm4, zmm31
    vpaddd zmm4, zmm4, zmm28
    # Word 45
    vprord zmm24, zmm22, 7
    vprord zmm25, zmm22, 18
    vpsrld zmm26, zmm22, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm19, 17
    vprord zmm29, zmm19, 19
    vpsrld zmm30, zmm19, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm21, zmm21, zmm14
    vpaddd zmm21, zmm21, zmm24
    vpaddd zmm21, zmm21, zmm28
    # Round 45
    vpaddd zmm3, zmm3, dword ptr [r9 + {k} + 180]{{1to16}}
    vpaddd zmm3, zmm3, zmm21
    vprord zmm24, zmm0, 6
    vprord zmm25, zmm0, 11
    vprord zmm26, zmm0, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm0
    vpternlogd zmm27, zmm1, zmm2, 0xca
    vpaddd zmm3, zmm3, zmm27
    vpaddd zmm3, zmm3, zmm24
    vpaddd zmm7, zmm7, zmm3
    vprord zmm28, zmm4, 2
    vprord zmm29, zmm4, 13
    vprord zmm30, zmm4, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm4
    vpternlogd zmm31, zmm5, zmm6, 0xe8
    vpaddd zmm3, zmm3, zmm31
    vpaddd zmm3, zmm3, zmm28
    # Word 46
    vprord zmm24, zmm23, 7
    vprord zmm25, zmm23, 18
    vpsrld zmm26, zmm23, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm20, 17
    vprord zmm29, zmm20, 19
    vpsrld zmm30, zmm20, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm22, zmm22, zmm15
    vpaddd zmm22, zmm22, zmm24
    vpaddd zmm22, zmm22, zmm28
    # Round 46
    vpaddd zmm2, zmm2, dword ptr [r9 + {k} + 184]{{1to16}}
    vpaddd zmm2, zmm2, zmm22
    vprord zmm24, zmm7, 6
    vprord zmm25, zmm7, 11
    vprord zmm26, zmm7, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm7
    vpternlogd zmm27, zmm0, zmm1, 0xca
    vpaddd zmm2, zmm2, zmm27
    vpaddd zmm2, zmm2, zmm24
    vpaddd zmm6, zmm6, zmm2
    vprord zmm28, zmm3, 2
    vprord zmm29, zmm3, 13
    vprord zmm30, zmm3, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm3
    vpternlogd zmm31, zmm4, zmm5, 0xe8
    vpaddd zmm2, zmm2, zmm31
    vpaddd zmm2, zmm2, zmm28
    # Word 47
    vprord zmm24, zmm8, 7
    vprord zmm25, zmm8, 18
    vpsrld zmm26, zmm8, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm21, 17
    vprord zmm29, zmm21, 19
    vpsrld zmm30, zmm21, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm23, zmm23, zmm16
    vpaddd zmm23, zmm23, zmm24
    vpaddd zmm23, zmm23, zmm28
    # Round 47
    vpaddd zmm1, zmm1, dword ptr [r9 + {k} + 188]{{1to16}}
    vpaddd zmm1, zmm1, zmm23
    vprord zmm24, zmm6, 6
    vprord zmm25, zmm6, 11
    vprord zmm26, zmm6, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm6
    vpternlogd zmm27, zmm7, zmm0, 0xca
    vpaddd zmm1, zmm1, zmm27
    vpaddd zmm1, zmm1, zmm24
    vpaddd zmm5, zmm5, zmm1
    vprord zmm28, zmm2, 2
    vprord zmm29, zmm2, 13
    vprord zmm30, zmm2, 22
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vmovdqa64 zmm31, zmm2
    vpternlogd zmm31, zmm3, zmm4, 0xe8
    vpaddd zmm1, zmm1, zmm31
    vpaddd zmm1, zmm1, zmm28
    add r9, 64
    jmp 4b
    .p2align 6
5:
    # Word 57
    vprord zmm24, zmm18, 7
    vprord zmm25, zmm18, 18
    vpsrld zmm26, zmm18, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm15, 17
    vprord zmm29, zmm15, 19
    vpsrld zmm30, zmm15, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm17, zmm17, zmm10
    vpaddd zmm17, zmm17, zmm24
    vpaddd zmm17, zmm17, zmm28
    # Round 57
    vpaddd zmm7, zmm7, dword ptr [rdi + {k} + 228]{{1to16}}
    vpaddd zmm7, zmm7, zmm17
    vprord zmm24, zmm4, 6
    vprord zmm25, zmm4, 11
    vprord zmm26, zmm4, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm4
    vpternlogd zmm27, zmm5, zmm6, 0xca
    vpaddd zmm7, zmm7, zmm27
    vpaddd zmm7, zmm7, zmm24
    vpaddd zmm3, zmm3, zmm7
    # Word 58
    vprord zmm24, zmm19, 7
    vprord zmm25, zmm19, 18
    vpsrld zmm26, zmm19, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm16, 17
    vprord zmm29, zmm16, 19
    vpsrld zmm30, zmm16, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm18, zmm18, zmm11
    vpaddd zmm18, zmm18, zmm24
    vpaddd zmm18, zmm18, zmm28
    # Round 58
    vpaddd zmm6, zmm6, dword ptr [rdi + {k} + 232]{{1to16}}
    vpaddd zmm6, zmm6, zmm18
    vprord zmm24, zmm3, 6
    vprord zmm25, zmm3, 11
    vprord zmm26, zmm3, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm3
    vpternlogd zmm27, zmm4, zmm5, 0xca
    vpaddd zmm6, zmm6, zmm27
    vpaddd zmm6, zmm6, zmm24
    vpaddd zmm2, zmm2, zmm6
    # Word 59
    vprord zmm24, zmm20, 7
    vprord zmm25, zmm20, 18
    vpsrld zmm26, zmm20, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm17, 17
    vprord zmm29, zmm17, 19
    vpsrld zmm30, zmm17, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm19, zmm19, zmm12
    vpaddd zmm19, zmm19, zmm24
    vpaddd zmm19, zmm19, zmm28
    # Round 59
    vpaddd zmm5, zmm5, dword ptr [rdi + {k} + 236]{{1to16}}
    vpaddd zmm5, zmm5, zmm19
    vprord zmm24, zmm2, 6
    vprord zmm25, zmm2, 11
    vprord zmm26, zmm2, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm2
    vpternlogd zmm27, zmm3, zmm4, 0xca
    vpaddd zmm5, zmm5, zmm27
    vpaddd zmm5, zmm5, zmm24
    vpaddd zmm1, zmm1, zmm5
    # Word 60
    vprord zmm24, zmm21, 7
    vprord zmm25, zmm21, 18
    vpsrld zmm26, zmm21, 3
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vprord zmm28, zmm18, 17
    vprord zmm29, zmm18, 19
    vpsrld zmm30, zmm18, 10
    vpternlogd zmm28, zmm29, zmm30, 0x96
    vpaddd zmm20, zmm20, zmm13
    vpaddd zmm20, zmm20, zmm24
    vpaddd zmm20, zmm20, zmm28
    # Round 60
    vpaddd zmm4, zmm4, dword ptr [rdi + {k} + 240]{{1to16}}
    vpaddd zmm4, zmm4, zmm20
    vprord zmm24, zmm1, 6
    vprord zmm25, zmm1, 11
    vprord zmm26, zmm1, 25
    vpternlogd zmm24, zmm25, zmm26, 0x96
    vmovdqa64 zmm27, zmm1
    vpternlogd zmm27, zmm2, zmm3, 0xca
    vpaddd zmm4, zmm4, zmm27
    vpaddd zmm4, zmm4, zmm24
    vpaddd zmm0, zmm0, zmm4
    vmovdqa64 [r8], zmm0
    add r8, 64
    add rdx, 72
    cmp rdx, rcx
    jne 2b
    vzeroupper
    ret
