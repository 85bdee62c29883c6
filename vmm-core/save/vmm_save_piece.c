/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Table, index of the delta area and sections: which 4 KiB of them changed since they were written.
 * Those that changed in a round are written at its end, so that the pause has only its own.
 */
#include "config.h"

#include "vmm-core/save/vmm_save_priv.h"

void vmm_save_piece_touch(struct vmm_save_piece *piece, uint64_t first_byte, uint64_t bytes)
{
    if (bytes == 0)
        return;
    for (uint64_t page = first_byte / VMM_SAVE_PAGE_BYTES;
         page <= (first_byte + bytes - 1) / VMM_SAVE_PAGE_BYTES && page < piece->pages; page++)
        piece->changed[page / 64] |= UINT64_C(1) << page % 64;
}

static bool take_change(struct vmm_save_piece *piece, uint64_t page)
{
    uint64_t bit = UINT64_C(1) << page % 64;
    bool changed = (piece->changed[page / 64] & bit) != 0;

    piece->changed[page / 64] &= ~bit;
    return changed;
}

bool vmm_save_piece_fill(struct vmm_save *save, enum vmm_save_piece_index index,
                         struct vmm_save_request *request)
{
    struct vmm_save_piece *piece = &save->pieces[index];

    for (; piece->at < piece->pages; piece->at++) {
        if (piece->at % 64 == 0 && piece->changed[piece->at / 64] == 0 && request->bytes == 0) {
            piece->at += 63;
            continue;
        }
        if (request->bytes == (uint64_t)VMM_SAVE_REQUEST_PAGES * VMM_SAVE_PAGE_BYTES)
            break;
        if (!take_change(piece, piece->at)) {
            if (request->bytes > 0)
                break;
            continue;
        }
        if (request->bytes == 0) {
            request->op.offset_bytes = piece->offset_bytes + piece->at * VMM_SAVE_PAGE_BYTES;
            request->op.iov_count = 1;
            request->iov[0].iov_base =
                (void *)(uintptr_t)(piece->memory + piece->at * VMM_SAVE_PAGE_BYTES);
        }
        request->bytes += VMM_SAVE_PAGE_BYTES;
        request->iov[0].iov_len = request->bytes;
    }
    return request->bytes > 0;
}
