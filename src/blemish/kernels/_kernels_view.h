/* Short vectors of patches, included by _kernels.c; docs/kernels.md, "The bound", has the proofs. */
typedef struct {
    int64_t d, m;                 /* the patches' dimension; axes in panels, a multiple of PAIR */
    int64_t axes, width, halves;  /* of the short vectors: axes used, numbers kept, and their kind */
    int64_t sketch_axes, sketch;  /* of the sketches; 0: none */
    double scale, eta, step;      /* step: the rounding of one projection, relative to the norm of y */
    const double *mean;
    const float *panels;
} Axes;

#define UNIT 0x1p-24
#define FAR 0x1p60
#define ROUNDER 0x1.8p23f /* added to a float below 2^22 and taken away, it leaves a whole number */

/* total[i][axis] = <y, axis>, y = (patch i - mean) * scale; norms[i] = |y|^2; for at most QUERIES patches.
 * Sums of CHUNK terms are rounded into the total, so the error is that of CHUNK + d / CHUNK + 1 roundings.
 * `scratch` holds QUERIES x (d + m) + m floats. */
static void project(const Axes *a, const float *patches, int64_t count, float *total, double *norms, float *scratch)
{
    float *y = scratch, *part = y + QUERIES * a->d, *zeros = part + QUERIES * a->m;
    for (int64_t j = 0; j < a->m; j++)
        zeros[j] = 0;
    for (int64_t q = 0; q < count; q++)
        norms[q] = isa->centre(patches + q * a->d, a->mean, a->scale, a->d, y + q * a->d);
    for (int64_t j = 0; j < count * a->m; j++)
        total[j] = 0;
    for (int64_t k = 0; k < a->d; k += CHUNK) {
        int64_t terms = a->d - k < CHUNK ? a->d - k : CHUNK;
        isa->bounds(y + k, count, a->d, terms, a->panels + k * LANES, a->d * LANES, zeros, a->m, part, a->m);
        for (int64_t j = 0; j < count * a->m; j++)
            total[j] -= part[j];
    }
}

/* The first coordinates and the norm of the rest, padded with zeros to `width`; returns the slip. */
static double shorten(const Axes *a, const float *projected, double norm, int64_t axes, int64_t width, float *out)
{
    double rest = sqrt(fmax((1 + a->eta) * norm - isa->squares(projected, axes), 0));
    double error = sqrt((double)axes) * a->step + 3 * UNIT, doubt = 3 * (error + UNIT) * norm;
    double slip = fmin(sqrt(doubt), doubt / fmax(rest, 1e-300));
    memcpy(out, projected, axes * sizeof(float));
    out[axes] = (float)rest;
    for (int64_t j = axes + 1; j < width; j++)
        out[j] = 0;
    return sqrt(error * error * norm + slip * slip) + 4 * UNIT * sqrt(norm) + TINY;
}

/* Round to bfloat16, ties to even; `x` becomes the rounded numbers. Returns how far the vector was moved. */
static double halve(float *x, int64_t width, uint16_t *out, float *moved)
{
    for (int64_t j = 0; j < width; j++) {
        uint32_t bits, upper;
        float rounded;
        memcpy(&bits, x + j, sizeof bits);
        upper = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
        memcpy(&rounded, &upper, sizeof rounded);
        moved[j] = rounded - x[j], x[j] = rounded, out[j] = (uint16_t)(upper >> 16);
    }
    return sqrt(isa->squares(moved, width)) * (1 + 0x1p-30);
}

/* Round to whole numbers of a unit, a power of two of which the vector is 2^14 to 2^15 long; `x` becomes the rounded
 * numbers. Returns how far the vector was moved. */
static double number(float *x, int64_t width, int16_t *out, float *unit, float *moved)
{
    int exponent;
    frexp(fmax(sqrt(isa->squares(x, width)), 0x1p-100), &exponent);
    *unit = (float)ldexp(1, exponent - 15);
    float units = (float)ldexp(1, 15 - exponent);
    for (int64_t j = 0; j < width; j++) {
        float whole = (x[j] * units + ROUNDER) - ROUNDER;
        whole = whole > 0x7FFF ? 0x7FFF : whole < -0x7FFF ? -0x7FFF : whole;
        float rounded = whole * *unit;
        moved[j] = rounded - x[j], x[j] = rounded, out[j] = (int16_t)whole;
    }
    return sqrt(isa->squares(moved, width)) * (1 + 0x1p-30);
}

/* Short vectors (n x width, of the kind asked for) with their units where they are whole numbers, sketches (n x sketch), slips and squared norms of the shorts. Patches
 * beyond all proportion get zeros and an infinite slip. `scratch` holds QUERIES x (d + 2 m) + m + 2 width floats. */
void view(const Axes *a, const float *patches, int64_t n, void *shorts, float *units, float *sketches, double *slips,
          double *norms, float *scratch)
{
    float *total = scratch, *one = total + QUERIES * a->m, *moved = one + a->width;
    for (int64_t i = 0; i < n; i += QUERIES) {
        int64_t count = n - i < QUERIES ? n - i : QUERIES;
        project(a, patches + i * a->d, count, total, norms + i, moved + a->width);
        for (int64_t q = i; q < i + count; q++) {
            float *projected = total + (q - i) * a->m, *out = a->halves ? one : (float *)shorts + q * a->width;
            int far = !(norms[q] < FAR);
            if (far) {
                memset(projected, 0, a->m * sizeof(float));
                norms[q] = 0;
            }
            slips[q] = shorten(a, projected, norms[q], a->axes, a->width, out);
            if (a->sketch)
                slips[q] = fmax(slips[q], shorten(a, projected, norms[q], a->sketch_axes, a->sketch, sketches + q * a->sketch));
            if (a->halves == BFLOAT16)
                slips[q] += halve(out, a->width, (uint16_t *)shorts + q * a->width, moved);
            if (a->halves == WHOLE)
                slips[q] += number(out, a->width, (int16_t *)shorts + q * a->width, units + q, moved);
            if (far)
                slips[q] = INFINITY;
            norms[q] = isa->squares(out, a->width);
        }
    }
}
