/* Product bounds of shorts in 16 bits, included by _kernels.c. A panel holds coordinates 0 and 1 of its 16 rows, then 2
 * and 3, ...; rows are a multiple of PAIR.
 *
 * In bfloat16: out[i][row] = half[row] + <q_i, row>, the queries' signs turned, for HALF_QUERIES queries; a row of `out`
 * is HALF_BLOCK long and w a multiple of 32. Products of two bfloat16 numbers are exact in float32, and only their sum
 * rounds, so the margins are those of the float32 product.
 *
 * In whole numbers: out[i][row] = half[row] - unit_i unit_row <q_i, row>, for WHOLE_QUERIES queries; a row of `out` is
 * WHOLE_BLOCK long and w even. Every short is shorter than 2^15 + w of its units, so that its products with others,
 * and each part of them, fit into 32 bits, where they are exact.
 */
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void by_whole(const int16_t *q, const float *unit, int64_t w,
    const int16_t *panels, const float *units, const float *half, int64_t rows, float *out)
{
    enum { AT_ONCE = 6, LOW = 8 };
    for (int64_t r = 0; r < rows; r += LANES)
        for (int64_t i = 0; i < WHOLE_QUERIES; i += AT_ONCE) {
            __m256i sum[AT_ONCE][2];
            for (int j = 0; j < AT_ONCE; j++)
                sum[j][0] = sum[j][1] = _mm256_setzero_si256();
            for (int64_t k = 0; k < w; k += 2) {
                const __m256i *row = (const __m256i *)(panels + r * w + k * LANES);
                __m256i low = _mm256_loadu_si256(row), high = _mm256_loadu_si256(row + 1);
                for (int j = 0; j < AT_ONCE; j++) {
                    int32_t both;
                    memcpy(&both, q + (i + j) * w + k, sizeof both);
                    __m256i x = _mm256_set1_epi32(both);
                    sum[j][0] = _mm256_add_epi32(sum[j][0], _mm256_madd_epi16(x, low));
                    sum[j][1] = _mm256_add_epi32(sum[j][1], _mm256_madd_epi16(x, high));
                    /* Compilers otherwise give each sum a new register, and copy all of them back every time. */
                    __asm__("" : "+x"(sum[j][0]), "+x"(sum[j][1]));
                }
            }
            for (int j = 0; j < AT_ONCE; j++)
                for (int p = 0; p < 2; p++) {
                    int64_t at = r + p * LOW;
                    __m256 counts = _mm256_mul_ps(_mm256_set1_ps(unit[i + j]), _mm256_loadu_ps(units + at));
                    __m256 product = _mm256_mul_ps(counts, _mm256_cvtepi32_ps(sum[j][p]));
                    _mm256_storeu_ps(out + (i + j) * WHOLE_BLOCK + at, _mm256_sub_ps(_mm256_loadu_ps(half + at), product));
                }
        }
}
#endif

#if defined(HALVES)
__attribute__((target("avx512f,avx512bf16"))) static void by_registers(const uint16_t *q, int64_t w,
    const uint16_t *panels, const float *half, int64_t rows, float *out)
{
    enum { AT_ONCE = 8 };
    for (int64_t r = 0; r < rows; r += PAIR)
        for (int64_t i = 0; i < HALF_QUERIES; i += AT_ONCE) {
            __m512 sum[AT_ONCE][2];
            const uint16_t *left = panels + r * w, *right = left + LANES * w;
            for (int j = 0; j < AT_ONCE; j++)
                sum[j][0] = _mm512_loadu_ps(half + r), sum[j][1] = _mm512_loadu_ps(half + r + LANES);
            for (int64_t k = 0; k < w; k += 2) {
                __m512bh a = (__m512bh)_mm512_loadu_si512(left + k * LANES);
                __m512bh b = (__m512bh)_mm512_loadu_si512(right + k * LANES);
                for (int j = 0; j < AT_ONCE; j++) {
                    int32_t both;
                    memcpy(&both, q + (i + j) * w + k, sizeof both);
                    __m512bh x = (__m512bh)_mm512_set1_epi32(both);
                    sum[j][0] = _mm512_dpbf16_ps(sum[j][0], x, a);
                    sum[j][1] = _mm512_dpbf16_ps(sum[j][1], x, b);
                }
            }
            for (int j = 0; j < AT_ONCE; j++) {
                _mm512_storeu_ps(out + (i + j) * HALF_BLOCK + r, sum[j][0]);
                _mm512_storeu_ps(out + (i + j) * HALF_BLOCK + r + LANES, sum[j][1]);
            }
        }
}
#endif

#if defined(TILES)
/* Whether processor and system have tiles of bfloat16; asks the system for leave to use them. */
static int has_tiles(void)
{
    enum { ARCH_REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
           syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* Tiles 0 to 3 hold the sums of 2 x 16 queries and 2 x 16 rows, 4 and 5 queries, 6 and 7 rows. */
__attribute__((target("amx-tile,amx-bf16"))) static void by_tiles(const uint16_t *q, int64_t w,
    const uint16_t *panels, const float *half, int64_t rows, float *out)
{
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    const int64_t step = HALF_BLOCK * sizeof(float), panel = LANES * w;
    for (int i = 0; i < 8; i++)
        shape.bytes[i] = 64, shape.rows[i] = 16;
    _tile_loadconfig(&shape);
    for (int64_t r = 0; r < rows; r += PAIR) {
        /* A stride of 0 gives each query the same start. */
        _tile_loadd(0, half + r, 0);
        _tile_loadd(1, half + r + LANES, 0);
        _tile_loadd(2, half + r, 0);
        _tile_loadd(3, half + r + LANES, 0);
        for (int64_t k = 0; k < w; k += 32) {
            _tile_loadd(4, q + k, 2 * w);
            _tile_loadd(5, q + 16 * w + k, 2 * w);
            _tile_loadd(6, panels + r * w + k * LANES, 64);
            _tile_loadd(7, panels + r * w + panel + k * LANES, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        _tile_stored(0, out + r, step);
        _tile_stored(1, out + r + LANES, step);
        _tile_stored(2, out + 16 * HALF_BLOCK + r, step);
        _tile_stored(3, out + 16 * HALF_BLOCK + r + LANES, step);
    }
    _tile_release();
}
#endif
