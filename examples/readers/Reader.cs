// Judges sized pixels by an export of blemish, with the package Microsoft.ML.OnnxRuntime. Written after docs/export.md;
// nobody has compiled or run it yet: compare with `blemish inspect part.onnx` before you trust it.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

public sealed record Judged(string Verdict, float Score, float[] Map);

public sealed class Reader : IDisposable
{
    private readonly InferenceSession session;
    private readonly JsonElement document;

    public Reader(string path)
    {
        byte[] content = File.ReadAllBytes(path);
        string seal = System.Text.Encoding.ASCII.GetString(content, content.Length - 64, 64);
        string found = Convert.ToHexString(SHA256.HashData(content.AsSpan(0, content.Length - 84))).ToLowerInvariant();
        if (seal != found) throw new InvalidDataException($"{path} was changed after it was exported.");
        session = new InferenceSession(content);
        document = JsonDocument.Parse(session.ModelMetadata.CustomMetadataMap["blemish"]).RootElement;
        if (document.GetProperty("input").GetProperty("pixels").GetString() != "uint8")
            throw new NotSupportedException("This reader judges 8-bit pictures.");
    }

    public int Height => document.GetProperty("input").GetProperty("height").GetInt32();
    public int Width => document.GetProperty("input").GetProperty("width").GetInt32();

    // `sized`: Height x Width x 3 bytes, RGB, resized as docs/export.md says; of it, the rectangle shows the picture.
    public Judged Judge(byte[] sized, int x, int y, int width, int height)
    {
        var inputs = new List<NamedOnnxValue>
        {
            NamedOnnxValue.CreateFromTensor("image", new DenseTensor<byte>(sized, new[] { Height, Width, 3 })),
        };
        foreach (JsonElement grid in document.GetProperty("cells").EnumerateArray())
        {
            int rows = grid.GetProperty("rows").GetInt32(), columns = grid.GetProperty("columns").GetInt32();
            int[] down = Cells(rows, Height, y, height), across = Cells(columns, Width, x, width);
            int[] shown = down.SelectMany(row => across.Select(column => row * columns + column)).ToArray();
            var cells = new DenseTensor<int>(shown, new[] { rows, columns });
            inputs.Add(NamedOnnxValue.CreateFromTensor(grid.GetProperty("name").GetString(), cells));
        }
        using var answers = session.Run(inputs);
        float score = answers.First(each => each.Name == "score").AsTensor<float>().First();
        if (!float.IsFinite(score)) throw new InvalidDataException("The network answers NaN or infinity.");
        float[] map = answers.FirstOrDefault(each => each.Name == "map")?.AsTensor<float>().ToArray() ?? Array.Empty<float>();
        JsonElement ends = document.GetProperty("thresholds");
        string verdict = score > ends.GetProperty("threshold").GetDouble() ? "NG"
            : score > ends.GetProperty("review_threshold").GetDouble() ? "REVIEW" : "OK";
        return new Judged(verdict, score, map);
    }

    // Along one side, the cell whose score each cell shows.
    private static int[] Cells(int count, int side, int start, int length)
    {
        double[] centres = Enumerable.Range(0, count).Select(i => (i + 0.5) * side / count).ToArray();
        int[] on = Enumerable.Range(0, count).Where(i => centres[i] >= start && centres[i] < start + length).ToArray();
        if (on.Length == 0)
            on = new[] { Enumerable.Range(0, count).MinBy(i => Math.Abs(centres[i] - (start + length / 2.0))) };
        return Enumerable.Range(0, count).Select(i => Math.Clamp(i, on[0], on[^1])).ToArray();
    }

    public void Dispose() => session.Dispose();
}
