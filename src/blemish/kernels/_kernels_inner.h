/* The innermost loops, included by _kernels.c once for each instruction set.
 *
 * The includer defines NAME(x), TARGET (a function attribute), WIDTH (floats in a register), DOUBLES, ROWS (of a block of
 * doubles that registers hold), TILE (queries of a product tile), SIDE (registers of rows of a tile), WIDE (the same for one query),
 * WIDEN(p) (DOUBLES floats as doubles), SMALLER(a, b) of each lane, and BELOW(p, limit), a bit for each of WIDTH floats
 * that is at most the limit.
 */
#define V NAME(vector)
typedef float V __attribute__((vector_size(4 * WIDTH), aligned(4)));

#define D NAME(doubles)
typedef double D __attribute__((vector_size(8 * DOUBLES), aligned(8)));

TARGET INLINE double NAME(total)(const D *sum)
{
    double s[LANES];
    for (int j = 0; j < LANES / DOUBLES / 2; j++)
        *(D *)(s + j * DOUBLES) = sum[j] + sum[j + LANES / DOUBLES / 2];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* Squared distance in 16 running sums, halved four times; infinity once it is sure to exceed `limit`:
 * rounded sums of squares never fall, so a partial total is a lower bound of the final one. */
TARGET UNCONTRACTED static double NAME(exact)(const float *a, const float *b, int64_t d, double limit)
{
    NO_CONTRACTION
    D sum[LANES / DOUBLES] = {{0}};
    int64_t i = 0;
    for (; i + LANES <= d; i += LANES) {
        for (int j = 0; j < LANES / DOUBLES; j++) {
            D x = WIDEN(a + i + DOUBLES * j) - WIDEN(b + i + DOUBLES * j);
            sum[j] += x * x;
        }
        if (i % 64 == 48 && NAME(total)(sum) > limit)
            return INFINITY;
    }
    if (i < d) {
        double left[LANES] = {0};
        for (int j = 0; i + j < d; j++) {
            double x = (double)a[i + j] - (double)b[i + j];
            left[j] = x * x;
        }
        for (int j = 0; j < LANES / DOUBLES; j++)
            sum[j] += *(const D *)(left + DOUBLES * j);
    }
    return NAME(total)(sum);
}

/* out[i][row] = half[row] - <query i, row> for nq queries and np registers of rows, all sums in registers. */
TARGET INLINE void NAME(tile)(int nq, int np, const float *q, int64_t qstep, int64_t w, const float *panel,
                              int64_t pstep, const float *half, float *out, int64_t step)
{
    V acc[TILE * SIDE > WIDE ? TILE * SIDE : WIDE], row[SIDE > WIDE ? SIDE : WIDE];
    for (int i = 0; i < nq; i++)
        for (int p = 0; p < np; p++)
            acc[i * np + p] = *(const V *)(half + p * WIDTH);
    for (int64_t k = 0; k < w; k++) {
        for (int p = 0; p < np; p++)
            row[p] = *(const V *)(panel + p * WIDTH / LANES * pstep + k * LANES + p * WIDTH % LANES);
        for (int i = 0; i < nq; i++)
            for (int p = 0; p < np; p++)
                acc[i * np + p] -= q[i * qstep + k] * row[p];
    }
    for (int i = 0; i < nq; i++)
        for (int p = 0; p < np; p++)
            *(V *)(out + i * step + p * WIDTH) = acc[i * np + p];
}

/* The same for any number of queries and a multiple of PAIR rows. The last tile of queries overlaps the one
 * before it; a few queries alone take WIDE registers of rows, so that enough sums run side by side. */
TARGET static void NAME(bounds)(const float *q, int64_t n, int64_t qstep, int64_t w, const float *panels,
                                int64_t pstep, const float *half, int64_t rows, float *out, int64_t step)
{
    if (n >= TILE) {
        for (int64_t r = 0; r < rows; r += SIDE * WIDTH)
            for (int64_t i = 0; i < n; i += TILE) {
                int64_t at = i + TILE <= n ? i : n - TILE;
                NAME(tile)(TILE, SIDE, q + at * qstep, qstep, w, panels + r / LANES * pstep + r % LANES, pstep,
                           half + r,
                           out + at * step + r, step);
            }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t r = 0;
        for (; r + WIDE * WIDTH <= rows; r += WIDE * WIDTH)
            NAME(tile)(1, WIDE, q + i * qstep, qstep, w, panels + r / LANES * pstep + r % LANES, pstep,
                           half + r,
                       out + i * step + r, step);
        for (; r < rows; r += SIDE * WIDTH)
            NAME(tile)(1, SIDE, q + i * qstep, qstep, w, panels + r / LANES * pstep + r % LANES, pstep,
                           half + r,
                       out + i * step + r, step);
    }
}

/* The smallest of n values (a multiple of 16). */
TARGET static float NAME(least)(const float *t, int64_t n)
{
    V m[LANES / WIDTH];
    for (int j = 0; j < LANES / WIDTH; j++)
        m[j] = *(const V *)(t + j * WIDTH);
    for (int64_t i = LANES; i < n; i += LANES)
        for (int j = 0; j < LANES / WIDTH; j++)
            m[j] = SMALLER(*(const V *)(t + i + j * WIDTH), m[j]);
    for (int j = 1; j < LANES / WIDTH; j++)
        m[0] = SMALLER(m[j], m[0]);
    float smallest = m[0][0];
    for (int j = 1; j < WIDTH; j++)
        smallest = m[0][j] < smallest ? m[0][j] : smallest;
    return smallest;
}

/* Where the values of t (n of them, a multiple of 16) are at most `limit`, ascending; returns how many. */
TARGET static int64_t NAME(below)(const float *t, int64_t n, float limit, int32_t *where)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += WIDTH)
        for (unsigned found = BELOW(t + i, limit); found; found &= found - 1)
            where[count++] = (int32_t)(i + __builtin_ctz(found));
    return count;
}

/* Position of the first of the largest of n values. */
TARGET static int64_t NAME(argmax)(const double *v, int64_t n)
{
    double m[8], most = v[0];
    int64_t i = 0;
    for (int j = 0; j < 8; j++)
        m[j] = v[0];
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            m[j] = v[i + j] > m[j] ? v[i + j] : m[j];
    for (int j = 0; j < 8; j++)
        most = m[j] > most ? m[j] : most;
    for (; i < n; i++)
        most = v[i] > most ? v[i] : most;
    for (i = 0; v[i] != most;)
        i++;
    return i;
}

/* Squared distance in float32, from differences: a bound once its few roundings are allowed for. */
TARGET static float NAME(apart)(const float *a, const float *b, int64_t n)
{
    V sum[LANES / WIDTH] = {{0}};
    float s = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES / WIDTH; j++) {
            V x = *(const V *)(a + i + j * WIDTH) - *(const V *)(b + i + j * WIDTH);
            sum[j] += x * x;
        }
    for (int j = 1; j < LANES / WIDTH; j++)
        sum[0] += sum[j];
    for (int j = 0; j < WIDTH; j++)
        s += sum[0][j];
    for (; i < n; i++)
        s += (a[i] - b[i]) * (a[i] - b[i]);
    return s;
}

/* y = (patch - mean) * scale in float32; returns |y|^2 before that rounding. */
TARGET static double NAME(centre)(const float *patch, const double *mean, double scale, int64_t d, float *y)
{
    D sum[2] = {{0}};
    int64_t k = 0;
    for (; k + 2 * DOUBLES <= d; k += 2 * DOUBLES)
        for (int j = 0; j < 2; j++) {
            D x = (WIDEN(patch + k + j * DOUBLES) - *(const D *)(mean + k + j * DOUBLES)) * scale;
            for (int l = 0; l < DOUBLES; l++)
                y[k + j * DOUBLES + l] = (float)x[l];
            sum[j] += x * x;
        }
    double norm = 0;
    for (int l = 0; l < DOUBLES; l++)
        norm += sum[0][l] + sum[1][l];
    for (; k < d; k++) {
        double x = (patch[k] - mean[k]) * scale;
        y[k] = (float)x;
        norm += x * x;
    }
    return norm;
}

/* The squared norm, in float64. */
TARGET static double NAME(squares)(const float *x, int64_t n)
{
    D sum[2] = {{0}};
    int64_t k = 0;
    for (; k + 2 * DOUBLES <= n; k += 2 * DOUBLES)
        for (int j = 0; j < 2; j++) {
            D v = WIDEN(x + k + j * DOUBLES);
            sum[j] += v * v;
        }
    double norm = 0;
    for (int l = 0; l < DOUBLES; l++)
        norm += sum[0][l] + sum[1][l];
    for (; k < n; k++)
        norm += (double)x[k] * x[k];
    return norm;
}

#include "_kernels_gaussians.h"

static const Isa NAME(isa) = {NAME(exact), NAME(bounds), NAME(least), NAME(below), NAME(argmax), NAME(apart), NAME(centre),
                             NAME(squares), NAME(gaussians), 0};
#undef V
#undef D
#undef DOUBLES
#undef ROWS
#undef NAME
#undef TARGET
#undef WIDTH
#undef TILE
#undef SIDE
#undef WIDE
#undef WIDEN
#undef SMALLER
#undef BELOW
