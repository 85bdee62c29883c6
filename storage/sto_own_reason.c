/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why ownership was refused, lost or left, in words: the name for programs, the text and the remedy
 * for people. Pure.
 */
#include "config.h"

#include "storage/sto_own.h"

#include <errno.h>
#include <string.h>

/* What a reason is as an error. REVOKED and those before it are told, and no faults of a LUN. */
static const struct {
    enum hw_error_kind kind;
    int code;
    const char *remedy;
} errors[STO_OWN_REASON_COUNT] = {
    [STO_OWN_REASON_NONE] = { HW_ERROR_FAILED, EIO, "" },
    [STO_OWN_REASON_RELEASED] = { HW_ERROR_REFUSED, ECANCELED, "claim it with 'hawser lun claim'" },
    [STO_OWN_REASON_STOPPED] = { HW_ERROR_REFUSED, ECANCELED, "claim it with 'hawser lun claim'" },
    [STO_OWN_REASON_REVOKED] = { HW_ERROR_REFUSED, ECANCELED,
                                 "see its owner with 'hawser lun show'" },
    [STO_OWN_REASON_STALE] = { HW_ERROR_REFUSED, ESTALE,
                               "use a higher --generation than 'hawser lun show' tells" },
    [STO_OWN_REASON_HELD] = { HW_ERROR_REFUSED, EBUSY,
                              "'hawser lun takeover' takes it away, if it was handed over to "
                              "this node, or you are sure that its VM does not run" },
    [STO_OWN_REASON_UNEXPECTED] = { HW_ERROR_REFUSED, EBUSY, "look again with 'hawser lun show'" },
    [STO_OWN_REASON_FOREIGN_KEY] = { HW_ERROR_REFUSED, EPERM,
                                     "find out whose it is; 'hawser lun takeover --force' takes it "
                                     "away" },
    [STO_OWN_REASON_FOREIGN_RECORD] = { HW_ERROR_REFUSED, EPERM,
                                        "give that cluster's --cluster, or use 'hawser lun "
                                        "takeover --force'" },
    [STO_OWN_REASON_WRONG_VM] = { HW_ERROR_REFUSED, EPERM, "use that VM's LUN" },
    [STO_OWN_REASON_COPY] = { HW_ERROR_REFUSED, EPERM,
                              "'hawser lun takeover --force' makes the copy a LUN of its own" },
    [STO_OWN_REASON_NO_RECORD] = { HW_ERROR_REFUSED, ENOENT, "prepare it with 'hawser lun init'" },
    [STO_OWN_REASON_BAD_RECORD] = { HW_ERROR_FAILED, EBADMSG,
                                    "see what is left of it with 'hawser lun verify'" },
    [STO_OWN_REASON_NEWER_RECORD] = { HW_ERROR_REFUSED, EPROTONOSUPPORT, "update hawser here" },
    [STO_OWN_REASON_NO_RESERVATIONS] = { HW_ERROR_REFUSED, EOPNOTSUPP,
                                         "use a LUN of a target that offers them" },
    [STO_OWN_REASON_UNREACHABLE] = { HW_ERROR_FAILED, EHOSTUNREACH,
                                     "check the address and that the target is up" },
    [STO_OWN_REASON_LOGIN_REFUSED] = { HW_ERROR_FAILED, EACCES,
                                       "check the target's name, its access list and the secret "
                                       "file" },
    [STO_OWN_REASON_NOT_PROVEN] = { HW_ERROR_TIMED_OUT, ETIMEDOUT,
                                    "the LUN is not owned; fence the old owner, or try again" },
    [STO_OWN_REASON_GENERATIONS_USED] = { HW_ERROR_REFUSED, ERANGE,
                                          "use a --generation that is higher by 16" },
    [STO_OWN_REASON_CONFLICTED] = { HW_ERROR_REFUSED, EBADE,
                                    "see its owner with 'hawser lun show'" },
    [STO_OWN_REASON_BUSY] = { HW_ERROR_TIMED_OUT, EBUSY,
                              "try again when the target has less to do" },
    [STO_OWN_REASON_UNSETTLED] = { HW_ERROR_TIMED_OUT, EAGAIN,
                                   "see with 'hawser lun show' who else acts on it" },
    [STO_OWN_REASON_BAD_ANSWER] = { HW_ERROR_FAILED, EPROTO,
                                    "see what the target offers with 'hawser lun verify', and its "
                                    "log" },
    [STO_OWN_REASON_REFUSED_BY_TARGET] = { HW_ERROR_FAILED, EPERM,
                                           "let this initiator write, reserve and reset the LUN on "
                                           "the target; its log says what it refused" },
    [STO_OWN_REASON_REGISTERED_ELSEHOW] = { HW_ERROR_REFUSED, EBUSY,
                                            "end what else uses this initiator name here "
                                            "(multipathd, open-iscsi), or give another one with "
                                            "--initiator" },
    [STO_OWN_REASON_READ_ONLY] = { HW_ERROR_REFUSED, EROFS, "make it writable on the target" },
};

const char *sto_own_reason_name(enum sto_own_reason reason)
{
    static const char *const names[STO_OWN_REASON_COUNT] = {
#define NAME(name, text) [STO_OWN_REASON_##name] = #name,
        STO_OWN_REASONS(NAME)
#undef NAME
    };

    return reason < STO_OWN_REASON_COUNT ? names[reason] : "?";
}

const char *sto_own_reason_text(enum sto_own_reason reason)
{
    static const char *const texts[STO_OWN_REASON_COUNT] = {
#define TEXT(name, text) [STO_OWN_REASON_##name] = (text),
        STO_OWN_REASONS(TEXT)
#undef TEXT
    };

    return reason < STO_OWN_REASON_COUNT ? texts[reason] : "?";
}

int sto_own_reason_error(const char *object, enum sto_own_reason reason, uint64_t key,
                         const char *detail, struct hw_error *error)
{
    char text[STO_KEY_TEXT_BYTES] = "";
    enum hw_error_kind kind;

    if (reason >= STO_OWN_REASON_COUNT)
        reason = STO_OWN_REASON_NONE;
    if (key != 0)
        (void)sto_key_text(key, text);
    kind = errors[reason].kind;
    if (reason == STO_OWN_REASON_UNREACHABLE && strstr(detail, "no answer") != NULL)
        kind = HW_ERROR_TIMED_OUT;
    return hw_error_setf(error, kind, errors[reason].code, object, errors[reason].remedy,
                         "%s%s%s%s%s", sto_own_reason_text(reason), text[0] != '\0' ? ": " : "",
                         text, detail[0] != '\0' ? ": " : "", detail);
}
