/* The inner loops of coreset and search; docs/kernels.md has the proofs.
 *
 * Bounds (float32 products of short vectors) only rule rows out; `exact` alone measures, in
 * float64 and in one fixed order, and gives the same bits as blemish/search/distance.py on every
 * instruction set. Called through ctypes, which releases the interpreter lock.
 *
 * Letters: d the patches' dimension, w the bound's, rows come in panels of 16 (a panel holds
 * coordinate 0 of its 16 rows, then coordinate 1, ...), panels in pairs.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
/* bfloat16 arithmetic as compilers know it from GCC 12 and Clang 12 on. */
#if (defined(__clang__) && __clang_major__ >= 12) || (!defined(__clang__) && __GNUC__ >= 12)
#define HALVES 1
#endif
#endif
#if defined(HALVES) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#define TILES 1
#endif

#define LANES 16
#define PAIR 32      /* rows in a pair of panels */
#define QUERIES 12   /* queries whose bounds are held at once */
#define BLOCK 512    /* rows whose bounds are held at once */
#define HALF_QUERIES 32 /* the same for shorts in bfloat16 */
#define HALF_BLOCK 256
#define WHOLE_QUERIES 12 /* the same for shorts in whole numbers */
#define WHOLE_BLOCK 512
#define FETCHED 512  /* numbers of a row asked for before they are needed */
#define CHUNK 64     /* terms of a projection summed before rounding into the total */
#define PLACES 4     /* places whose Gaussians are reckoned side by side */
#define SQUARE 4     /* rows and columns of a block of their factors */
#define TINY 0x1p-100 /* covers underflow: shorts of rows are scaled to norms of at most 1 */

typedef float f4 __attribute__((vector_size(16), aligned(4)));
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNCONTRACTED
#define NO_CONTRACTION _Pragma("clang fp contract(off)")
#else
#define UNCONTRACTED __attribute__((optimize("fp-contract=off")))
#define NO_CONTRACTION
#endif

INLINE f4 smaller(f4 a, f4 b)
{
    for (int j = 0; j < 4; j++)
        b[j] = a[j] < b[j] ? a[j] : b[j];
    return b;
}

/* Good patches of many places, and what becomes of them. */
typedef struct {
    int64_t places, images, d;
    int64_t folds, largest;  /* how many folds, and images of the largest; no folds: no lengths */
    int64_t strip, numbers;  /* rows of a strip of a factor; numbers of a packed factor */
    double epsilon;          /* added to the variances */
    const float *patches;    /* places x images x d */
    const int64_t *members;  /* the images fold by fold; folds of one size are best together */
    const int64_t *starts;   /* where in `members` each fold begins, and the last ends */
    float *mean, *factor;    /* places x d, places x numbers */
    double *lengths;         /* places x images */
} Gaussians;

typedef struct {
    double (*exact)(const float *, const float *, int64_t, double);
    void (*bounds)(const float *, int64_t, int64_t, int64_t, const float *, int64_t, const float *, int64_t, float *, int64_t);
    float (*least)(const float *, int64_t);
    int64_t (*below)(const float *, int64_t, float, int32_t *);
    int64_t (*argmax)(const double *, int64_t);
    float (*apart)(const float *, const float *, int64_t);
    double (*centre)(const float *, const double *, double, int64_t, float *);
    double (*squares)(const float *, int64_t);
    void (*gaussians)(const Gaussians *, double *);
    /* The bounds of HALF_QUERIES queries in bfloat16, or NULL. */
    void (*halves)(const uint16_t *, int64_t, const uint16_t *, const float *, int64_t, float *);
} Isa;

#define NAME(x) plain_##x
#define TARGET
#define WIDTH 4
#define DOUBLES 4
#define ROWS 2
#define TILE 4
#define SIDE 2
#define WIDE 8
#define WIDEN(p) __builtin_convertvector(*(const f4 *)(p), D)
#define SMALLER(a, b) smaller(a, b)
#define BELOW(p, limit) \
    ((unsigned)((p)[0] <= (limit)) | (unsigned)((p)[1] <= (limit)) << 1 | (unsigned)((p)[2] <= (limit)) << 2 | \
     (unsigned)((p)[3] <= (limit)) << 3)
#include "_kernels_inner.h"

#if defined(__x86_64__)
#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define WIDTH 8
#define DOUBLES 4
#define ROWS 2
#define TILE 6
#define SIDE 2
#define WIDE 4
#define WIDEN(p) ((D)_mm256_cvtps_pd(_mm_loadu_ps(p)))
#define SMALLER(a, b) ((V)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define BELOW(p, limit) \
    (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(p), _mm256_set1_ps(limit), _CMP_LE_OQ))
#include "_kernels_inner.h"

#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#define WIDTH 16
#define DOUBLES 8
#define ROWS 4
#define TILE 12
#define SIDE 2
#define WIDE 8
#define WIDEN(p) ((D)_mm512_cvtps_pd(_mm256_loadu_ps(p)))
#define SMALLER(a, b) ((V)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define BELOW(p, limit) \
    (unsigned)_mm512_cmp_ps_mask(_mm512_loadu_ps(p), _mm512_set1_ps(limit), _CMP_LE_OQ)
#include "_kernels_inner.h"
#endif
#include "_kernels_halves.h"

#if defined(HALVES)
#define AVX512_WITH(halves) \
    {avx512_exact, avx512_bounds, avx512_least, avx512_below, avx512_argmax, avx512_apart, avx512_centre, \
     avx512_squares, avx512_gaussians, halves}
static const Isa registers_isa = AVX512_WITH(by_registers);
#if defined(TILES)
static const Isa tiles_isa = AVX512_WITH(by_tiles);
#endif
#endif

/* What the kernels use. Choosing it anew writes this pointer alone: calls under way in other threads have a whole table
 * before and after. */
static const Isa *isa = &plain_isa;

/* Changes with the arguments of these functions and the structures below, as LAYOUT in compiled.py does. */
int layout(void) { return 3; }

/* Use the widest instruction set the processor has, up to `limit`; returns it.
 * 0 plain, 1 AVX2, 2 AVX-512, 3 AVX-512 with bfloat16, 4 the same with tiles. */
int use_isa(int limit)
{
    const Isa *widest = &plain_isa;
    int found = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (limit >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        widest = &avx2_isa, found = 1;
    if (limit >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        widest = &avx512_isa, found = 2;
#if defined(HALVES)
        if (limit >= 3 && __builtin_cpu_supports("avx512bf16"))
            widest = &registers_isa, found = 3;
#endif
#if defined(TILES)
        if (limit >= 4 && has_tiles())
            widest = &tiles_isa, found = 4;
#endif
    }
#endif
    isa = widest;
    return found;
}

/* out[i] = exact squared distance of left[i] and right[i * right_step]. */
void exact_pairs(const float *left, const float *right, int64_t right_step, int64_t n, int64_t d, double *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = isa->exact(left + i * d, right + i * right_step * d, d, INFINITY);
}

/* What shorts are made of. */
enum { FLOATS, BFLOAT16, WHOLE };

#include "_kernels_view.h"

/* A set of vectors as blemish/search/bound.py prepares it; n of them, padded to a multiple of PAIR in panels. */
typedef struct {
    const float *full;     /* n x d: what `exact` measures */
    const void *shorts;    /* n x w: the vectors of the product bound, of the kind h */
    const void *panels;    /* the same in panels (of 16 bits: the pair of coordinates before the row) */
    const float *units;    /* n: what the whole numbers of each short count (other kinds: none) */
    const float *half;     /* n: half their squared norms, infinity for padding */
    const float *sketches; /* n x s: the vectors of the second bound (s = 0: none) */
    const double *slips;   /* n: how far rounding moved them */
    const double *norms;   /* n: squared norms of the shorts */
} Points;

typedef struct {
    int64_t d, w, s, h; /* h: the kind of the shorts */
    double scale;     /* from distances of patches to distances of shorts, times (1 + what the axes stretch) */
    double slip;      /* largest slip of a row */
    double norm;      /* largest norm of a row's short */
    double rounding;  /* relative error of a product bound */
    double sharpness; /* relative error of a second bound */
} Margins;

/* No pair at squared distance <= limit is farther apart than this among the shorts, or the sketches. */
static double reach(const Margins *m, double limit, double slip)
{
    return sqrt(limit) * m->scale + slip + m->slip;
}

static float upward(double x) { return nextafterf((float)x, INFINITY); }

/* Rows whose computed product bound exceeds this are farther than `limit` from query q; it is never infinite, as the
 * bounds of padding are. */
static float product_limit(const Margins *m, const Points *q, int64_t i, double within)
{
    double error = m->rounding * (m->norm * m->norm / 2 + sqrt(q->norms[i]) * m->norm) + TINY;
    return fminf(upward((within * within - q->norms[i]) / 2 + error), FLT_MAX);
}

/* Whether the second bound, on sketches or else on the vectors themselves, allows query q and row r to be within
 * `limit`, whose reach is `within`. Beyond the range of float32 it rules nothing out. */
static int maybe(const Margins *m, const Points *query, int64_t q, const Points *row, int64_t r, double limit, double within)
{
    if (m->s)
        return isa->apart(query->sketches + q * m->s, row->sketches + r * m->s, m->s) <=
               upward(within * within * (1 + m->sharpness) + TINY);
    return isa->apart(query->full + q * m->d, row->full + r * m->d, m->d) <= upward(limit * (1 + m->sharpness));
}

/* Insert row `number` at squared distance e among the k best, ordered by distance, then number. */
static void insert(double *best, int64_t *numbers, int64_t k, double e, int64_t number)
{
    int64_t at = k;
    while (at > 0 && (e < best[at - 1] || (e == best[at - 1] && number < numbers[at - 1])))
        at--;
    for (int64_t i = k - 1; i > at; i--)
        best[i] = best[i - 1], numbers[i] = numbers[i - 1];
    if (at < k)
        best[at] = e, numbers[at] = number;
}

/* How far a query still looks: the squared distance that matters, its reach, and what a product bound may then not
 * exceed. */
typedef struct {
    double worst, within, limit;
} Edge;

typedef struct {
    const Margins *m;
    const Points *query, *row;
    int64_t q, k;
    double *best;
    int64_t *numbers;
    Edge *edge;
} Search;

static void tighten(Search *s)
{
    s->edge->worst = fmin(s->edge->worst, s->best[s->k - 1]);
    s->edge->within = reach(s->m, s->edge->worst, s->query->slips[s->q]);
    s->edge->limit = product_limit(s->m, s->query, s->q, s->edge->within);
}

static void meet(Search *s, int64_t number)
{
    const Margins *m = s->m;
    if (!maybe(m, s->query, s->q, s->row, number, s->edge->worst, s->edge->within))
        return;
    double e = isa->exact(s->query->full + s->q * m->d, s->row->full + number * m->d, m->d, s->edge->worst);
    if (e <= s->edge->worst) {
        insert(s->best, s->numbers, s->k, e, number);
        tighten(s);
    }
}

/* Where the smallest of a block's n product bounds stands, or -1 where none is within the limit. */
static int64_t nearest_bound(const Search *s, const float *t, int64_t n)
{
    int32_t where[BLOCK];
    float smallest = isa->least(t, n);
    if (smallest > s->edge->limit)
        return -1;
    isa->below(t, n, smallest, where);
    return where[0];
}

/* One query against one block of rows whose product bounds are `t`: the nearest bound first, so that it rules out
 * most others (until there are k, one by one), then those that are left. */
static void settle(Search *s, int64_t first, int64_t n, float *t, int64_t at)
{
    int32_t where[BLOCK];
    while (at >= 0) {
        t[at] = INFINITY;
        meet(s, first + at);
        if (s->edge->worst < INFINITY)
            break;
        at = nearest_bound(s, t, n);
    }
    if (at < 0)
        return;
    int64_t left = isa->below(t, n, s->edge->limit, where);
    for (int64_t i = 0; i < left; i++)
        if (t[where[i]] <= s->edge->limit)
            meet(s, first + where[i]);
}

/* Begin to load a row that will be measured soon; the rest of it follows by itself. */
static void fetch(const float *row, int64_t d)
{
#if defined(__GNUC__)
    for (int64_t i = 0; i < d && i < FETCHED; i += LANES)
        __builtin_prefetch(row + i);
#endif
}

/* The shorts of the queries `at`, one after the other; in bfloat16 with their signs turned. */
static void gather(const Margins *m, const Points *query, const int64_t *at, int64_t n, void *to)
{
    int64_t size = m->w * (m->h == FLOATS ? sizeof(float) : sizeof(uint16_t));
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)to + i * size, (const char *)query->shorts + at[i] * size, size);
    for (int64_t j = 0; m->h == BFLOAT16 && j < n * m->w; j++)
        ((uint16_t *)to)[j] ^= 0x8000;
}

/* The product bounds of `count` queries, those of `shorts` and at `at`, with rows first .. first + left - 1. */
static void products(const Margins *m, const Points *query, const int64_t *at, int64_t count, const void *shorts,
                     const Points *row, int64_t first, int64_t left, float *t, int64_t block)
{
    const float *half = row->half + first;
    const uint16_t *panels = (const uint16_t *)row->panels + first * m->w;
    if (m->h == FLOATS)
        isa->bounds(shorts, count, m->w, m->w, (const float *)row->panels + first * m->w, m->w * LANES, half, left, t,
                    block);
    else if (m->h == BFLOAT16)
        isa->halves(shorts, m->w, panels, half, left, t);
#if defined(__x86_64__)
    else {
        float unit[WHOLE_QUERIES] = {0};
        for (int64_t i = 0; i < count; i++)
            unit[i] = query->units[at[i]];
        by_whole(shorts, unit, m->w, (const int16_t *)panels, row->units + first, half, left, t);
    }
#endif
}

/* Improve the k best (n x k, ascending) of the queries at[0 .. n - 1] by the rows they have not met, from[i] ..
 * rows - 1. Neighbours in `at` should have met equally many; with k > 1 none may have met any.
 * `hints` (n x k, or NULL) are different rows likely to be near; none farther than the farthest of them matters.
 * `scratch` holds the shorts of n queries, and room for HALF_QUERIES more; `edges` has room for n. */
void nearest(const Margins *m, const Points *query, const int64_t *at, int64_t n, const Points *row, int64_t rows,
             const int64_t *from, const int64_t *hints, int64_t k, double *best, int64_t *numbers, void *scratch,
             Edge *edges)
{
    float t[HALF_QUERIES * HALF_BLOCK];
    const int64_t at_once[] = {QUERIES, HALF_QUERIES, WHOLE_QUERIES}, blocks[] = {BLOCK, HALF_BLOCK, WHOLE_BLOCK};
    int64_t queries = at_once[m->h], block = blocks[m->h], size = m->w * (m->h == FLOATS ? sizeof(float) : sizeof(uint16_t));
    gather(m, query, at, n, scratch);
    for (int64_t i = 0; i < n; i++) {
        edges[i].worst = hints ? 0 : INFINITY;
        for (int64_t j = 0; hints && j < k; j++)
            edges[i].worst = fmax(edges[i].worst, isa->exact(query->full + at[i] * m->d, row->full + hints[i * k + j] * m->d,
                                                             m->d, INFINITY));
        tighten(&(Search){m, query, row, at[i], k, best + i * k, numbers + i * k, edges + i});
    }
    for (int64_t r = 0; r < rows; r += block) {
        int64_t whole = rows - r < block ? (rows - r + PAIR - 1) / PAIR * PAIR : block;
        for (int64_t q = 0; q < n; q += queries) {
            int64_t count = n - q < queries ? n - q : queries, met = rows;
            for (int64_t i = 0; i < count; i++)
                met = from[q + i] < met ? from[q + i] : met;
            if (met >= r + whole)
                continue;
            int64_t skip = met > r ? (met - r) / PAIR * PAIR : 0, first = r + skip, left = whole - skip;
            products(m, query, at + q, count, (const char *)scratch + q * size, row, first, left, t, block);
            Search search[HALF_QUERIES];
            int64_t place[HALF_QUERIES];
            for (int64_t i = 0; i < count; i++) {
                search[i] = (Search){m, query, row, at[q + i], k, best + (q + i) * k, numbers + (q + i) * k, edges + q + i};
                place[i] = nearest_bound(search + i, t + i * block, left);
                if (place[i] >= 0)
                    fetch(row->full + (first + place[i]) * m->d, m->d);
            }
            for (int64_t i = 0; i < count; i++)
                settle(search + i, first, left, t + i * block, place[i]);
        }
    }
}

/* Where the sum of a pool point's product bound starts: it ends at or below -|x|^2 / 2 where the new row x may be
 * nearer than the point's value. */
static float start(const Margins *m, const Points *pool, int64_t p, double value)
{
    double within = reach(m, value, pool->slips[p]), error = m->rounding * 1.5 * m->norm * m->norm + TINY;
    return -upward(within * within / 2 + error - pool->half[p]);
}

/* Point p's value after meeting the pool's point x. */
static double met(const Margins *m, const Points *pool, int64_t x, int64_t p, double value)
{
    if (!maybe(m, pool, x, pool, p, value, reach(m, value, pool->slips[p])))
        return value;
    double e = isa->exact(pool->full + x * m->d, pool->full + p * m->d, m->d, value);
    return e < value ? e : value;
}

/* Bring the pool's values up to date with its point x, chosen now. */
static void absorb(const Margins *m, const Points *pool, int64_t x, int64_t padded, double *values, float *starts)
{
    float t[BLOCK], limit = -(float)(pool->norms[x] / 2);
    int32_t where[BLOCK];
    for (int64_t r = 0; r < padded; r += BLOCK) {
        int64_t size = padded - r < BLOCK ? padded - r : BLOCK;
        isa->bounds((const float *)pool->shorts + x * m->w, 1, m->w, m->w, (const float *)pool->panels + r * m->w,
                    m->w * LANES, starts + r, size, t, BLOCK);
        int64_t near = isa->below(t, size, limit, where);
        for (int64_t i = 0; i < near; i++) {
            int64_t p = r + where[i];
            double value = met(m, pool, x, p, values[p]);
            if (value < values[p]) {
                values[p] = value;
                starts[p] = start(m, pool, p, value);
            }
        }
    }
}

/* The plain greedy loop inside a pool of n points (padded to a multiple of PAIR in panels, half and starts).
 * values[i] is the squared distance of point i to the chosen rows, -1 once chosen itself; numbers ascend. Stops
 * after `wanted` choices or when a point outside (value, number) may come first. Returns how many were chosen. */
int64_t greedy_pool(const Margins *m, const Points *pool, int64_t n, const int64_t *numbers, double outside_value,
                    int64_t outside_number, int64_t wanted, double *values, float *starts, int64_t *chosen, double *squared)
{
    int64_t padded = (n + PAIR - 1) / PAIR * PAIR, count = 0;
    for (int64_t i = 0; i < padded; i++)
        starts[i] = i < n && values[i] >= 0 ? start(m, pool, i, values[i]) : INFINITY;
    for (; count < wanted; count++) {
        int64_t x = isa->argmax(values, n);
        if (values[x] < 0 || values[x] < outside_value || (values[x] == outside_value && numbers[x] > outside_number))
            break;
        chosen[count] = x, squared[count] = values[x];
        values[x] = -1, starts[x] = INFINITY;
        absorb(m, pool, x, padded, values, starts);
    }
    return count;
}

/* Means, packed factors and lengths of all places; `scratch` as compiled.py reckons it. */
void gaussians(const Gaussians *g, double *scratch) { isa->gaussians(g, scratch); }

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", "Inner loops, called through ctypes.", -1, NULL};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModule_Create(&module); }
