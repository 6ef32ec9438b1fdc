// Judges sized pixels by an export of blemish, with the package Microsoft.ML.OnnxRuntime, as docs/export.md says.
// C# 7.3, so that .NET Framework 4.7.2, Mono and every later .NET compile it.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.Serialization.Json;
using System.Security.Cryptography;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

public struct Judged
{
    public string Verdict;
    public float Score;
    public float[] Map;  // Height x Width; empty where the method has none
}

public sealed class Reader : IDisposable
{
    private const int Format = 1;
    private readonly InferenceSession session;
    private readonly XElement document;

    public Reader(string path)
    {
        byte[] content = File.ReadAllBytes(path);
        if (content.Length < 84 || Seal(content) != Hash(content))
            throw new InvalidDataException(path + " is no export, or was changed after it was exported.");
        session = new InferenceSession(content);
        byte[] json = Encoding.UTF8.GetBytes(session.ModelMetadata.CustomMetadataMap["blemish"]);
        using (XmlReader reader = JsonReaderWriterFactory.CreateJsonReader(json, XmlDictionaryReaderQuotas.Max))
            document = XElement.Load(reader);
        if ((int)document.Element("format") > Format)
            throw new NotSupportedException(path + " was made by a newer blemish; take the reader of that version.");
        if ((string)document.Element("input").Element("pixels") != "uint8" || (bool)document.Element("resizes"))
            throw new NotSupportedException("This reader judges 8-bit pictures that are sized already.");
        if ((string)document.Element("places").Attribute("type") != "null")
            throw new NotSupportedException("This reader judges whole pictures, and the model ignores areas.");
    }

    public int Height => (int)document.Element("input").Element("height");
    public int Width => (int)document.Element("input").Element("width");

    // `sized`: Height x Width x 3 bytes, RGB, resized as docs/export.md says; of it, the rectangle shows the picture.
    // Whether the picture ends in constant rows or columns (step 5 there) is left to the caller.
    public Judged Judge(byte[] sized, int x, int y, int width, int height)
    {
        CheckAspect(x, y, width, height);
        var inputs = new List<NamedOnnxValue>
        {
            NamedOnnxValue.CreateFromTensor("image", new DenseTensor<byte>(sized, new[] { Height, Width, 3 })),
        };
        foreach (XElement grid in document.Element("cells").Elements())
        {
            int rows = (int)grid.Element("rows"), columns = (int)grid.Element("columns");
            int[] shown = Shown(rows, columns, x, y, width, height);
            var cells = new DenseTensor<int>(shown, new[] { rows, columns });
            inputs.Add(NamedOnnxValue.CreateFromTensor((string)grid.Element("name"), cells));
        }
        using (var answers = session.Run(inputs))
        {
            float score = answers.First(each => each.Name == "score").AsTensor<float>().First();
            if (float.IsNaN(score) || float.IsInfinity(score))
                throw new InvalidDataException("The network answers NaN or infinity.");
            DisposableNamedOnnxValue map = answers.FirstOrDefault(each => each.Name == "map");
            return new Judged
            {
                Verdict = score > End("threshold") ? "NG" : score > End("review_threshold") ? "REVIEW" : "OK",
                Score = score,
                Map = map == null ? new float[0] : map.AsTensor<float>().ToArray(),
            };
        }
    }

    private double End(string name) => (double)document.Element("thresholds").Element(name);

    private static string Seal(byte[] content) => Encoding.ASCII.GetString(content, content.Length - 64, 64);

    private static string Hash(byte[] content)
    {
        using (SHA256 hash = SHA256.Create())
            return BitConverter.ToString(hash.ComputeHash(content, 0, content.Length - 84)).Replace("-", "").ToLowerInvariant();
    }

    // PaDiM compares place by place: a picture has to show the cells that the good ones showed.
    private void CheckAspect(int x, int y, int width, int height)
    {
        XElement only = document.Element("only_cells");
        if ((string)only.Attribute("type") == "null")
            return;
        int[] grid = document.Element("grid").Elements().Select(side => (int)side).ToArray();
        int[] shown = Shown(grid[0], grid[1], x, y, width, height).Distinct().OrderBy(cell => cell).ToArray();
        if (!shown.SequenceEqual(only.Elements().Select(cell => (int)cell)))
            throw new InvalidDataException("The picture has another aspect than the good ones.");
    }

    // The number of the cell whose score each cell of a grid shows.
    private int[] Shown(int rows, int columns, int x, int y, int width, int height)
    {
        int[] down = Cells(rows, Height, y, height), across = Cells(columns, Width, x, width);
        return down.SelectMany(row => across.Select(column => row * columns + column)).ToArray();
    }

    // Along one side, the cell whose score each cell shows: of those off the picture, the nearest one on it.
    private static int[] Cells(int count, int side, int start, int length)
    {
        double[] centres = Enumerable.Range(0, count).Select(i => (i + 0.5) * side / count).ToArray();
        int[] on = Enumerable.Range(0, count).Where(i => centres[i] >= start && centres[i] < start + length).ToArray();
        if (on.Length == 0)
            on = new[] { Enumerable.Range(0, count).OrderBy(i => Math.Abs(centres[i] - (start + length / 2.0))).First() };
        return Enumerable.Range(0, count).Select(i => Math.Min(Math.Max(i, on[0]), on[on.Length - 1])).ToArray();
    }

    public void Dispose() => session.Dispose();
}
