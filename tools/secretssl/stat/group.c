/* SPDX-License-Identifier: Apache-2.0 */
#include "stat/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/clean.h"
#include "process/list.h"

/*
 * Only the names of services stay the same from one start to the next: a scope is called after
 * a session or a container.
 */
static bool is_in_service(const struct process_state *process)
{
    const char *end = strrchr(process->unit, '.');

    return end != NULL && strcmp(end, ".service") == 0;
}

/* The labels of a process. Equal ones must not occur twice, so that they are cleaned. */
static struct group labels_of(const struct process_state *process)
{
    struct group group = {.unit = ""};

    if (is_in_service(process))
        snprintf(group.unit, sizeof(group.unit), "%s", process->unit);
    else
        snprintf(group.program, sizeof(group.program), "%s",
                 process->name[0] != '\0' ? process->name : "?");
    clean_text(group.unit);
    clean_text(group.program);
    return group;
}

static struct group *group_find(struct group_list *groups, const struct group *labels)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (strcmp(groups->list[i].unit, labels->unit) == 0 &&
            strcmp(groups->list[i].program, labels->program) == 0)
            return &groups->list[i];
    }

    struct group *more = list_grown(groups->list, groups->count, sizeof(*more));

    if (more == NULL)
        return NULL;
    groups->list = more;
    more[groups->count] = *labels;
    return &more[groups->count++];
}

static uint64_t sum_of(uint64_t one, uint64_t other)
{
    return one > INT64_MAX - other ? INT64_MAX : one + other;
}

static void add_figures(struct group *group, const uint64_t values[FIGURES],
                        const uint64_t parts[SM_PARTS])
{
    for (int i = 0; i < FIGURES; i++) {
        if (i != FIGURE_PEAK && i != FIGURE_LIMIT)
            group->values[i] = sum_of(group->values[i], values[i]);
        else if (values[i] > group->values[i])
            group->values[i] = values[i];
    }
    for (int i = 0; i < SM_PARTS; i++)
        group->parts[i] = sum_of(group->parts[i], parts[i]);
    group->has_figures = true;
}

static bool add_unreached(struct group *group, const char *what, size_t processes)
{
    struct group_unreached *more;

    for (size_t i = 0; i < group->unreached_count; i++) {
        if (strcmp(group->unreached[i].what, what) == 0) {
            group->unreached[i].processes += processes;
            return true;
        }
    }
    more = list_grown(group->unreached, group->unreached_count, sizeof(*more));
    if (more == NULL)
        return false;
    group->unreached = more;
    more[group->unreached_count++] = (struct group_unreached){what, processes};
    return true;
}

static bool group_add(struct group *group, const struct process_state *process)
{
    group->processes++;
    group->states[process->state]++;
    if (process_state_has_figures(process)) {
        uint64_t values[FIGURES], parts[SM_PARTS];
        double used;

        figures_of(process, values);
        for (unsigned part = 0; part < SM_PARTS; part++)
            parts[part] = figures_partition(process, part);
        add_figures(group, values, parts);
        used = values[FIGURE_LIMIT] > 0
                   ? (double)values[FIGURE_MAPPED] / (double)values[FIGURE_LIMIT]
                   : 0;
        if (used > group->arena_used)
            group->arena_used = used;
    }
    for (size_t i = 0; i < process->tls.count; i++) {
        if (!unreached_is_repeated(&process->tls, i) &&
            !add_unreached(group, process->tls.list[i].what, 1))
            return false;
    }
    return true;
}

static int by_labels(const void *one, const void *other)
{
    const struct group *first = one, *second = other;
    int order = strcmp(first->unit, second->unit);

    return order != 0 ? order : strcmp(first->program, second->program);
}

/* Services first, then those with figures, then those of many processes. */
static int by_weight(const void *one, const void *other)
{
    const struct group *first = one, *second = other;
    bool service = first->unit[0] != '\0';

    if (service != (second->unit[0] != '\0'))
        return service ? -1 : 1;
    if (first->has_figures != second->has_figures)
        return first->has_figures ? -1 : 1;
    if (first->processes != second->processes)
        return first->processes > second->processes ? -1 : 1;
    return by_labels(one, other);
}

static bool group_merge(struct group *group, const struct group *other)
{
    group->processes += other->processes;
    for (int i = 0; i < STATES; i++)
        group->states[i] += other->states[i];
    if (other->has_figures)
        add_figures(group, other->values, other->parts);
    if (other->arena_used > group->arena_used)
        group->arena_used = other->arena_used;
    for (size_t i = 0; i < other->unreached_count; i++) {
        if (!add_unreached(group, other->unreached[i].what, other->unreached[i].processes))
            return false;
    }
    return true;
}

/* Makes one group of those that are too many. */
static bool merge_the_rest(struct group_list *groups)
{
    struct group rest = {.program = GROUP_OTHERS}, *others;
    bool good = true;

    if (groups->count <= GROUPS_MOST)
        return true;
    qsort(groups->list, groups->count, sizeof(*groups->list), by_weight);
    groups->left = groups->count - (GROUPS_MOST - 1);
    while (groups->count >= GROUPS_MOST && good) {
        struct group *last = &groups->list[--groups->count];

        good = group_merge(&rest, last);
        free(last->unreached);
    }
    /* A process may have this very name. */
    others = good ? group_find(groups, &(struct group){.program = GROUP_OTHERS}) : NULL;
    good = others != NULL && group_merge(others, &rest);
    free(rest.unreached);
    return good;
}

static bool groups_add(struct group_list *groups, const struct process_state *process)
{
    struct group labels = labels_of(process);
    struct group *group = group_find(groups, &labels);

    return group != NULL && group_add(group, process);
}

bool groups_make(const struct stat_result *result, struct group_list *groups)
{
    bool good = true;

    *groups = (struct group_list){.list = NULL};
    for (size_t i = 0; i < result->count && good; i++)
        good = groups_add(groups, &result->list[i]);
    for (size_t i = 0; i < result->unseen_count && good; i++)
        good = groups_add(groups, &result->unseen[i]);
    good = good && merge_the_rest(groups);
    if (good && groups->count > 0)
        qsort(groups->list, groups->count, sizeof(*groups->list), by_labels);
    return good;
}

void groups_free(struct group_list *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        free(groups->list[i].unreached);
    free(groups->list);
    *groups = (struct group_list){.list = NULL};
}
