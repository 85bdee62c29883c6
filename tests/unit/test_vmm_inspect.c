/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_inspect, with vmm-core/run/vmm_inspect_file and vmm-core/run/vmm_inspect_print:
 * what is said of a state area, in a file or served; damage is found, and nothing is written.
 */
#include <config.h>

#include "vmm-core/run/vmm_words.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "common/hw_call.h"
#include "tests/unit/life_scene.h"
#include "tests/unit/unit.h"

static char text[16384];

/* The exit status of `inspect --state STATE WORD`; what it prints is in `text`. */
static int inspect(const char *state, const char *word)
{
    const char *const words[] = { "inspect", "--state", state, word };
    FILE *out = fmemopen(text, sizeof(text), "w");
    struct hw_error error = { 0 };
    struct hw_call call = { 0 };
    int status;

    memset(text, 0, sizeof(text));
    status = hw_call_parse(&vmm_program, word != NULL ? 4 : 3, (char *const *)words, &call, &error);
    call.out = call.err = out;
    status = status < 0 ? 2 : call.verb->run(&call);
    hw_call_free(&call);
    (void)fclose(out);
    return status;
}

static bool says(const char *part)
{
    if (strstr(text, part) != NULL)
        return true;
    printf("# %s\n", text);
    return false;
}

static const char *file_of(const struct scene *scene)
{
    static char state[80];

    (void)snprintf(state, sizeof(state), "file:%s", scene->server.file);
    return state;
}

static void an_empty_area(void)
{
    struct scene scene;

    scene_begin(&scene, 2 << 20);
    area_server_end(&scene.server);
    CU_ASSERT_EQUAL(inspect(file_of(&scene), NULL), 0);
    CU_ASSERT_STRING_EQUAL(text, "verdict: clean: nothing waits to be restored\n");
    CU_ASSERT_EQUAL(inspect(file_of(&scene), "--json"), 0);
    CU_ASSERT_STRING_EQUAL(text, "{\"verdict\":\"clean\",\"damaged\":[false,false]}\n");
    scene_end(&scene);
}

static void a_saved_state(void)
{
    struct sto_saved_look look;
    struct scene scene;

    if (!scene_saved(&scene))
        return;
    area_server_end(&scene.server);
    area_server_look(&scene.server, &look);
    CU_ASSERT_EQUAL(inspect(file_of(&scene), NULL), 0);
    CU_ASSERT_TRUE(says("verdict: waits: a state waits to be restored\nstate: committed\n"));
    CU_ASSERT_TRUE(says("vm: 00000000-0000-0000-0000-000000000000\n"));
    CU_ASSERT_TRUE(says("memory: 16 MiB\nvCPUs: 1\n"));
    CU_ASSERT_TRUE(says("section: 33.0 (vCPU), version 1, "));
    CU_ASSERT_TRUE(says("needs: memory size 0 0x1000000\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "as they were saved"));
    CU_ASSERT_EQUAL(inspect(file_of(&scene), "--verify"), 0);
    CU_ASSERT_TRUE(says("all as they were saved\n"));
    CU_ASSERT_EQUAL(inspect(file_of(&scene), "--json"), 0);
    CU_ASSERT_TRUE(says("\"header\":{\"state\":\"committed\""));
    CU_ASSERT_TRUE(says("\"name\":\"vCPU\""));
    area_server_flip(&scene.server, look.saved.memory_offset_bytes + ELF_IMAGE_ENTRY);
    CU_ASSERT_EQUAL(inspect(file_of(&scene), NULL), 0);
    CU_ASSERT_EQUAL(inspect(file_of(&scene), "--verify"), 3);
    CU_ASSERT_TRUE(says("is damaged: memory block 16 (chunk 1)"));
    area_server_flip(&scene.server, look.saved.table.offset_bytes);
    CU_ASSERT_EQUAL(inspect(file_of(&scene), NULL), 3);
    CU_ASSERT_TRUE(says("is damaged: the record of chunk 0"));
    area_server_flip(&scene.server, 8);
    CU_ASSERT_EQUAL(inspect(file_of(&scene), NULL), 3);
    CU_ASSERT_TRUE(says("damaged: header slot A\n") || says("damaged: header slot B\n"));
    scene_end(&scene);
}

/* Over the socket of a server, in a process of its own. */
static void a_served_area(void)
{
    struct scene scene;
    char state[80];
    pid_t server;

    if (!scene_saved(&scene))
        return;
    area_server_end(&scene.server);
    (void)fflush(NULL);
    server = fork();
    if (server == 0) {
        scene.server.loop = qb_loop_create();
        area_server_begin(&scene.server);
        qb_loop_run(scene.server.loop);
        _exit(0);
    }
    (void)snprintf(state, sizeof(state), "vhost:%s", scene.server.socket);
    CU_ASSERT_EQUAL(inspect(state, "--verify"), 0);
    CU_ASSERT_TRUE(says("all as they were saved\n"));
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    scene_end(&scene);
}

static void what_is_none(void)
{
    CU_ASSERT_EQUAL(inspect("file:/nowhere/area", NULL), 1);
    CU_ASSERT_TRUE(says("cannot be read: No such file"));
    CU_ASSERT_EQUAL(inspect("file:/dev/null", NULL), 1);
    CU_ASSERT_TRUE(says("too small for a state area"));
    CU_ASSERT_EQUAL(inspect("/dev/null", NULL), 2);
    CU_ASSERT_TRUE(says("neither vhost:SOCKET nor file:PATH"));
    CU_ASSERT_EQUAL(inspect("file:/dev/null#state", NULL), 2);
}

const struct unit_case unit_cases[] = {
    { "an empty area", an_empty_area },
    { "a saved state, whole and damaged", a_saved_state },
    { "an area that is served", a_served_area },
    { "what is none", what_is_none },
    { 0 },
};
