/* Gaussians of PLACES places at once, one in each lane of a register; included by _kernels_inner.h for each instruction
 * set. docs/kernels.md, "Gaussians", has the mathematics; blemish/kernels/gaussians.py is the same in NumPy.
 *
 * Matrices are of P, row by row, and padded to blocks of SQUARE x SQUARE: with ones on the diagonal where they are
 * factored, else with zeros. So no loop has a remainder.
 */

#define P NAME(places)
typedef double P __attribute__((vector_size(8 * PLACES), aligned(8)));

/* sum[i][j] -= the sum over k < n of a[k * ka + i * ia] * b[k * kb + j * jb], ROWS rows at a time in registers. */
TARGET INLINE void NAME(subtract)(P sum[SQUARE][SQUARE], int64_t n, const P *a, int64_t ka, int64_t ia, const P *b,
                                  int64_t kb, int64_t jb)
{
    for (int h = 0; h < SQUARE; h += ROWS) {
        P part[ROWS][SQUARE];
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < SQUARE; j++)
                part[i][j] = sum[h + i][j];
        for (int64_t k = 0; k < n; k++) {
            const P *left = a + k * ka + h * ia, *right = b + k * kb;
            P row[SQUARE];
            for (int j = 0; j < SQUARE; j++)
                row[j] = right[j * jb];
            for (int i = 0; i < ROWS; i++) {
                P x = left[i * ia];
                for (int j = 0; j < SQUARE; j++)
                    part[i][j] -= x * row[j];
            }
        }
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < SQUARE; j++)
                sum[h + i][j] = part[i][j];
    }
}

/* The lower triangle of -X^T X, of X (rows x n). */
TARGET static void NAME(minus_squared)(const P *x, int64_t rows, int64_t n, P *out)
{
    for (int64_t r = 0; r < n; r += SQUARE)
        for (int64_t c = 0; c <= r; c += SQUARE) {
            P sum[SQUARE][SQUARE] = {{{0}}};
            NAME(subtract)(sum, rows, x + r, n, 1, x + c, n, 1);
            for (int i = 0; i < SQUARE; i++)
                for (int j = 0; j < SQUARE; j++)
                    out[(r + i) * n + c + j] = sum[i][j];
        }
}

/* The Cholesky factor of one block, and its inverse. */
TARGET INLINE void NAME(factor_block)(P a[SQUARE][SQUARE], P *inverse)
{
    for (int j = 0; j < SQUARE; j++) {
        for (int k = 0; k < j; k++)
            a[j][j] -= a[j][k] * a[j][k];
        for (int lane = 0; lane < PLACES; lane++)
            a[j][j][lane] = sqrt(a[j][j][lane]);
        for (int i = j + 1; i < SQUARE; i++) {
            for (int k = 0; k < j; k++)
                a[i][j] -= a[i][k] * a[j][k];
            a[i][j] /= a[j][j];
        }
    }
    for (int j = 0; j < SQUARE; j++)
        for (int i = 0; i < SQUARE; i++) {
            P sum = {0};
            for (int k = j; k < i; k++)
                sum -= a[i][k] * inverse[k * SQUARE + j];
            inverse[i * SQUARE + j] = i < j ? sum : (i == j ? sum + 1.0 : sum) / a[i][i];
        }
}

/* The Cholesky factor L of the lower triangle S (n x n): its blocks below the diagonal in `l`, and the inverses of those
 * on it in `inverse`. */
TARGET static void NAME(factor)(const P *s, int64_t n, P *l, P *inverse)
{
    for (int64_t r = 0; r < n; r += SQUARE)
        for (int64_t c = 0; c <= r; c += SQUARE) {
            P sum[SQUARE][SQUARE], *own = inverse + c * SQUARE;
            for (int i = 0; i < SQUARE; i++)
                for (int j = 0; j < SQUARE; j++)
                    sum[i][j] = s[(r + i) * n + c + j];
            NAME(subtract)(sum, c, l + r * n, 1, n, l + c * n, 1, n);
            if (r == c) {
                NAME(factor_block)(sum, own);
                continue;
            }
            for (int i = 0; i < SQUARE; i++)
                for (int j = 0; j < SQUARE; j++) {
                    P x = {0};
                    for (int k = 0; k <= j; k++)
                        x += sum[i][k] * own[j * SQUARE + k];
                    l[(r + i) * n + c + j] = x;
                }
        }
}

/* Y (n x m) becomes L^-1 Y. Of a `triangular` Y the blocks above the diagonal are zero, and stay so. */
TARGET static void NAME(solve)(const P *l, const P *inverse, int64_t n, P *y, int64_t m, int triangular)
{
    for (int64_t c = 0; c < m; c += SQUARE)
        for (int64_t first = triangular ? c : 0, r = first; r < n; r += SQUARE) {
            P sum[SQUARE][SQUARE];
            const P *own = inverse + r * SQUARE;
            for (int i = 0; i < SQUARE; i++)
                for (int j = 0; j < SQUARE; j++)
                    sum[i][j] = y[(r + i) * m + c + j];
            NAME(subtract)(sum, r - first, l + r * n + first, 1, n, y + first * m + c, m, 1);
            for (int i = 0; i < SQUARE; i++)
                for (int j = 0; j < SQUARE; j++) {
                    P x = {0};
                    for (int k = 0; k <= i; k++)
                        x += own[i * SQUARE + k] * sum[k][j];
                    y[(r + i) * m + c + j] = x;
                }
        }
}

/* W = L^-1 of the lower triangle S (n x n), for which W S W^T = I. */
TARGET static void NAME(whiten)(const P *s, int64_t n, P *l, P *inverse, P *w)
{
    NAME(factor)(s, n, l, inverse);
    memset(w, 0, n * n * sizeof(P));
    for (int64_t i = 0; i < n; i++)
        w[i * n + i] += 1.0;
    NAME(solve)(l, inverse, n, w, n, 1);
}

/* out = -S * scale with `diagonal` added on the first d of its n diagonal entries, and 1 on the others. */
TARGET static void NAME(regularise)(const P *minus_s, int64_t n, int64_t d, double scale, double diagonal, P *out)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= (i | (SQUARE - 1)); j++)
            out[i * n + j] = minus_s[i * n + j] * -scale;
        out[i * n + i] += i < d ? diagonal : 1.0;
    }
}

/* The lengths of the patches of one fold under the Gaussian of the others, of which L is the factor of the regularised
 * scatter of all. `y` has room for d x m, `k`, `l2` and `w` for m x m. */
TARGET static void NAME(fold_lengths)(const Gaussians *g, const P *x, int64_t n, const int64_t *members, int64_t count,
                                      const P *l, const P *inverse, P *y, P *k, P *l2, P *w, P *inverse2, P *lengths)
{
    int64_t m = (count + SQUARE) / SQUARE * SQUARE;
    double others = (double)(g->images - count), divisor = fmax(1, others - 1), root = sqrt(others);
    for (int64_t j = 0; j < n; j++)
        for (int64_t c = 0; c < m; c++)
            y[j * m + c] = c < count ? x[members[c] * n + j] : (P){0};
    NAME(solve)(l, inverse, n, y, m, 0);
    for (int64_t j = 0; j < n; j++) {
        for (int64_t c = 0; c < count; c++)
            y[j * m + count] -= y[j * m + c];
        y[j * m + count] /= root;
    }
    NAME(minus_squared)(y, n, m, k);
    for (int64_t c = 0; c < m; c++)
        k[c * m + c] += 1.0;
    NAME(whiten)(k, m, l2, inverse2, w);
    P last = w[count * m + count];
    for (int64_t c = 0; c < count; c++) {
        P own = {0};
        for (int64_t r = c; r <= count; r++)
            own += w[r * m + c] * w[r * m + c];
        P squared = own - 2 / root * last * w[count * m + c] + last * last / others;
        for (int lane = 0; lane < PLACES; lane++)
            lengths[members[c]][lane] = sqrt(fmax(0, divisor * (squared[lane] - 1 - 1 / others)));
    }
}

/* Patches of PLACES places about their means, as images x n. */
TARGET static void NAME(centre_all)(const Gaussians *g, const int64_t *places, int64_t n, P *x, P *mean)
{
    memset(mean, 0, n * sizeof(P));
    memset(x, 0, g->images * n * sizeof(P));
    for (int64_t i = 0; i < g->images; i++)
        for (int64_t j = 0; j < g->d; j++) {
            for (int lane = 0; lane < PLACES; lane++)
                x[i * n + j][lane] = g->patches[(places[lane] * g->images + i) * g->d + j];
            mean[j] += x[i * n + j];
        }
    for (int64_t j = 0; j < n; j++)
        mean[j] /= (double)g->images;
    for (int64_t i = 0; i < g->images; i++)
        for (int64_t j = 0; j < g->d; j++)
            x[i * n + j] -= mean[j];
}

/* The Gaussians of all places, and the lengths; `scratch` as blemish/kernels/compiled.py reckons it. */
TARGET static void NAME(gaussians)(const Gaussians *g, double *scratch)
{
    int64_t n = (g->d + SQUARE - 1) / SQUARE * SQUARE, most = (g->largest + SQUARE) / SQUARE * SQUARE;
    P *x = (P *)(((uintptr_t)scratch + sizeof(P) - 1) / sizeof(P) * sizeof(P)), *mean = x + g->images * n, *lengths = mean + n, *s = lengths + g->images, *a = s + n * n,
      *l = a + n * n, *w = l + n * n, *inverse = w + n * n, *y = inverse + n * SQUARE, *k = y + n * most,
      *l2 = k + most * most, *w2 = l2 + most * most, *inverse2 = w2 + most * most;
    for (int64_t p = 0; p < g->places; p += PLACES) {
        int64_t places[PLACES];
        for (int lane = 0; lane < PLACES; lane++)
            places[lane] = p + lane < g->places ? p + lane : g->places - 1;
        NAME(centre_all)(g, places, n, x, mean);
        NAME(minus_squared)(x, g->images, n, s);
        NAME(regularise)(s, n, g->d, 1 / fmax(1, (double)g->images - 1), g->epsilon, a);
        NAME(whiten)(a, n, l, inverse, w);
        int64_t before = -1;
        for (int64_t f = 0; f < g->folds; f++) {
            int64_t count = g->starts[f + 1] - g->starts[f];
            double divisor = fmax(1, (double)(g->images - count) - 1);
            if (count != before) {
                NAME(regularise)(s, n, g->d, 1, g->epsilon * divisor, a);
                NAME(factor)(a, n, l, inverse);
            }
            before = count;
            NAME(fold_lengths)(g, x, n, g->members + g->starts[f], count, l, inverse, y, k, l2, w2, inverse2, lengths);
        }
        for (int lane = 0; lane < PLACES && p + lane < g->places; lane++) {
            float *packed = g->factor + (p + lane) * g->numbers;
            for (int64_t i = 0; i < g->d; i++) {
                int64_t end = (i / g->strip + 1) * g->strip;
                for (int64_t j = 0; j < (end < g->d ? end : g->d); j++)
                    *packed++ = (float)w[i * n + j][lane];
            }
            for (int64_t j = 0; j < g->d; j++)
                g->mean[(p + lane) * g->d + j] = (float)mean[j][lane];
            for (int64_t i = 0; g->folds && i < g->images; i++)
                g->lengths[(p + lane) * g->images + i] = lengths[i][lane];
        }
    }
}
#undef P
