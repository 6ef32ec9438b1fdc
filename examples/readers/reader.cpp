// Judges pictures by an export of blemish with ONNX Runtime alone: reader [--maps folder] part.onnx picture.ppm ...
//
// --maps writes each map at its picture's size as folder/picture.ppm.pfm: a PFM file, rows from the bottom up.
// g++ -O2 -std=c++17 reader.cpp libonnxruntime.so -o reader. Pictures are PGM or PPM of 8 bits (P5, P6): decode others
// with the library of your choice. What is done with them stands in docs/export.md. It declares the few calls of ONNX
// Runtime's C API that it needs, by their places in its table, which never change; so no header is needed.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

using Bytes = std::vector<uint8_t>;

[[noreturn]] void fail(const std::string& sentence) { throw std::runtime_error(sentence); }

// The C API: version 17 of its table, and the places of its calls.
extern "C" struct ApiBase { const void* const* (*get)(uint32_t); const char* (*version)(); };
extern "C" const ApiBase* OrtGetApiBase();
enum Call { ErrorMessage = 2, CreateEnv = 3, SessionFromArray = 8, Run = 9, CreateOptions = 10, IntraThreads = 24,
            TensorWithData = 49, TensorData = 51, CpuMemory = 69, DefaultAllocator = 78, ReleaseValue = 96,
            Metadata = 111, Lookup = 116 };
enum Type { UINT8 = 2, INT32 = 6 };

struct Runtime {
  const void* const* api = OrtGetApiBase()->get(17);
  Runtime() { if (!api) fail(std::string("ONNX Runtime ") + OrtGetApiBase()->version() + " is too old; 1.17 or newer is needed"); }
  template <class... Arguments> void operator()(Call call, Arguments... arguments) const {
    auto function = reinterpret_cast<void* (*)(Arguments...)>(const_cast<void*>(api[call]));
    if (void* status = function(arguments...))
      fail(reinterpret_cast<const char* (*)(void*)>(const_cast<void*>(api[ErrorMessage]))(status));
  }
  void release(void* value) const { reinterpret_cast<void (*)(void*)>(const_cast<void*>(api[ReleaseValue]))(value); }
};

std::string sha256(const uint8_t* data, size_t size) {
  // The constants are the first bits of the roots of the first primes.
  std::vector<uint32_t> cubes, state;
  for (uint32_t n = 2; cubes.size() < 64; n++) {
    bool prime = true;
    for (uint32_t d = 2; d * d <= n; d++) prime = prime && n % d;
    if (!prime) continue;
    const auto bits = [](long double root) { return uint32_t((root - std::floor(root)) * 4294967296.0L); };
    cubes.push_back(bits(std::cbrt((long double)n)));
    if (state.size() < 8) state.push_back(bits(std::sqrt((long double)n)));
  }
  Bytes padded(data, data + size);
  padded.push_back(0x80);
  while (padded.size() % 64 != 56) padded.push_back(0);
  for (int i = 7; i >= 0; i--) padded.push_back(uint8_t(uint64_t(size) * 8 >> (8 * i)));
  const auto turn = [](uint32_t x, int n) { return x >> n | x << (32 - n); };
  for (size_t at = 0; at < padded.size(); at += 64) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
      w[i] = uint32_t(padded[at + 4 * i]) << 24 | padded[at + 4 * i + 1] << 16 | padded[at + 4 * i + 2] << 8 | padded[at + 4 * i + 3];
    for (int i = 16; i < 64; i++)
      w[i] = w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
             (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
    std::vector<uint32_t> s = state;
    for (int i = 0; i < 64; i++) {
      const uint32_t one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + cubes[i] + w[i];
      const uint32_t two = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
      s = {one + two, s[0], s[1], s[2], s[3] + one, s[4], s[5], s[6]};
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
  }
  std::string digits;
  char word[9];
  for (uint32_t each : state) std::snprintf(word, sizeof word, "%08x", each), digits += word;
  return digits;
}

// The text of a field of the document, behind the name of the object that holds it.
std::string field(const std::string& document, const std::string& object, const std::string& name) {
  const size_t inside = document.find("\"" + object + "\":"), key = document.find("\"" + name + "\":", inside);
  if (inside == std::string::npos || key == std::string::npos) fail("the metadata lack " + object + "." + name);
  const size_t start = key + name.size() + 3;
  return document.substr(start, document.find_first_of(",}]", start) - start);
}

struct Picture { int width, height; Bytes pixels; };  // RGB, row by row

Picture read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string kind;
  int width = 0, height = 0, most = 0;
  file >> kind >> width >> height >> most;
  file.get();
  if (!file || (kind != "P5" && kind != "P6") || most != 255) fail(path + " is no PGM or PPM of 8 bits");
  const int channels = kind == "P6" ? 3 : 1;
  Bytes raw(size_t(width) * height * channels), colours(size_t(width) * height * 3);
  if (!file.read(reinterpret_cast<char*>(raw.data()), raw.size())) fail(path + " is cut short");
  for (size_t i = 0; i < colours.size(); i++) colours[i] = raw[channels == 3 ? i : i / 3];
  return {width, height, colours};
}

// One pass of Pillow's bilinear filter along columns or rows: whole weights of 22 bits, halves rounded up.
Picture resized(const Picture& from, int to, bool rows) {
  const int length = rows ? from.height : from.width;
  if (length == to) return from;
  Picture out{rows ? from.width : to, rows ? to : from.height, {}};
  out.pixels.resize(size_t(out.width) * out.height * 3);
  const double scale = double(length) / to, stretch = std::max(scale, 1.0);
  for (int at = 0; at < to; at++) {
    const double centre = (at + 0.5) * scale;
    const int first = std::max(0, int(centre - stretch + 0.5)), last = std::min(length, int(centre + stretch + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int i = first; i < last; i++) weights.push_back(std::max(0.0, 1 - std::abs((i - centre + 0.5) / stretch))), sum += weights.back();
    for (int other = 0; other < (rows ? out.width : out.height); other++)
      for (int c = 0; c < 3; c++) {
        int value = 1 << 21;
        for (int i = first; i < last; i++) {
          const size_t pixel = rows ? size_t(i) * from.width + other : size_t(other) * from.width + i;
          value += from.pixels[pixel * 3 + c] * int(0.5 + weights[i - first] / sum * (1 << 22));
        }
        const size_t pixel = rows ? size_t(at) * out.width + other : size_t(other) * out.width + at;
        out.pixels[pixel * 3 + c] = uint8_t(std::clamp(value >> 22, 0, 255));
      }
  }
  return out;
}

// The share of the last rows (or columns) that hold one constant value, where there are four or more.
double constant_end(const Picture& picture, bool columns) {
  const int lines = columns ? picture.width : picture.height, length = columns ? picture.height : picture.width;
  const uint8_t* last = picture.pixels.data() + picture.pixels.size() - 3;
  int count = 0;
  const auto constant = [&](int line) {
    for (int i = 0; i < length; i++) {
      const size_t pixel = columns ? size_t(i) * picture.width + line : size_t(line) * picture.width + i;
      if (std::memcmp(&picture.pixels[pixel * 3], last, 3)) return false;
    }
    return true;
  };
  while (count < lines && constant(lines - 1 - count)) count++;
  return count < 4 ? 0 : double(count) / lines;
}

// Along one side, the cell whose score each cell shows.
std::vector<int> cells(int count, int side, int start, int length) {
  int first = -1, last = -1, nearest = 0;
  const auto centre = [&](int i) { return (i + 0.5) * side / count; };
  for (int i = 0; i < count; i++) {
    if (centre(i) >= start && centre(i) < start + length) first = first < 0 ? i : first, last = i;
    if (std::abs(centre(i) - (start + length / 2.0)) < std::abs(centre(nearest) - (start + length / 2.0))) nearest = i;
  }
  if (first < 0) first = last = nearest;
  std::vector<int> shown(count);
  for (int i = 0; i < count; i++) shown[i] = std::clamp(i, first, last);
  return shown;
}

// Where the picture lies in the input.
struct Place { int x, y, width, height; };

// The map at the picture's size: what shows the picture, resized bilinearly with half-pixel centres.
void write_map(const std::string& path, const float* map, int input_width, const Place& place, int width, int height) {
  const auto along = [](int i, int to, int from, int& low) {
    const double at = std::clamp((i + 0.5) * from / to - 0.5, 0.0, from - 1.0);
    low = int(at);
    return at - low;
  };
  std::ofstream file(path, std::ios::binary);
  file << "Pf\n" << width << " " << height << "\n-1.0\n";
  std::vector<float> line(width);
  for (int i = height - 1; i >= 0; i--) {
    int top, left;
    const double v = along(i, height, place.height, top);
    const float* upper = map + size_t(top + place.y) * input_width + place.x;
    const float* lower = map + size_t(std::min(top + 1, place.height - 1) + place.y) * input_width + place.x;
    for (int j = 0; j < width; j++) {
      const double u = along(j, width, place.width, left);
      const int right = std::min(left + 1, place.width - 1);
      line[j] = float((upper[left] * (1 - u) + upper[right] * u) * (1 - v) + (lower[left] * (1 - u) + lower[right] * u) * v);
    }
    file.write(reinterpret_cast<const char*>(line.data()), line.size() * sizeof(float));
  }
  if (!file) fail(path + " cannot be written");
}

int judge(int count, char** words, const std::string& maps) {
  std::ifstream file(words[1], std::ios::binary);
  const Bytes content((std::istreambuf_iterator<char>(file)), {});
  if (content.size() < 84) fail(std::string(words[1]) + " cannot be read");
  if (sha256(content.data(), content.size() - 84) != std::string(content.end() - 64, content.end()))
    fail(std::string(words[1]) + " was changed after it was exported");
  const Runtime ort;
  void *environment, *options, *session, *metadata, *allocator, *memory;
  char* text;
  ort(CreateEnv, 3, "reader", &environment);
  ort(CreateOptions, &options);
  ort(IntraThreads, options, 1);
  ort(SessionFromArray, environment, (const void*)content.data(), content.size(), options, &session);
  ort(Metadata, session, &metadata);
  ort(DefaultAllocator, &allocator);
  ort(Lookup, metadata, allocator, "blemish", &text);
  ort(CpuMemory, 0, 0, &memory);
  const std::string document = text;
  if (document.find("\"format\":1,") == std::string::npos) fail(std::string(words[1]) + " was made by a newer blemish; take the reader of that version");
  const int height = std::stoi(field(document, "input", "height")), width = std::stoi(field(document, "input", "width"));
  const std::string resize = field(document, "input", "resize");
  if (field(document, "input", "pixels") != "\"uint8\"" || document.find("\"places\":null") == std::string::npos ||
      document.find("\"only_cells\":null") == std::string::npos || field(document, "input", "tiling") != "null" || resize == "\"crop\"")
    fail("this reader judges 8-bit pictures whole: no areas, crop, tiles or PaDiM");
  if (!maps.empty() && document.find("\"method\":\"1-nn\"") != std::string::npos) fail("a 1-NN model has no map: leave --maps out");
  const double ng = std::stod(field(document, "thresholds", "threshold")), review = std::stod(field(document, "thresholds", "review_threshold"));
  const size_t own_end = document.rfind("\"end\":") + 6;
  const bool ends_known = document.compare(own_end, 4, "null") != 0;
  const double usual_end = ends_known ? std::max(1.0 / 32, 2 * std::atof(document.c_str() + own_end)) : 2;
  const double most_pixels = std::atof(document.c_str() + document.rfind("\"max_pixels\":") + 13);
  const int most_side = std::atoi(document.c_str() + document.rfind("\"max_side\":") + 11);
  const bool newer = std::atoi(document.c_str() + document.find("\"pillow\":\"") + 10) >= 13;
  for (int number = 2; number < count; number++) {
    Picture picture = read(words[number]);
    if (double(picture.width) * picture.height > most_pixels || std::max(picture.width, picture.height) > most_side)
      fail(std::string(words[number]) + " has more pixels than the model takes");
    const double scale = std::min(double(height) / picture.height, double(width) / picture.width);
    const int h = resize == "\"stretch\"" ? height : std::max(1, int(std::nearbyint(picture.height * scale)));
    const int w = resize == "\"stretch\"" ? width : std::max(1, int(std::nearbyint(picture.width * scale)));
    const int lost = picture.height - h, x = (width - w) / 2, y = (height - h) / 2;
    const int own_width = picture.width, own_height = picture.height;
    const bool rows_first = newer && lost > 0 && lost > 2 * (picture.width - w);
    const bool doubted = std::max(constant_end(picture, false), constant_end(picture, true)) >= usual_end;
    picture = rows_first ? resized(resized(picture, h, true), w, false) : resized(resized(picture, w, false), h, true);
    Bytes sized(size_t(height) * width * 3);
    for (int i = 0; i < height; i++)
      for (int j = 0; j < width; j++)
        std::memcpy(&sized[(size_t(i) * width + j) * 3], &picture.pixels[(size_t(std::clamp(i - y, 0, h - 1)) * w + std::clamp(j - x, 0, w - 1)) * 3], 3);
    std::vector<std::string> names{"image"};
    std::vector<void*> tensors(1);
    const int64_t shape[] = {height, width, 3};
    ort(TensorWithData, memory, (void*)sized.data(), sized.size(), shape, size_t(3), int(UINT8), &tensors[0]);
    std::vector<std::vector<int32_t>> kept;
    kept.reserve(16);
    for (std::string name = "cells"; document.find("\"name\":\"" + name + "\"") != std::string::npos; name = "cells" + std::to_string(kept.size())) {
      const std::string own = document.substr(document.find("\"name\":\"" + name + "\""));
      const int n = std::stoi(field(own, "name", "rows")), m = std::stoi(field(own, "name", "columns"));
      const std::vector<int> down = cells(n, height, y, h), across = cells(m, width, x, w);
      kept.emplace_back();
      for (int row : down) for (int column : across) kept.back().push_back(row * m + column);
      const int64_t grid[] = {n, m};
      names.push_back(name);
      tensors.push_back(nullptr);
      ort(TensorWithData, memory, (void*)kept.back().data(), kept.back().size() * sizeof(int32_t), grid, size_t(2), int(INT32), &tensors.back());
    }
    std::vector<const char*> inputs;
    for (const std::string& name : names) inputs.push_back(name.c_str());
    const char* outputs[] = {"score", "map"};
    void* answers[] = {nullptr, nullptr};
    const size_t wanted = maps.empty() ? 1 : 2;
    float *score, *map;
    ort(Run, session, (void*)nullptr, inputs.data(), tensors.data(), tensors.size(), outputs, wanted, answers);
    ort(TensorData, answers[0], (void**)&score);
    if (!std::isfinite(*score)) fail(std::string(words[number]) + " makes the network answer NaN or infinity");
    std::printf("%s %.9g %s\n", *score > ng ? "NG" : *score > review || doubted ? "REVIEW" : "OK", *score, words[number]);
    if (!maps.empty()) {
      const std::string path = words[number], name = path.substr(path.find_last_of('/') + 1);
      ort(TensorData, answers[1], (void**)&map);
      write_map(maps + "/" + name + ".pfm", map, width, {x, y, w, h}, own_width, own_height);
    }
    for (size_t i = 0; i < wanted; i++) ort.release(answers[i]);
    for (void* tensor : tensors) ort.release(tensor);
  }
  return 0;
}

int main(int count, char** words) {
  try {
    const bool maps = count > 2 && std::string(words[1]) == "--maps";
    if (count < (maps ? 5 : 3)) fail("usage: reader [--maps folder] part.onnx picture.ppm ...");
    return maps ? judge(count - 2, words + 2, words[2]) : judge(count, words, "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
